#include "downstream/client_count.h"

namespace weir::downstream {

ClientCount::Counted ClientCount::add(const net::Address& peer, bool by_client) {
  const uint64_t all = all_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!by_client || !peer.is_ip()) return {all, 0};
  const auto key = key_of(peer);
  auto& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  return {all, ++shard.counts[key]};
}

void ClientCount::remove(const net::Address& peer, bool by_client) {
  all_.fetch_sub(1, std::memory_order_relaxed);
  if (!by_client || !peer.is_ip()) return;
  const auto key = key_of(peer);
  auto& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.counts.find(key);
  if (found != shard.counts.end() && --found->second == 0) shard.counts.erase(found);
}

std::string ClientCount::key_of(const net::Address& peer) {
  if (peer.family() == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in*>(peer.get())->sin_addr;
    return {reinterpret_cast<const char*>(&address), sizeof address};
  }
  constexpr size_t kNetwork = 8;
  return {reinterpret_cast<const char*>(reinterpret_cast<const sockaddr_in6*>(peer.get())->sin6_addr.s6_addr),
          kNetwork};
}

}  // namespace weir::downstream
