#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/redis_reply.h"

namespace weir::store {

inline constexpr size_t kSlots = 16384;
inline constexpr size_t kMostMasters = 1000;  // of a map; Redis recommends no more nodes

/// True for a host name or an IP address.
bool is_host(std::string_view text);

/// The slot of a key in a Redis Cluster: CRC16 (XMODEM) of what stands between its first braces, or of all of it.
uint16_t slot_of(std::string_view key);

/// Which node has which slot, as the nodes tell it.
class SlotMap {
 public:
  SlotMap() : owners_(kSlots, kNobody) {}

  /// From the answer to CLUSTER SLOTS. `asked` is who answered: nodes that don't know their own address stand for it.
  /// Nothing when malformed: slots with two owners, masters without a host, or more than kMostMasters masters.
  static std::optional<SlotMap> read(const Reply& answer, const std::string& asked);

  /// The master that has it, "host:port"; null when nobody is known to.
  const std::string* owner(uint16_t slot) const;
  void move(uint16_t slot, const std::string& to) { owners_[slot] = index_of(to); }
  /// All masters.
  const std::vector<std::string>& nodes() const { return nodes_; }
  bool has(const std::string& node) const { return index_.contains(node); }
  bool operator==(const SlotMap& other) const { return owners_ == other.owners_ && nodes_ == other.nodes_; }

 private:
  static constexpr uint16_t kNobody = UINT16_MAX;
  uint16_t index_of(const std::string& node);

  std::vector<uint16_t> owners_;  // positions in nodes_
  std::vector<std::string> nodes_;
  std::unordered_map<std::string, uint16_t> index_;  // of nodes_
};

/// "MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381": where to go instead.
struct Redirection {
  enum class Kind : uint8_t { moved, ask } kind;
  uint16_t slot;
  std::string node;
  /// Nothing when `error` is none.
  static std::optional<Redirection> read(std::string_view error, const std::string& asked);
};

}  // namespace weir::store
