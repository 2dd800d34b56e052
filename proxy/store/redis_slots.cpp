#include "store/redis_slots.h"

#include <algorithm>

#include "base/text.h"
#include "store/redis_address.h"

namespace weir::store {

namespace {

constexpr auto kCrcTable = [] {
  std::array<uint16_t, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}();

uint16_t crc16(std::string_view text) {
  uint16_t crc = 0;
  for (const char c : text)
    crc = static_cast<uint16_t>(crc << 8 ^ kCrcTable[(crc >> 8 ^ static_cast<uint8_t>(c)) & 0xFF]);
  return crc;
}

std::string_view hashed_part(std::string_view key) {
  const auto open = key.find('{');
  if (open == std::string_view::npos) return key;
  const auto close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

/// A node without a host is the one that was asked, at that port.
std::optional<std::string> node_name(std::string_view host, uint64_t port, const std::string& asked) {
  RedisAddress node;
  if (host.empty() || host == "?") {
    const auto known = RedisAddress::parse_node(asked, 0);
    if (!known) return std::nullopt;
    node.host = known->host;
  } else {
    node.host = host;
  }
  if (port == 0 || port > 65535 || !is_host(node.host)) return std::nullopt;
  node.port = static_cast<uint16_t>(port);
  return node.text();
}

bool is_host_byte(char c) {
  const char lower = to_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':' ||
         c == '%';
}

}  // namespace

bool is_host(std::string_view text) {
  constexpr size_t kLongestName = 253;
  return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, is_host_byte);
}

uint16_t slot_of(std::string_view key) { return crc16(hashed_part(key)) % kSlots; }

const std::string* SlotMap::owner(uint16_t slot) const {
  return owners_[slot] == kNobody ? nullptr : &nodes_[owners_[slot]];
}

uint16_t SlotMap::index_of(const std::string& node) {
  const auto [entry, is_new] = index_.emplace(node, static_cast<uint16_t>(nodes_.size()));
  if (is_new) nodes_.push_back(node);
  return entry->second;
}

std::optional<SlotMap> SlotMap::read(const Reply& answer, const std::string& asked) {
  SlotMap map;
  size_t slots = 0;  // of all ranges: overlapping ranges exceed kSlots
  for (const Reply& range : answer.items) {
    const int64_t first = range[0].integer;
    const int64_t last = range[1].integer;
    const Reply& master = range[2];
    if (first < 0 || last < first || last >= static_cast<int64_t>(kSlots)) return std::nullopt;
    const auto name = node_name(master[0].text, static_cast<uint64_t>(master[1].integer), asked);
    slots += static_cast<size_t>(last - first + 1);
    if (!name || slots > kSlots) return std::nullopt;
    const uint16_t index = map.index_of(*name);
    if (map.nodes_.size() > kMostMasters) return std::nullopt;
    std::fill(map.owners_.begin() + first, map.owners_.begin() + last + 1, index);
  }
  return map.nodes_.empty() ? std::nullopt : std::optional(std::move(map));
}

std::optional<Redirection> Redirection::read(std::string_view error, const std::string& asked) {
  const bool is_ask = error.starts_with("ASK ");
  if (!is_ask && !error.starts_with("MOVED ")) return std::nullopt;
  error.remove_prefix(error.find(' ') + 1);
  const auto space = error.find(' ');
  const auto slot = parse_decimal(error.substr(0, space));
  if (space == std::string_view::npos || !slot || *slot >= kSlots) return std::nullopt;
  const auto to = error.substr(space + 1);
  const auto colon = to.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = to.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = parse_decimal(to.substr(colon + 1));
  const auto name = port ? node_name(host, *port, asked) : std::nullopt;
  if (!name) return std::nullopt;
  return Redirection{is_ask ? Kind::ask : Kind::moved, static_cast<uint16_t>(*slot), *name};
}

}  // namespace weir::store
