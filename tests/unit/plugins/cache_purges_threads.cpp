#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "plugins/cache/storage/purges.h"

using namespace weir::plugins;

TEST_CASE("cache purges: who looks while others order sees each order from its number on, and never half of one") {
  Purges purges({});
  const uint64_t tag = Purges::hash_of_tag("news");
  std::atomic<bool> is_over = false;
  std::atomic<int> mistakes = 0;
  std::vector<std::thread> lookers;
  for (int i = 0; i < 2; ++i) {
    lookers.emplace_back([&] {
      for (uint64_t seen = 0; !is_over || seen < purges.newest();) {
        const auto newest = purges.newest();
        // Every second order concerns it, so of two at least one does.
        if (newest >= seen + 2 && purges.judge(seen, "", std::span(&tag, 1)) != Purges::Verdict::gone) ++mistakes;
        seen = newest;
      }
    });
  }
  for (int i = 0; i < 10'000; ++i) {
    purges.add({Purge::Kind::tag, Purge::Force::hard, "news"}, std::to_string(i));
    purges.add({Purge::Kind::url, Purge::Force::hard, std::to_string(i)});
  }
  is_over = true;
  for (auto& looker : lookers) looker.join();
  CHECK(mistakes == 0);
}
