#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

struct nghttp2_session;

namespace weir::http {

/// The memory of one session of nghttp2: pages of its own, where each of its blocks keeps its address for good. While a
/// connection is idle `rest` packs what they hold and lends the pages to the system; `wake` brings them back as they
/// were. What the pages have no room for comes from malloc, and stays where it is.
class H2Memory {
 public:
  H2Memory();
  H2Memory(const H2Memory&) = delete;
  H2Memory& operator=(const H2Memory&) = delete;
  ~H2Memory();

  /// The session is made: what it allocates from here on is small and short-lived.
  void has_made_session() { is_making_ = false; }

  /// Only when nghttp2 has nothing to send: then what its frame buffer holds means nothing.
  void rest();
  bool is_resting() const { return packed_ != nullptr; }
  void wake();

 private:
  friend struct H2MemoryCallbacks;
  struct Chunk;
  struct Heap;
  class Packed;

  void* allocate(size_t size);
  void* allocate_for_good(size_t size, size_t whole);
  void* reallocate(void* old, size_t size);
  void release(void* memory);
  bool is_in_heap(const void* memory) const;

  char* const pages_;
  char* const frames_;
  Heap& heap_;
  bool is_making_ = true;
  std::unique_ptr<char[]> packed_;  // null: awake
};

/// A session that wakes whenever it is used.
class H2SessionRef {
 public:
  explicit H2SessionRef(H2Memory& memory) : memory_(memory) {}
  H2SessionRef& operator=(nghttp2_session* session) {
    session_ = session;
    return *this;
  }
  operator nghttp2_session*() const {
    if (memory_.is_resting()) memory_.wake();
    return session_;
  }

 private:
  H2Memory& memory_;
  nghttp2_session* session_ = nullptr;
};

}  // namespace weir::http
