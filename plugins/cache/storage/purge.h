#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/cache/storage/order_table.h"

namespace weir::plugins {

/// One order to forget: everything under one URL, whose URL begins so, that has a tag, or all there is. A digest stands
/// for a URL that is too long to be told to others.
struct Purge {
  enum class Kind : uint8_t { url, prefix, tag, all, digest } kind = Kind::url;
  using Force = PurgeForce;
  Force force = Force::hard;
  std::string text;  // "https://example.com/a?b=1", "https://example.com/a/", "news"; "" for all; 16 hex digits
  bool operator==(const Purge&) const = default;

  static constexpr size_t kMostText = 8 * 1024;
};

std::string_view name_of(Purge::Kind kind);
/// Has a text (but for all), that is not too long and all of printable characters.
bool is_sound(const Purge& purge);
/// The same order in a form that is sound, whatever the URL is: itself or its digest.
Purge tellable(Purge purge);
/// What a URL, a tag and orders about them are known by, in all processes. A digest that is sound, or a text.
uint64_t hash_of_url(std::string_view url);
uint64_t hash_of_tag(std::string_view tag);
uint64_t hash_of_digest(std::string_view digest);
/// As it stands in a log: "soft tag news", "hard all".
std::string to_text(const Purge& purge);
/// Nothing when it makes no sense; whoever wrote it.
std::optional<Purge> purge_of(std::string_view text);

}  // namespace weir::plugins
