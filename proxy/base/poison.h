#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define WEIR_HAS_ASAN 1
#endif
#endif

namespace weir {

/// Memory that Weir recycles itself is poisoned while nobody owns it, so that ASan sees a use after free
/// there as well. No-ops without ASan.
inline void poison([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#ifdef WEIR_HAS_ASAN
  ASAN_POISON_MEMORY_REGION(memory, size);
#endif
}

inline void unpoison([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#ifdef WEIR_HAS_ASAN
  ASAN_UNPOISON_MEMORY_REGION(memory, size);
#endif
}

/// Memory from no allocator that ASan knows, which may hold the only pointers to what one gave: else a leak to it.
inline void search_for_pointers([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#ifdef WEIR_HAS_ASAN
  __lsan_register_root_region(memory, size);
#endif
}

}  // namespace weir
