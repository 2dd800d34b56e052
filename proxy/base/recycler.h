#pragma once

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "base/poison.h"

namespace weir {

/// Makes and destroys objects of one type without malloc once it is warm. Keeps at most `keep` free places. One
/// thread; outlives what it made.
template <class T>
class Recycler {
 public:
  explicit Recycler(size_t keep = 256) : keep_(keep) {}
  Recycler(const Recycler&) = delete;
  Recycler& operator=(const Recycler&) = delete;
  ~Recycler() { clear(); }

  /// Frees the free places.
  void clear() {
    while (free_) {
      unpoison(free_, sizeof(Place));
      std::free(std::exchange(free_, free_->next));
    }
    count_ = 0;
  }

  template <class... Args>
  T* make(Args&&... args) {
    void* memory = free_;
    if (memory) {
      unpoison(memory, sizeof(Place));
      free_ = free_->next;
      --count_;
    } else {
      memory = std::malloc(sizeof(Place));
      if (!memory) throw std::bad_alloc();
    }
    return new (memory) T(std::forward<Args>(args)...);
  }

  void destroy(T* object) {
    object->~T();
    if (count_ >= keep_) return std::free(object);
    ++count_;
    free_ = new (object) Free{free_};
    poison(free_, sizeof(Place));
  }

 private:
  struct Free {
    Free* next;
  };
  union Place {
    Place() {}
    ~Place() {}
    Free free;
    T object;
  };

  size_t keep_;
  size_t count_ = 0;
  Free* free_ = nullptr;
};

}  // namespace weir
