#include "plugins/cache/rules/range.h"

#include <algorithm>

#include "base/text.h"

namespace weir::plugins {

namespace {

/// int-range or suffix-range, RFC 9110 section 14.1.1. A number that doesn't fit is the largest that does.
struct Spec {
  std::optional<uint64_t> first;  // nothing: the last `last` bytes
  std::optional<uint64_t> last;
};

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<uint64_t> number_of(std::string_view text) {
  if (!is_number(text)) return std::nullopt;
  return parse_decimal(text).value_or(UINT64_MAX);
}

std::optional<Spec> parse_spec(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = text.substr(0, dash);
  const auto last = text.substr(dash + 1);
  const Spec spec{number_of(first), number_of(last)};
  const bool is_readable = (first.empty() || spec.first) && (last.empty() || spec.last) && (spec.first || spec.last);
  const bool is_backwards = spec.first && spec.last && *spec.last < *spec.first;
  if (!is_readable || is_backwards) return std::nullopt;
  return spec;
}

/// The members of "bytes=…" when there is one only.
std::optional<Spec> only_spec(std::string_view field) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignoring_case(field.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  size_t count = 0;
  std::string_view only;
  for_each_member(field.substr(kUnit.size()), [&](std::string_view member) {
    only = member;
    return ++count < 2;
  });
  return count == 1 ? parse_spec(only) : std::nullopt;
}

RangeAsked part(uint64_t first, uint64_t last) { return {RangeAsked::Kind::part, {first, last}}; }

}  // namespace

RangeAsked asked_range(std::string_view field, uint64_t total) {
  constexpr RangeAsked kNotSatisfiable{RangeAsked::Kind::not_satisfiable, {}};
  const auto spec = only_spec(field);
  if (!spec) return {};
  if (spec->first) {
    if (*spec->first >= total) return kNotSatisfiable;
    return part(*spec->first, std::min(spec->last.value_or(UINT64_MAX), total - 1));
  }
  const auto count = spec->last.value_or(0);
  if (count == 0) return kNotSatisfiable;
  if (total == 0) return {};  // satisfiable, but there is no Content-Range for no bytes
  return part(total - std::min(count, total), total - 1);
}

std::optional<OpenRange> open_range(std::string_view field) {
  const auto spec = only_spec(field);
  if (!spec || !spec->first) return std::nullopt;
  return OpenRange{*spec->first, spec->last};
}

}  // namespace weir::plugins
