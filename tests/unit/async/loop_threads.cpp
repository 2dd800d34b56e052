#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <vector>

#include "async/loop.h"

namespace weir {

TEST_CASE("loop: letters of one thread arrive in its order, on the loop's thread, none lost") {
  constexpr int kSenders = 3;
  constexpr int kLetters = 2000;
  const SteadyClock clock;
  Loop loop(clock);
  std::vector<std::vector<int>> received(kSenders);
  int count = 0;
  const auto home = std::this_thread::get_id();
  bool is_at_home = true;

  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kLetters; ++i) {
        loop.post([&, sender, i] {
          received[sender].push_back(i);
          is_at_home = is_at_home && std::this_thread::get_id() == home;
          if (++count == kSenders * kLetters) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& sender : senders) sender.join();

  CHECK(is_at_home);
  for (const auto& letters : received) {
    REQUIRE(letters.size() == kLetters);
    CHECK(std::ranges::is_sorted(letters));
  }
}

TEST_CASE("loop: a letter wakes a loop that waits") {
  const SteadyClock clock;
  Loop loop(clock);
  std::thread other([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  other.join();
}

TEST_CASE("loop: two loops can play ball") {
  const SteadyClock clock;
  Loop here(clock);
  Loop there(clock);
  int bounces = 0;
  std::function<void()> serve = [&] {
    if (++bounces == 1000) {
      there.stop();
      here.post([&] { here.stop(); });
      return;
    }
    here.post([&] { there.post([&] { serve(); }); });
  };
  there.post([&] { serve(); });
  std::thread other([&] { there.run(); });
  here.run();
  other.join();
  CHECK(bounces == 1000);
}

}  // namespace weir
