#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <list>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "plugins/cache/storage/eviction.h"

using namespace weir;
using namespace weir::plugins;

namespace {

constexpr uint32_t KiB = 1024;

/// A cache without contents: which things are in, by number.
class Shelf {
 public:
  explicit Shelf(size_t most_bytes) : eviction_(most_bytes) {}
  ~Shelf() {
    for (auto& [number, item] : items_) eviction_.remove(item);
  }

  /// Whether it was in; now it is.
  bool ask(uint64_t number, uint32_t bytes = KiB) {
    if (const auto found = items_.find(number); found != items_.end()) {
      Eviction::use(found->second);
      return true;
    }
    while (auto* gone = eviction_.evict(bytes)) items_.erase(numbers_.extract(gone).mapped());
    auto& item = items_[number];
    item.hash = mix(number);
    item.bytes = bytes;
    numbers_[&item] = number;
    eviction_.add(item);
    most_seen_ = std::max(most_seen_, eviction_.bytes());
    return false;
  }
  void remove(uint64_t number) {
    auto& item = items_.at(number);
    eviction_.remove(item);
    eviction_.remove(item);
    numbers_.erase(&item);
    items_.erase(number);
  }
  bool has(uint64_t number) const { return items_.contains(number); }
  size_t count(uint64_t from, uint64_t to) const {
    return static_cast<size_t>(
        std::ranges::count_if(items_, [&](const auto& entry) { return entry.first >= from && entry.first < to; }));
  }
  size_t counted_bytes() const {
    size_t sum = 0;
    for (const auto& [number, item] : items_) sum += item.bytes;
    return sum;
  }
  size_t bytes() const { return eviction_.bytes(); }
  size_t most_seen() const { return most_seen_; }
  Eviction& eviction() { return eviction_; }

 private:
  size_t most_seen_ = 0;
  Eviction eviction_;
  std::unordered_map<uint64_t, Eviction::Item> items_;
  std::unordered_map<Eviction::Item*, uint64_t> numbers_;
};

/// The one to beat.
class Lru {
 public:
  explicit Lru(size_t most_bytes) : most_bytes_(most_bytes) {}
  bool ask(uint64_t number, uint32_t bytes) {
    if (const auto found = places_.find(number); found != places_.end()) {
      order_.splice(order_.end(), order_, found->second);
      return true;
    }
    for (bytes_ += bytes; bytes_ > most_bytes_; order_.pop_front()) {
      bytes_ -= order_.front().bytes;
      places_.erase(order_.front().number);
    }
    places_[number] = order_.insert(order_.end(), {number, bytes});
    return false;
  }

 private:
  struct Thing {
    uint64_t number;
    uint32_t bytes;
  };
  size_t most_bytes_;
  size_t bytes_ = 0;
  std::list<Thing> order_;
  std::unordered_map<uint64_t, std::list<Thing>::iterator> places_;
};

/// Numbers from 0, of which n is drawn in proportion to 1 / (n + 1)^exponent.
class Zipf {
 public:
  Zipf(size_t count, double exponent) {
    double sum = 0;
    for (size_t n = 1; n <= count; ++n) sums_.push_back(sum += std::pow(static_cast<double>(n), -exponent));
  }
  uint64_t draw(std::mt19937_64& random) {
    const double at = std::uniform_real_distribution(0.0, sums_.back())(random);
    return static_cast<uint64_t>(std::ranges::upper_bound(sums_, at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

}  // namespace

TEST_CASE("cache eviction: things of 1 KiB to 8 MiB never take more than the bound") {
  Shelf shelf(64 * KiB * KiB);
  std::mt19937_64 random(1);
  for (int i = 0; i < 5000; ++i) {
    const auto number = random() % 2000;
    shelf.ask(number, static_cast<uint32_t>(KiB << (number % 14)));
  }
  CHECK(shelf.most_seen() <= 64 * KiB * KiB);
  CHECK(shelf.most_seen() > 48 * KiB * KiB);
  CHECK(shelf.bytes() == shelf.counted_bytes());
}

TEST_CASE("cache eviction: one larger than all there is goes at once, and there is an end to making room") {
  Shelf shelf(10 * KiB);
  shelf.ask(1);
  shelf.ask(2, 100 * KiB);
  shelf.ask(3);
  CHECK_FALSE(shelf.has(2));
  CHECK(shelf.bytes() == KiB);
  shelf.remove(3);
  CHECK(shelf.eviction().evict(SIZE_MAX) == nullptr);
}

TEST_CASE("cache eviction: nothing goes before there is too much") {
  Shelf shelf(100 * KiB);
  for (uint64_t i = 0; i < 100; ++i) shelf.ask(i);
  CHECK(shelf.count(0, 100) == 100);
  shelf.ask(100);
  CHECK_FALSE(shelf.has(0));
  CHECK(shelf.count(0, 101) == 100);
}

TEST_CASE("cache eviction: a scan passes by what is in use") {
  Shelf shelf(1000 * KiB);
  for (int round = 0; round < 3; ++round) {
    for (uint64_t i = 0; i < 500; ++i) shelf.ask(i);
  }
  for (uint64_t i = 1000; i < 100'000; ++i) {
    shelf.ask(i);
    shelf.ask(i % 500);
  }
  CHECK(shelf.count(0, 500) == 500);
}

TEST_CASE("cache eviction: one that was let go and comes back is kept over those that come once") {
  Shelf shelf(100 * KiB);
  for (uint64_t i = 0; i < 150; ++i) shelf.ask(i);
  CHECK_FALSE(shelf.has(49));
  shelf.ask(49);
  for (uint64_t i = 1000; i < 1500; ++i) shelf.ask(i);
  CHECK(shelf.has(49));
}

TEST_CASE("cache eviction: one that stayed away for long is a stranger") {
  Shelf shelf(100 * KiB);
  for (uint64_t i = 0; i < 1000; ++i) shelf.ask(i);
  shelf.ask(1);
  for (uint64_t i = 1000; i < 1500; ++i) shelf.ask(i);
  CHECK_FALSE(shelf.has(1));
}

TEST_CASE("cache eviction: what isn't used any more leaves the main queue, too") {
  Shelf shelf(100 * KiB);
  for (int round = 0; round < 5; ++round) {
    for (uint64_t i = 0; i < 100; ++i) shelf.ask(i);
  }
  for (uint64_t i = 200; i < 1000; ++i) {
    shelf.ask(i);
    shelf.ask(i);
  }
  CHECK(shelf.count(0, 100) == 0);
}

TEST_CASE("cache eviction: things can be taken out from anywhere, and twice") {
  Shelf shelf(100 * KiB);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < 90; ++i) shelf.ask(i);
  }
  for (uint64_t i = 200; i < 250; ++i) shelf.ask(i);
  std::mt19937_64 random(1);
  for (uint64_t i = 0; i < 250; ++i) {
    if (shelf.has(i) && random() % 2) shelf.remove(i);
    REQUIRE(shelf.bytes() == shelf.counted_bytes());
  }
  for (uint64_t i = 0; i < 250; ++i) {
    if (shelf.has(i)) shelf.remove(i);
  }
  CHECK(shelf.bytes() == 0);
  CHECK(shelf.eviction().evict() == nullptr);
}

TEST_CASE("cache eviction: where everything was used all the time, something goes nevertheless, and soon") {
  Shelf shelf(5000 * KiB);
  for (int round = 0; round < 5; ++round) {
    for (uint64_t i = 0; i < 5000; ++i) shelf.ask(i);
  }
  shelf.ask(10'000);
  CHECK(shelf.has(10'000));
  CHECK(shelf.count(0, 5000) == 4999);
}

TEST_CASE("cache eviction: hits more often than LRU, by Zipf's law and with a scan in between") {
  constexpr size_t kThings = 200'000;
  constexpr size_t kAsked = 600'000;
  Zipf zipf(kThings, 0.9);
  std::mt19937_64 random(7);
  const auto bytes_of = [](uint64_t number) { return static_cast<uint32_t>(KiB + mix(number) % (63 * KiB)); };
  for (const size_t most : {64 * KiB * KiB, 512 * KiB * KiB}) {
    Shelf shelf(most);
    Lru lru(most);
    size_t hits = 0;
    size_t lru_hits = 0;
    for (size_t i = 0; i < kAsked; ++i) {
      const auto number = zipf.draw(random);
      hits += shelf.ask(number, bytes_of(number));
      lru_hits += lru.ask(number, bytes_of(number));
      if (i < kAsked / 3 || i >= kAsked / 2) continue;
      const uint64_t scanned = kThings + i;
      shelf.ask(scanned, bytes_of(scanned));
      lru.ask(scanned, bytes_of(scanned));
    }
    CAPTURE(most);
    CAPTURE(hits);
    CAPTURE(lru_hits);
    CHECK(hits > lru_hits + kAsked / 50);
  }
}
