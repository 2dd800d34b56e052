#include "plugins/cache/policy.h"

#include <algorithm>

#include "plugins/cache/rules/freshness.h"
#include "plugins/cache/rules/storing.h"
#include "plugins/cache/storage/purges.h"

namespace weir::plugins {

namespace {

/// RFC 9213 section 3: for all caches of a kind, the ones behind this one among them.
constexpr std::string_view kPassedOn = "cdn-cache-control";

Duration seconds(std::optional<uint32_t> stated, Duration usual) {
  return stated ? Duration(std::chrono::seconds(*stated)) : usual;
}

template <class Visit>
void for_each_tag(std::string_view list, Visit visit) {
  constexpr std::string_view kSeparators = ", \t";
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(kSeparators), list.size());
    if (end > 0) visit(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

bool has_validator(const http::Headers& headers) {
  return headers.has(http::Field::etag) || headers.has(http::Field::last_modified);
}

}  // namespace

StoragePolicy::StoragePolicy(const CacheSettings& settings)
    : ttl_(settings.ttl),
      heuristic_(settings.heuristic.value),
      heuristic_max_(settings.heuristic_max),
      stale_(settings.serve_stale),
      set_cookie_(settings.set_cookie),
      max_fields_(settings.vary.max_fields),
      targeted_(settings.targeted),
      tags_(settings.tags),
      withheld_(settings.withhold),
      hidden_(settings.tags) {
  for (const auto& entry : settings.ttl_by_status) {
    ttl_by_status_[static_cast<uint16_t>(*parse_decimal(entry.name))] = entry.value;
  }
  std::ranges::copy_if(targeted_, std::back_inserter(hidden_), [](const auto& name) { return name != kPassedOn; });
}

StoragePolicy::Moment StoragePolicy::moment(Exchange& exchange, Time asked) {
  Loop& loop = exchange.loop();
  return {asked, loop.now(), std::chrono::floor<std::chrono::seconds>(loop.clock().wall())};
}

bool StoragePolicy::is_hidden(const http::Header& header) const {
  return std::ranges::any_of(hidden_, [&](const auto& name) { return equals_lower(header.name, name); });
}

void StoragePolicy::withhold(http::Headers& request) const {
  request.remove_if([&](const http::Header& header) {
    const auto is_it = [&](const auto& name) { return equals_lower(header.name, name); };
    return std::ranges::any_of(withheld_, is_it);
  });
}

void StoragePolicy::hide(http::Headers& headers) const {
  headers.remove_if([&](const http::Header& header) { return is_hidden(header); });
}

std::optional<Duration> StoragePolicy::lifetime(const http::ResponseHead& response,
                                                const ResponseDirectives& directives, http::DateTime received) const {
  if (const auto stated = stated_lifetime(response.headers, directives, received)) return stated;
  if (const auto own = ttl_by_status_.find(response.status); own != ttl_by_status_.end()) return own->second;
  if (ttl_ && is_heuristically_cacheable(response.status)) return ttl_;
  if (heuristic_ == 0) return std::nullopt;
  return heuristic_lifetime(response.status, response.headers, directives, received, heuristic_, heuristic_max_);
}

Object::Terms StoragePolicy::terms(const http::ResponseHead& response, const ResponseDirectives& directives,
                                   const Moment& moment, Duration lifetime) const {
  Object::Terms terms;
  const auto took = std::max(moment.answered - moment.asked, Duration{});
  terms.born = moment.answered - initial_age(response.headers, moment.wall, took);
  terms.lifetime = lifetime;
  terms.always_revalidate = directives.no_cache || !directives.no_cache_fields.empty();
  terms.must_revalidate = directives.must_revalidate || directives.proxy_revalidate ||
                          directives.s_maxage.has_value() || terms.always_revalidate;
  if (terms.must_revalidate) return terms;
  terms.while_revalidate = seconds(directives.stale_while_revalidate, stale_.while_revalidate);
  terms.if_error = seconds(directives.stale_if_error, stale_.if_error);
  return terms;
}

StoragePolicy::Verdict StoragePolicy::judge(const http::RequestHead& request, const http::ResponseHead& response,
                                            const Moment& moment) const {
  Verdict verdict;
  const auto& headers = response.headers;
  const auto directives = directives_of(headers);
  verdict.why_not = why_not_stored(request, response, directives);
  if (!verdict.why_not.empty()) return verdict;
  if (!set_cookie_ && headers.has(http::Field::set_cookie)) verdict.why_not = "set-cookie";
  const auto lifetime = this->lifetime(response, directives, moment.wall);
  const bool may_be_validated = !lifetime && is_heuristically_cacheable(response.status);
  if (!lifetime && !may_be_validated) verdict.why_not = "no-lifetime";
  if (!verdict.why_not.empty()) return verdict;

  verdict.terms = terms(response, directives, moment, lifetime.value_or(Duration{}));
  const auto& terms = verdict.terms;
  const bool is_of_use_now = !terms.always_revalidate && terms.born + terms.lifetime > moment.answered;
  const bool is_of_use_stale = terms.while_revalidate > Duration{} || terms.if_error > Duration{};
  if (!is_of_use_now && !is_of_use_stale && !has_validator(headers)) verdict.why_not = "expired";
  auto selection = selection_of(request.headers, headers, max_fields_, headers.arena());
  if (!selection) verdict.why_not = "vary";
  else verdict.selection = std::move(*selection);
  return verdict;
}

std::string_view StoragePolicy::why_not_as_sent(const http::Headers& left, const http::Headers& sent,
                                                const http::ResponseHead& response) const {
  if (response.headers.has(http::Field::vary) && is_varied(left, sent, response.headers)) return "vary";
  if (left.get(http::Field::authorization) == sent.get(http::Field::authorization)) return "";
  return is_for_all_users(directives_of(response.headers)) ? "" : "authorization";
}

std::vector<uint64_t> StoragePolicy::tags_of(const http::Headers& headers) const {
  std::vector<uint64_t> tags;
  for (const auto& header : headers) {
    const auto has_tags = [&](const auto& name) { return equals_lower(header.name, name); };
    if (std::ranges::none_of(tags_, has_tags)) continue;
    for_each_tag(header.value, [&](std::string_view tag) { tags.push_back(Purges::hash_of_tag(tag)); });
  }
  std::ranges::sort(tags);
  return tags;
}

std::shared_ptr<Object> StoragePolicy::make(Verdict verdict, http::ResponseHead& response,
                                            std::shared_ptr<Content> content, const Moment& moment) const {
  strip_for_storage(response.headers, directives_of(response.headers));
  response.headers.remove(http::Field::content_length);  // the content knows
  if (!response.headers.has(http::Field::date)) {
    const auto date = http::format_date(moment.wall);
    response.headers.add("Date", response.headers.arena().copy({date.data(), date.size()}), http::Field::date);
  }
  auto object = std::make_shared<Object>(response, verdict.terms, std::move(content),
                                         [&](const http::Header& header) { return is_hidden(header); });
  object->selection = std::move(verdict.selection);
  object->tags = tags_of(response.headers);
  object->received = moment.answered;
  object->took = moment.answered - moment.asked;
  return object;
}

std::shared_ptr<Object> StoragePolicy::freshened(const Object& stored, const http::RequestHead& request,
                                                 http::ResponseHead& renewing, const Moment& moment) const {
  http::ResponseHead merged(renewing.headers.arena());
  merged.status = stored.status;
  const auto is_renewed = [&](const http::Header& field) {
    if (field.field == http::Field::date) return true;  // its own, or none: it came now
    return std::ranges::any_of(renewing.headers, [&](const http::Header& header) {
      return is_updated_by_304(header) && equals_ignoring_case(header.name, field.name);
    });
  };
  for (const auto& field : stored.fields()) {
    if (!is_renewed(field)) merged.headers.add(field.name, field.value, field.field);
  }
  for (const auto& header : renewing.headers) {
    if (is_updated_by_304(header)) merged.headers.add(header.name, header.value, header.field);
  }
  if (const auto age = renewing.headers.get(http::Field::age)) merged.headers.set("Age", *age, http::Field::age);
  auto verdict = judge(request, merged, moment);
  if (!verdict.why_not.empty()) return nullptr;
  return make(std::move(verdict), merged, stored.content, moment);
}

}  // namespace weir::plugins
