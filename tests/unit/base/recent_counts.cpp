#include "base/recent_counts.h"

#include <doctest/doctest.h>

namespace weir {
namespace {

using std::chrono::seconds;

Time at(Duration since_a_window_began) { return Time(seconds(1000) + since_a_window_began); }

void add(RecentCounts& counts, std::string_view key, int times, Time now) {
  for (int i = 0; i < times; ++i) counts.add(key, now);
}

}  // namespace

TEST_CASE("recent counts: a key counts what it did within the window, and no other key's") {
  RecentCounts counts(seconds(10));
  add(counts, "busy", 100, at(seconds(1)));
  CHECK(counts.count("busy", at(seconds(9))) == 100);
  CHECK(counts.count("idle", at(seconds(9))) == 0);
}

TEST_CASE("recent counts: of the window before, the part counts that is no longer ago than a window") {
  RecentCounts counts(seconds(10));
  add(counts, "busy", 100, at(seconds(5)));
  CHECK(counts.count("busy", at(seconds(10))) == 100);
  CHECK(counts.count("busy", at(seconds(14))) == 60);
  CHECK(counts.count("busy", at(seconds(20))) == 0);
}

TEST_CASE("recent counts: a steady key counts one window's events at any time, not two") {
  RecentCounts counts(seconds(10));
  for (int second = 0; second < 35; ++second) {
    add(counts, "steady", 10, at(seconds(second)));
    if (second >= 20) CHECK(counts.count("steady", at(seconds(second))) <= 110);
    if (second >= 20) CHECK(counts.count("steady", at(seconds(second))) >= 90);
  }
}

}  // namespace weir
