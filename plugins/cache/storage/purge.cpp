#include "plugins/cache/storage/purge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.h"

namespace weir::plugins {

namespace {

constexpr std::array<std::string_view, 5> kKinds = {"url", "prefix", "tag", "all", "digest"};
constexpr std::array<std::string_view, 2> kForces = {"hard", "soft"};
constexpr size_t kDigestSize = 16;

/// Takes the first word off, which is one of these.
template <class Enum, size_t count>
std::optional<Enum> take_word(std::string_view& text, const std::array<std::string_view, count>& words) {
  const auto end = std::min(text.find(' '), text.size());
  const auto found = std::ranges::find(words, text.substr(0, end));
  if (found == words.end()) return std::nullopt;
  text.remove_prefix(std::min(end + 1, text.size()));
  return static_cast<Enum>(found - words.begin());
}

bool is_digest(std::string_view text) {
  return text.size() == kDigestSize && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

bool is_sound(const Purge& purge) {
  if (purge.kind == Purge::Kind::digest) return is_digest(purge.text);
  if ((purge.kind != Purge::Kind::all) == purge.text.empty() || purge.text.size() > Purge::kMostText) return false;
  return std::ranges::none_of(purge.text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

Purge tellable(Purge purge) {
  constexpr size_t kLongest = 128;  // many may wait for a store that is gone
  if (purge.kind != Purge::Kind::url || (purge.text.size() <= kLongest && is_sound(purge))) return purge;
  return {Purge::Kind::digest, purge.force, fmt::format("{:016x}", hash_of_url(purge.text))};
}

uint64_t hash_of_url(std::string_view url) { return hash(url); }
/// It may read like a URL. (With another seed, short texts have the hashes of others.)
uint64_t hash_of_tag(std::string_view tag) { return mix(hash(tag)); }

uint64_t hash_of_digest(std::string_view digest) {
  uint64_t number = 0;
  std::from_chars(digest.data(), digest.data() + digest.size(), number, 16);
  return number;
}

std::string_view name_of(Purge::Kind kind) { return kKinds[static_cast<size_t>(kind)]; }

std::string to_text(const Purge& purge) {
  std::string text(kForces[static_cast<size_t>(purge.force)]);
  text.append(" ").append(name_of(purge.kind));
  if (!purge.text.empty()) text.append(" ").append(purge.text);
  return text;
}

std::optional<Purge> purge_of(std::string_view text) {
  const auto force = take_word<Purge::Force>(text, kForces);
  if (!force) return std::nullopt;
  const auto kind = take_word<Purge::Kind>(text, kKinds);
  if (!kind || text.size() > Purge::kMostText) return std::nullopt;
  Purge purge{*kind, *force, std::string(text)};
  if (!is_sound(purge)) return std::nullopt;
  return purge;
}

}  // namespace weir::plugins
