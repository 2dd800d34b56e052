#include "plugins/cache/rules/directives.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/syntax.h"
#include "plugins/cache/rules/delta_seconds.h"
#include "plugins/cache/rules/dictionary.h"
#include "plugins/cache/rules/directive_line.h"

namespace weir::plugins {

namespace {

template <class Directives>
struct Word {
  std::string_view name;
  bool Directives::* is_set;
};

template <class Directives>
struct Amount {
  std::string_view name;
  std::optional<uint32_t> Directives::* seconds;
};

/// A word that may name fields: private="set-cookie".
struct Qualified {
  std::string_view name;
  bool ResponseDirectives::* is_set;
  std::string_view ResponseDirectives::* fields;
};

using Response = ResponseDirectives;
using Request = RequestDirectives;

// These restrict what a cache may do; one with an argument that it shouldn't have does so too.
constexpr std::array kRestrictions{
    Word<Response>{"no-store", &Response::no_store},
    Word<Response>{"must-revalidate", &Response::must_revalidate},
    Word<Response>{"proxy-revalidate", &Response::proxy_revalidate},
    Word<Response>{"no-transform", &Response::no_transform},
};
constexpr std::array kPermissions{
    Word<Response>{"public", &Response::is_public},
    Word<Response>{"must-understand", &Response::must_understand},
    Word<Response>{"immutable", &Response::immutable},
};
constexpr std::array kQualified{
    Qualified{"no-cache", &Response::no_cache, &Response::no_cache_fields},
    Qualified{"private", &Response::is_private, &Response::private_fields},
};
constexpr std::array kAmounts{
    Amount<Response>{"max-age", &Response::max_age},
    Amount<Response>{"s-maxage", &Response::s_maxage},
    Amount<Response>{"stale-while-revalidate", &Response::stale_while_revalidate},
    Amount<Response>{"stale-if-error", &Response::stale_if_error},
};

constexpr std::array kRequestWords{
    Word<Request>{"no-cache", &Request::no_cache},
    Word<Request>{"no-store", &Request::no_store},
    Word<Request>{"only-if-cached", &Request::only_if_cached},
    Word<Request>{"no-transform", &Request::no_transform},
};
constexpr std::array kRequestAmounts{
    Amount<Request>{"max-age", &Request::max_age},
    Amount<Request>{"max-stale", &Request::max_stale},
    Amount<Request>{"stale-if-error", &Request::stale_if_error},
};

constexpr auto find(const auto& words, std::string_view name) {
  return std::ranges::find_if(words, [name](const auto& word) { return equals_lower(name, word.name); });
}

std::optional<uint32_t> seconds_of(const Directive& directive) {
  if (directive.form != Directive::Argument::given) return std::nullopt;
  return parse_delta_seconds(directive.argument);
}

void lower(std::optional<uint32_t>& seconds, uint32_t to) { seconds = std::min(seconds.value_or(to), to); }

bool is_list_of_names(std::string_view list) {
  size_t names = 0;
  bool fits = true;
  for_each_member(list, [&](std::string_view name) {
    ++names;
    fits = http::is_token(name);
    return fits;
  });
  return fits && names > 0;
}

/// A second list, and what is no list of names, counts as none: that restricts more.
void qualify(Response& directives, const Qualified& word, std::string_view list) {
  auto& fields = directives.*word.fields;
  if (fields.empty() && is_list_of_names(list)) fields = list;
  else directives.*word.is_set = true;
}

// Cache-Control.

void add(Response& directives, const Directive& directive) {
  const auto name = directive.name;
  if (const auto word = find(kRestrictions, name); word != kRestrictions.end()) {
    directives.*word->is_set = true;
  } else if (const auto word = find(kPermissions, name); word != kPermissions.end()) {
    if (directive.form == Directive::Argument::none) directives.*word->is_set = true;
  } else if (const auto word = find(kQualified, name); word != kQualified.end()) {
    qualify(directives, *word, directive.form == Directive::Argument::given ? directive.argument : "");
  } else if (const auto amount = find(kAmounts, name); amount != kAmounts.end()) {
    lower(directives.*amount->seconds, seconds_of(directive).value_or(0));
  }
}

/// Calls `visit` with each directive of all lines of that name.
template <class Visit>
void for_each_directive(const http::Headers& headers, http::Field field, std::string_view name, Visit visit) {
  for (const auto& header : headers) {
    if (header.field != field || (field == http::Field::other && !equals_lower(header.name, name))) continue;
    DirectiveLine line(header.value);
    while (const auto directive = line.next()) visit(*directive);
  }
}

// Targeted fields.

/// RFC 9213 section 2.1: names of fields come as a string; a list of tokens counts as if it named none.
void add_qualified(Response& directives, const Qualified& word, const DictionaryMember& member) {
  using Type = DictionaryMember::Type;
  directives.*word.is_set = member.is_true() || member.type == Type::list;
  directives.*word.fields = {};
  if (member.type == Type::string || member.type == Type::token) qualify(directives, word, member.text);
}

std::optional<uint32_t> seconds_of(const DictionaryMember& member) {
  if (member.type != DictionaryMember::Type::integer || member.number < 0) return std::nullopt;
  return static_cast<uint32_t>(std::min<int64_t>(member.number, kMostSeconds));
}

/// The last of several with the same key counts, also when its type is wrong.
void add(Response& directives, const DictionaryMember& member) {
  if (const auto word = find(kRestrictions, member.key); word != kRestrictions.end()) {
    directives.*word->is_set = member.is_true();
  } else if (const auto word = find(kPermissions, member.key); word != kPermissions.end()) {
    directives.*word->is_set = member.is_true();
  } else if (const auto word = find(kQualified, member.key); word != kQualified.end()) {
    add_qualified(directives, *word, member);
  } else if (const auto amount = find(kAmounts, member.key); amount != kAmounts.end()) {
    directives.*amount->seconds = seconds_of(member);
  }
}

/// Nothing when the field isn't there, is empty or isn't a Dictionary (RFC 9213 section 2.2).
std::optional<Response> targeted_directives(const http::Headers& headers, std::string_view name) {
  const auto field = headers.joined(name);
  if (!field) return std::nullopt;
  Response directives{.is_targeted = true};
  Dictionary dictionary(*field);
  size_t members = 0;
  while (const auto member = dictionary.next()) {
    add(directives, *member);
    ++members;
  }
  if (members == 0 || dictionary.has_failed()) return std::nullopt;
  return directives;
}

// Requests.

void add(Request& directives, const Directive& directive) {
  const auto name = directive.name;
  const auto seconds = seconds_of(directive);
  if (const auto word = find(kRequestWords, name); word != kRequestWords.end()) {
    directives.*word->is_set = true;
  } else if (const auto amount = find(kRequestAmounts, name); amount != kRequestAmounts.end()) {
    const bool is_any_age = amount->seconds == &Request::max_stale && directive.form == Directive::Argument::none;
    if (is_any_age) lower(directives.max_stale, kMostSeconds);
    else if (seconds) lower(directives.*amount->seconds, *seconds);
  } else if (equals_lower(name, "min-fresh") && seconds) {
    directives.min_fresh = std::max(directives.min_fresh.value_or(0), *seconds);
  }
}

}  // namespace

ResponseDirectives response_directives(const http::Headers& headers, std::span<const std::string> targets) {
  for (const auto& name : targets) {
    if (const auto targeted = targeted_directives(headers, name)) return *targeted;
  }
  ResponseDirectives directives;
  for_each_directive(headers, http::Field::cache_control, {}, [&](const Directive& d) { add(directives, d); });
  return directives;
}

RequestDirectives request_directives(const http::Headers& headers) {
  RequestDirectives directives;
  if (headers.has(http::Field::cache_control)) {
    for_each_directive(headers, http::Field::cache_control, {}, [&](const Directive& d) { add(directives, d); });
    return directives;
  }
  for_each_directive(headers, http::Field::other, "pragma", [&](const Directive& d) {
    if (equals_lower(d.name, "no-cache")) directives.no_cache = true;
  });
  return directives;
}

bool list_has(std::string_view list, std::string_view name) {
  bool found = false;
  for_each_member(list, [&](std::string_view member) {
    found = equals_ignoring_case(member, name);
    return !found;
  });
  return found;
}

}  // namespace weir::plugins
