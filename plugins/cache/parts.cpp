#include "plugins/cache/parts.h"

namespace weir::plugins {

namespace {

Shelf::Settings shelf_settings(const CacheSettings& settings) {
  return {settings.max_size.count, settings.max_object->count, settings.vary.max_variants};
}

std::optional<SharedLevel> shared_level(const CacheSettings& settings, const std::string& name) {
  if (!*settings.shared.is_on) return std::nullopt;
  return SharedLevel(name, settings.shared.max_object.count);
}

}  // namespace

CacheParts::CacheParts(const CacheSettings& settings, const FilterContext::Scope& name, FilterContext& context)
    : policy(settings),
      forms(context.process_state<KeyForms>("cache " + name.state, {})),
      key(forms->share(CacheKey(settings, context.paths))),
      shelf(context.process_state<Shelf>("cache " + name.state, shelf_settings(settings))),
      feed(context.process_state<PurgeFeed>("cache " + name.state,
                                            {name.state, context.announcer, &context.metrics, name.label})),
      longer(context.process_state<LongerKeys>("cache " + name.state, {})),
      shared(shared_level(settings, name.state)),
      uncacheable_ttl(settings.uncacheable_ttl),
      max_object(settings.max_object->count),
      listed(context.process_state<CacheList>("caches", {})->add({name.label, feed, shelf, forms})),
      held(context.metrics.hold({{"", {{"cache", name.label}}}})),
      refused_refreshes(context.metrics.counter(
          "cache_refreshes_refused", "Refreshes of stale responses that did not begin: too many were under way",
          {{"cache", name.label}})),
      left_out(context.metrics.counter(
          "cache_store_full", "Responses that were not stored in Redis: three quarters of its memory were taken",
          {{"cache", name.label}})),
      bytes_(context.metrics.gauge("cache_bytes", "Memory of stored responses, heads and keys with them",
                                   {{"cache", name.label}})),
      objects_(context.metrics.gauge("cache_objects", "Stored responses", {{"cache", name.label}})),
      evictions_(context.metrics.counter("cache_evictions", "Stored responses that went for want of room",
                                         {{"cache", name.label}})) {
  if (shared) feed->share();
}

void CacheParts::measure() const {
  const auto size = shelf->size();
  bytes_.set(static_cast<int64_t>(size.bytes));
  objects_.set(static_cast<int64_t>(size.objects));
  evictions_.set(static_cast<int64_t>(size.evictions));
}

}  // namespace weir::plugins
