#include "base/recycler.h"

#include <doctest/doctest.h>

#include <string>

namespace weir {
namespace {

struct Counted {
  Counted(int& alive, std::string text) : alive(alive), text(std::move(text)) { ++alive; }
  ~Counted() { --alive; }
  int& alive;
  std::string text;
};

}  // namespace

TEST_CASE("recycler: the place of what was destroyed serves the next") {
  Recycler<Counted> recycler;
  int alive = 0;
  auto* first = recycler.make(alive, "one");
  void* place = first;
  recycler.destroy(first);
  CHECK(alive == 0);
  auto* second = recycler.make(alive, "two");
  CHECK(second == place);
  CHECK(second->text == "two");
  CHECK(alive == 1);
  recycler.destroy(second);
}

TEST_CASE("recycler: the latest place is taken first") {
  Recycler<int> recycler;
  int* first = recycler.make(1);
  int* second = recycler.make(2);
  recycler.destroy(first);
  recycler.destroy(second);
  CHECK(recycler.make(3) == second);
  CHECK(recycler.make(4) == first);
  recycler.destroy(first);
  recycler.destroy(second);
}

TEST_CASE("recycler: keeps no more free places than it was told") {
  Recycler<int> recycler(1);
  int* first = recycler.make(1);
  int* second = recycler.make(2);
  recycler.destroy(first);
  recycler.destroy(second);
  int* third = recycler.make(3);
  CHECK(third == first);
  recycler.destroy(third);
}

#ifdef WEIR_HAS_ASAN
TEST_CASE("recycler: what was destroyed can't be touched unseen") {
  Recycler<int> recycler;
  int* object = recycler.make(1);
  recycler.destroy(object);
  CHECK(__asan_address_is_poisoned(object));
}
#endif

}  // namespace weir
