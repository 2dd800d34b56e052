#pragma once

#include <algorithm>

#include "exchange/wire.h"

namespace weir {

/// Bytes of responses that wait in Weir for the client of one multiplexed connection: in its output, in its codec, and
/// read ahead from upstreams. All streams share 256 KiB; beyond that each stream has 16 KiB of its own: 8 KiB read
/// ahead, and 8 KiB in the codec. An upstream is read while its stream has room. One thread.
class Backlog {
 public:
  static constexpr size_t kShared = 256 * 1024;
  static constexpr size_t kOwn = 8 * 1024;

  explicit Backlog(const Wire& wire) : wire_(wire) {}
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  /// Bytes read ahead for one of the streams.
  void add(size_t bytes) { ahead_ += bytes; }
  void remove(size_t bytes) { ahead_ -= bytes; }
  /// What is left of the shared bytes.
  size_t shared_room() const {
    const size_t used = ahead_ + wire_.output().bytes() + wire_.codec().held_back_of_all();
    return used < kShared ? kShared - used : 0;
  }
  /// Bytes of flow-control windows that HTTP/2 endpoints may fill, beyond the first window of each stream.
  void promise(size_t bytes) { promised_ += bytes; }
  void take_back(size_t bytes) { promised_ -= bytes; }
  size_t room_to_promise() const {
    const size_t room = shared_room();
    return promised_ < room ? room - promised_ : 0;
  }
  /// Bytes that may be read ahead for a stream that has `ahead` bytes read ahead already.
  size_t room(size_t ahead) const { return std::max(ahead < kOwn ? kOwn - ahead : 0, room_to_promise()); }

 private:
  const Wire& wire_;
  size_t ahead_ = 0;     // bytes of all streams
  size_t promised_ = 0;  // bytes of all streams
};

}  // namespace weir
