#include "plugins/cache/cache.h"

// From settings to a filter: what of them can't be, on this route or beside the others.

namespace weir::plugins {

namespace {

std::string bounds_of(const CacheSettings& settings) {
  return "max_size: " + format(settings.max_size) + ", max_object: " + format(*settings.max_object) +
         ", vary.max_variants: " + std::to_string(settings.vary.max_variants);
}

/// Caches of one name are one, so they have the same bounds.
void agree(const CacheSettings& settings, const std::string& name, const config::Location& at, FilterContext& context) {
  if (!context.agreed) return;
  const auto bounds = bounds_of(settings);
  const auto& others = context.agreed->try_emplace("cache " + name, bounds).first->second;
  if (others == bounds) return;
  context.problems.add(settings.name->empty() ? at : settings.name.at,
                       "a cache called '" + name + "' has other bounds on another route",
                       "write the same there and here (" + others + "), or give it a name of its own");
}

}  // namespace

config::Tag<FilterFactory> cache_filter() {
  return filter_tag<CacheSettings>(
      "cache", "answers from what it has stored of earlier responses (RFC 9111)",
      [](const CacheSettings& settings, const config::Location& at, FilterContext& context) {
        // Routes are told apart by more than the URL: by default none answers with what another had.
        const auto name = settings.name->empty() ? FilterContext::Scope{context.route, context.identity()}
                                                 : FilterContext::Scope{*settings.name, *settings.name};
        if (const auto& shared = settings.shared.is_on; *shared && !context.is_store_shared) {
          context.problems.add(shared.at, "there is no store that is shared",
                               "write store: { redis: \"redis://HOST:6379\" }, or leave this out");
        }
        if (!context.names.insert("cache " + name.state).second) {
          context.problems.add(at, "the route has this cache already", "leave one out, or give this one a name");
        }
        agree(settings, name.state, at, context);
        return std::make_shared<const Cache>(settings, name, context);
      });
}

}  // namespace weir::plugins
