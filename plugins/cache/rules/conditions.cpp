#include "plugins/cache/rules/conditions.h"

#include <algorithm>

#include "base/text.h"

namespace weir::plugins {

namespace {

constexpr std::string_view kWeak = "W/";
constexpr std::string_view kIfMatch = "if-match";
constexpr std::string_view kIfUnmodifiedSince = "if-unmodified-since";
constexpr std::string_view kIfRange = "if-range";

bool is_weak(std::string_view tag) { return tag.starts_with(kWeak); }
std::string_view opaque(std::string_view tag) { return is_weak(tag) ? tag.substr(kWeak.size()) : tag; }

/// How long the tag at the front of a list is. Commas may stand between its quotes, where nothing is escaped (RFC 9110
/// section 8.8.3); one without quotes, which some origins send, ends at the comma.
size_t length_of_tag(std::string_view list) {
  const size_t start = is_weak(list) ? kWeak.size() : 0;
  if (!list.substr(start).starts_with('"')) return std::min(list.find(','), list.size());
  const auto quote = list.find('"', start + 1);
  return quote == std::string_view::npos ? list.size() : quote + 1;
}

bool lists(std::string_view list, std::string_view etag) {
  for (;;) {
    list.remove_prefix(std::min(list.find_first_not_of(", \t"), list.size()));
    if (list.empty()) return false;
    const auto length = length_of_tag(list);
    if (matches_weakly(trim(list.substr(0, length)), etag)) return true;
    list.remove_prefix(length);
  }
}

/// Some line of If-None-Match has it, or is "*".
bool has_it_already(const http::Headers& request, std::string_view etag) {
  return std::ranges::any_of(request, [&](const http::Header& header) {
    return header.field == http::Field::if_none_match && (trim(header.value) == "*" || lists(header.value, etag));
  });
}

/// RFC 9110 section 13.1.3: a line that is no date, and a second line, say nothing.
bool is_unmodified_since(const http::Headers& request, const Validators& stored) {
  if (request.count(http::Field::if_modified_since) != 1) return false;
  const auto since = http::parse_date(request.get(http::Field::if_modified_since).value_or(""));
  const auto modified = http::parse_date(stored.last_modified.empty() ? stored.date : stored.last_modified);
  return since && modified && *modified <= *since;
}

/// RFC 9110 section 8.8.2.2: what was modified within the second of its Date may have been so again within that second.
bool is_strong_date(std::string_view field, const Validators& stored) {
  const auto asked = http::parse_date(field);
  const auto modified = http::parse_date(stored.last_modified);
  const auto date = http::parse_date(stored.date);
  return asked && modified && date && *asked == *modified && *date - *modified >= std::chrono::seconds(1);
}

bool has_name(const http::Header& header, std::string_view name) {
  return header.field == http::Field::other && equals_lower(header.name, name);
}

bool is_origins_condition(const http::Header& header) {
  return has_name(header, kIfMatch) || has_name(header, kIfUnmodifiedSince);
}

bool is_condition(const http::Header& header) {
  switch (header.field) {
    case http::Field::if_none_match:
    case http::Field::if_modified_since:
    case http::Field::range: return true;
    default: return is_origins_condition(header) || has_name(header, kIfRange);
  }
}

}  // namespace

Validators validators_of(const http::Headers& response) {
  return {.etag = response.get(http::Field::etag).value_or(""),
          .last_modified = response.get(http::Field::last_modified).value_or(""),
          .date = response.get(http::Field::date).value_or("")};
}

bool matches_weakly(std::string_view a, std::string_view b) { return !opaque(a).empty() && opaque(a) == opaque(b); }

bool matches_strongly(std::string_view a, std::string_view b) { return !a.empty() && !is_weak(a) && a == b; }

bool is_not_modified(const http::Headers& request, const Validators& stored) {
  if (request.has(http::Field::if_none_match)) return has_it_already(request, stored.etag);
  return is_unmodified_since(request, stored);
}

bool may_send_range(const http::Headers& request, const Validators& stored) {
  const auto field = request.joined(kIfRange);  // several lines make neither a tag nor a date
  if (!field) return true;
  if (field->starts_with('"')) return matches_strongly(*field, stored.etag);
  return is_strong_date(*field, stored);
}

bool is_for_origin_alone(const http::Headers& request) { return std::ranges::any_of(request, is_origins_condition); }

void make_conditional(http::Headers& request, const Validators& stored) {
  make_unconditional(request);
  if (!stored.etag.empty()) request.add("If-None-Match", stored.etag, http::Field::if_none_match);
  if (!stored.last_modified.empty()) {
    request.add("If-Modified-Since", stored.last_modified, http::Field::if_modified_since);
  }
}

void make_unconditional(http::Headers& request) { request.remove_if(is_condition); }

}  // namespace weir::plugins
