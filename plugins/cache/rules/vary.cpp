#include "plugins/cache/rules/vary.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/arena_text.h"
#include "base/text.h"
#include "plugins/cache/rules/request_values.h"

namespace weir::plugins {

namespace {

std::string_view lower_case(std::string_view text, Arena& arena) {
  if (std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'Z'; })) return text;
  auto* const bytes = static_cast<char*>(arena.bump(text.size(), 1));
  std::ranges::transform(text, bytes, to_lower);
  return {bytes, text.size()};
}

std::string_view joined(std::span<const std::string_view> parts, Arena& arena) {
  size_t most = 0;
  for (const auto part : parts) most += part.size() + 1;
  ArenaText text(arena, most);
  for (const auto part : parts) text << (text.empty() ? "" : ",") << part;
  return text.text();
}

// Accept-Encoding, RFC 9110 section 12.5.3.

// A longer list isn't made a set of: what an ordinary client sends is short.
constexpr size_t kMostCodings = 16;

struct Coding {
  std::string_view name;  // lower case
  bool is_refused = false;
};

/// Whether the weight behind a coding is 0: ";q=0", "; Q=0.000".
bool is_weight_zero(std::string_view parameters) {
  const auto equals = parameters.find('=');
  if (equals == std::string_view::npos || !equals_ignoring_case(trim(parameters.substr(0, equals)), "q")) return false;
  const auto weight = trim(parameters.substr(equals + 1));
  return weight.starts_with('0') && weight.find_first_not_of("0.") == std::string_view::npos;
}

/// RFC 9110 sections 8.4.1.1 and 8.4.1.3.
std::string_view usual_name(std::string_view coding) {
  return coding == "x-gzip" || coding == "x-compress" ? coding.substr(2) : coding;
}

Coding coding_of(std::string_view member, Arena& arena) {
  const auto semicolon = std::min(member.find(';'), member.size());
  const auto name = usual_name(lower_case(trim(member.substr(0, semicolon)), arena));
  return {name, semicolon < member.size() && is_weight_zero(member.substr(semicolon + 1))};
}

class Codings {
 public:
  /// False when there are too many.
  bool read(std::string_view value, Arena& arena) {
    bool fits = true;
    for_each_member(value, [&](std::string_view member) {
      fits = count_ < codings_.size();
      if (fits) codings_[count_++] = coding_of(member, arena);
      return fits;
    });
    return fits;
  }

  std::string_view text(Arena& arena) const {
    std::array<std::string_view, kMostCodings> names;
    size_t count = 0;
    for (const auto& coding : std::span(codings_).first(count_)) {
      if (!coding.is_refused) names[count++] = coding.name;
      else if (matters_refused(coding)) names[count++] = arena.concat({coding.name, ";q=0"});
    }
    const auto end = names.begin() + count;
    std::sort(names.begin(), end);
    return joined({names.begin(), std::unique(names.begin(), end)}, arena);
  }

 private:
  /// Others aren't taken without being named, unless all are.
  bool matters_refused(const Coding& coding) const {
    if (coding.name == "identity" || coding.name == "*") return true;
    return std::ranges::any_of(std::span(codings_).first(count_),
                               [](const Coding& other) { return other.name == "*" && !other.is_refused; });
  }

  std::array<Coding, kMostCodings> codings_;
  size_t count_ = 0;
};

// Other fields.

/// Fields that are known to be lists, whose empty parts and spaces between parts mean nothing.
constexpr std::string_view kLists[] = {"accept", "accept-charset", "accept-language", "prefer"};

bool is_list(std::string_view name) {
  return std::ranges::any_of(kLists, [&](std::string_view list) { return equals_ignoring_case(name, list); });
}

/// How much of `text` comes before the first comma outside of quotes.
size_t length_of_part(std::string_view text) {
  bool is_quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == ',' && !is_quoted) return at;
    if (text[at] == '"') is_quoted = !is_quoted;
    else if (text[at] == '\\' && is_quoted) ++at;
  }
  return text.size();
}

/// Calls `visit` with each trimmed part between commas, but for empty ones.
template <class Visit>
void for_each_part(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const auto length = length_of_part(text);
    const auto part = trim(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
    if (!part.empty()) visit(part);
  }
}

/// Whether there is ", " between all parts and nothing around them.
bool is_even(std::string_view text) {
  constexpr size_t kBetween = 2;
  size_t expected = 0;
  bool is_even = true;
  for_each_part(text, [&](std::string_view part) {
    const auto at = static_cast<size_t>(part.data() - text.data());
    is_even = is_even && at == expected && (at == 0 || text[at - 1] == ' ');
    expected = at + part.size() + kBetween;
  });
  return text.empty() || (is_even && expected == text.size() + kBetween);
}

std::string_view evened(std::string_view text, Arena& arena) {
  if (is_even(text)) return text;
  ArenaText even(arena, text.size() * 2);
  for_each_part(text, [&](std::string_view part) { even << (even.empty() ? "" : ", ") << part; });
  return even.text();
}

/// False when there are too many, or all fields count.
bool add_names(std::vector<Selection::Member>& members, std::string_view vary, size_t most, Arena& arena) {
  bool fits = true;
  for_each_member(vary, [&](std::string_view member) {
    const auto name = lower_case(member, arena);
    const auto at = std::ranges::lower_bound(members, name, {}, &Selection::Member::name);
    const bool is_new = at == members.end() || at->name != name;
    fits = name != "*" && (!is_new || members.size() < most);
    if (fits && is_new) members.insert(at, {.name = std::string(name)});
    return fits;
  });
  return fits;
}

/// The same bytes in memory.
bool is_same_text(const http::Header& one, const http::Header& other) {
  return one.name.data() == other.name.data() && one.value.data() == other.value.data() &&
         one.value.size() == other.value.size();
}

bool are_alike(const http::Headers& one, const http::Headers& other, std::string_view name) {
  const auto is_it = [&](const http::Header& header) { return equals_ignoring_case(header.name, name); };
  auto a = one.begin();
  auto b = other.begin();
  for (;; ++a, ++b) {
    a = std::find_if(a, one.end(), is_it);
    b = std::find_if(b, other.end(), is_it);
    if (a == one.end() || b == other.end()) return a == one.end() && b == other.end();
    if (a->value != b->value) return false;
  }
}

}  // namespace

std::string_view normalized(std::string_view name, std::string_view value, Arena& arena) {
  const auto field = http::field_of(name);
  if (field == http::Field::accept_encoding) {
    Codings codings;
    if (codings.read(value, arena)) return codings.text(arena);
  }
  return field == http::Field::accept_encoding || is_list(name) ? evened(value, arena) : value;
}

bool Selection::matches(const http::Headers& request, Arena& arena) const {
  return RequestValues(request, arena).matches(*this);
}

bool is_varied(const http::Headers& one, const http::Headers& other, const http::Headers& response) {
  if (std::ranges::equal(one, other, is_same_text)) return false;  // the usual: no filter changed a field
  for (const auto& header : response) {
    if (header.field != http::Field::vary) continue;
    bool differs = false;
    for_each_member(header.value,
                    [&](std::string_view name) { return are_alike(one, other, name) || !(differs = true); });
    if (differs) return true;
  }
  return false;
}

std::optional<Selection> selection_of(const http::Headers& request, const http::Headers& response, size_t most,
                                      Arena& arena) {
  Selection selection;
  for (const auto& header : response) {
    if (header.field != http::Field::vary) continue;
    if (!add_names(selection.members, header.value, most, arena)) return std::nullopt;
  }
  for (auto& member : selection.members) {
    const auto value = request.joined(member.name);
    member.is_absent = !value;
    if (value) member.value = normalized(member.name, *value, arena);
  }
  return selection;
}

}  // namespace weir::plugins
