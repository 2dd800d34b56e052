#include "base/id_index.h"

#include <doctest/doctest.h>

#include <chrono>
#include <deque>

namespace weir {

TEST_CASE("id index: finds what was added and not removed") {
  IdIndex<int> index;
  std::deque<int> items(1000);
  for (uint32_t i = 0; i < 1000; ++i) index.add(2 * i + 1, items[i]);
  for (uint32_t i = 0; i < 1000; i += 3) index.remove(2 * i + 1);
  for (uint32_t i = 0; i < 1000; ++i) {
    CHECK(index.find(2 * i + 1) == (i % 3 == 0 ? nullptr : &items[i]));
    CHECK(index.find(2 * i) == nullptr);
  }
  CHECK(index.size() == 666);
  index.remove(1);  // again
  index.remove(4);  // never there
  CHECK(index.size() == 666);
}

TEST_CASE("id index: one that stays doesn't keep the gaps of all that come and go") {
  IdIndex<int> index;
  int stays = 0, goes = 0;
  index.add(1, stays);
  for (uint32_t id = 3; id < 200'003; id += 2) {
    index.add(id, goes);
    if (index.find(1) != &stays) FAIL(id);
    index.remove(id);
  }
  CHECK(index.size() == 1);
}

TEST_CASE("id index: a look-up among a thousand costs what one among few costs") {
  const auto cost = [](uint32_t count) {
    IdIndex<int> index;
    int item = 0;
    for (uint32_t id = 0; id < count; ++id) index.add(id, item);
    const auto began = std::chrono::steady_clock::now();
    size_t found = 0;
    for (uint32_t i = 0; i < 200'000; ++i) found += index.find(0) != nullptr;  // the oldest
    CHECK(found == 200'000);
    return std::chrono::steady_clock::now() - began;
  };
  const auto few = std::min({cost(8), cost(8), cost(8)});
  const auto many = std::min({cost(1000), cost(1000), cost(1000)});
  CHECK(many < 12 * few);
}

}  // namespace weir
