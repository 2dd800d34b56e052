#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "store/redis_decision.h"
#include "store/redis_reader.h"
#include "store/redis_slots.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

namespace {

void demand(bool holds) {
  if (!holds) std::abort();
}

void write(const Reply& reply, std::string& text) {
  text += std::to_string(static_cast<int>(reply.type)) + ":" + std::to_string(reply.integer) + ":";
  text.append(reply.text);
  for (const Reply& item : reply.items) {
    text += '(';
    write(item, text);
    text += ')';
  }
}

/// What a server's bytes mean, fed in pieces: each reply as text, those whose number is a multiple of `dropped`
/// dropped.
std::string read_in(std::string_view bytes, size_t fragment, size_t dropped) {
  BlockPool blocks(4096, 4);
  RedisReader reader;
  std::string text;
  size_t replies = 0;
  auto arena = std::make_unique<Arena>(blocks);
  while (!bytes.empty()) {
    reader.feed(bytes.substr(0, fragment));
    bytes.remove_prefix(std::min(fragment, bytes.size()));
    while (reader.has_unread()) {
      const bool is_dropped = dropped > 0 && replies % dropped == 0;
      const auto reply = reader.next(is_dropped ? nullptr : arena.get());
      if (!reply) break;
      if (!is_dropped) write(*reply, text);
      ++replies;
      arena = std::make_unique<Arena>(blocks);
    }
  }
  demand(reader.problem().empty() || !reader.next(arena.get()));
  return text + (reader.problem().empty() ? "" : "broken");
}

/// A reader of replies that goes away with its arena after each piece.
void read_and_leave(std::string_view bytes, size_t fragment) {
  BlockPool blocks(4096, 0);
  RedisReader reader;
  while (!bytes.empty()) {
    Arena arena(blocks);
    reader.feed(bytes.substr(0, fragment));
    bytes.remove_prefix(std::min(fragment, bytes.size()));
    while (reader.has_unread() && reader.next(nullptr)) {
    }
    if (bytes.size() % 2) continue;
    reader.feed(bytes.substr(0, fragment));
    bytes.remove_prefix(std::min(fragment, bytes.size()));
    while (reader.has_unread() && reader.next(&arena)) {
    }
    reader.next(nullptr);  // from here on the arena is not touched
  }
}

void check_quota(const Quota& quota, const Limit& limit) {
  demand(quota.remaining <= quota.most);
  demand(quota.retry_after >= 0s && quota.retry_after <= longest_wait(limit));
  demand(quota.reset_after >= 0s && quota.reset_after <= longest_wait(limit));
}

/// What is made of whole replies.
void understand(std::string_view bytes) {
  BlockPool blocks(4096, 4);
  Arena arena(blocks);
  RedisReader reader;
  reader.feed(bytes);
  while (reader.has_unread()) {
    const auto reply = reader.next(&arena);
    if (!reply) break;
    const Limit even{"even", Limit::Algorithm::gcra, 3, 1s, 5};
    const Limit fixed{"fixed", Limit::Algorithm::fixed_window, 10, 24h};
    const Take takes[] = {{even, "k"}, {fixed, "k", 11}};
    for (const size_t count : {1UZ, 2UZ}) {
      const auto decision = read_decision(arena, std::span(takes).first(count), reply->text);
      for (size_t i = 0; decision && i < count; ++i) check_quota(decision->quotas[i], takes[i].limit);
    }
    fault_of(*reply);
    if (const auto to = Redirection::read(reply->text, "10.0.0.1:1")) demand(to->slot < kSlots && !to->node.empty());
    if (const auto map = SlotMap::read(*reply, "10.0.0.1:1")) demand(map->nodes().size() <= kMostMasters);
  }
}

}  // namespace

// The first byte is the fragment size and which replies nobody waits for; the rest is what a server sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t fragment = data[0] % 40 + 1;
  const size_t dropped = data[0] / 64;
  demand(read_in(bytes, bytes.size(), dropped) == read_in(bytes, fragment, dropped));
  read_and_leave(bytes, fragment);
  understand(bytes);
  return 0;
}
