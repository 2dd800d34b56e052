#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::observe {

/// Cells of one kind by slot, in chunks that never move; each chunk is twice the size of the one before. One thread
/// writes the cells, any thread reads them.
template <class Cells>
class CellTable {
 public:
  CellTable() = default;
  CellTable(const CellTable&) = delete;
  CellTable& operator=(const CellTable&) = delete;
  ~CellTable() {
    for (auto& chunk : chunks_) std::unique_ptr<Cells[]>(chunk.load());
  }

  /// Makes all slots below `count`. One thread at a time.
  void reserve(uint32_t count) {
    for (size_t chunk = 0; chunk < kChunks && first_of(chunk) < count; ++chunk) {
      if (!chunks_[chunk].load(std::memory_order_relaxed))
        chunks_[chunk].store(std::make_unique<Cells[]>(size_of(chunk)).release(), std::memory_order_release);
    }
  }
  /// A slot that was reserved.
  Cells& operator[](uint32_t slot) { return *at(slot); }
  /// Null: this worker has no cells there.
  const Cells* find(uint32_t slot) const { return at(slot); }

 private:
  static constexpr int kFirstBits = 6;  // the first chunk has 64 cells
  static constexpr size_t kChunks = 32 - kFirstBits;

  static constexpr uint64_t size_of(size_t chunk) { return uint64_t{1} << (kFirstBits + chunk); }
  static constexpr uint64_t first_of(size_t chunk) { return size_of(chunk) - size_of(0); }
  Cells* at(uint32_t slot) const {
    const uint64_t number = uint64_t{slot} + size_of(0);
    const auto chunk = static_cast<size_t>(std::bit_width(number)) - 1 - kFirstBits;
    Cells* cells = chunk < kChunks ? chunks_[chunk].load(std::memory_order_acquire) : nullptr;
    return cells ? cells + (number - size_of(chunk)) : nullptr;
  }

  std::array<std::atomic<Cells*>, kChunks> chunks_{};
};

}  // namespace weir::observe
