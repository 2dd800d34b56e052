#include "exchange/state_slots.h"

#include <doctest/doctest.h>

using namespace weir;

namespace {

struct Tally {
  struct Settings {
    int window = 1;
  };
  static bool compatible(const Settings& old, const Settings& now) { return old.window == now.window; }
  explicit Tally(const Settings&) {}
  int count = 0;
};

}  // namespace

TEST_CASE("state slots: state is found again by its name while somebody holds it") {
  StateSlots slots;
  auto old_snapshot = slots.find<Tally>("api", {});
  old_snapshot->count = 7;
  const auto new_snapshot = slots.find<Tally>("api", {});
  old_snapshot.reset();
  CHECK(new_snapshot->count == 7);
  CHECK(slots.find<Tally>("other", {})->count == 0);
}

TEST_CASE("state slots: what nobody holds is gone") {
  StateSlots slots;
  slots.find<Tally>("api", {})->count = 7;
  CHECK(slots.find<Tally>("api", {})->count == 0);
}

TEST_CASE("state slots: incompatible settings start anew") {
  StateSlots slots;
  const auto old_snapshot = slots.find<Tally>("api", {1});
  old_snapshot->count = 7;
  CHECK(slots.find<Tally>("api", {2})->count == 0);
}

TEST_CASE("state slots: a configuration that was never published takes nothing away") {
  StateSlots slots;
  const auto running = slots.find<Tally>("api", {1});
  running->count = 7;
  slots.find<Tally>("api", {2});  // built, then refused
  CHECK(slots.find<Tally>("api", {1})->count == 7);
}

TEST_CASE("state slots: each worker has its own") {
  StateSlots slots;
  const auto tallies = slots.find<PerWorker<Tally>>("api", {});
  tallies->of(0).count = 1;
  tallies->of(1).count = 2;
  CHECK(slots.find<PerWorker<Tally>>("api", {})->of(0).count == 1);
}

TEST_CASE("state slots: the names of what nobody holds are forgotten, too") {
  StateSlots slots;
  const auto held = slots.find<Tally>("held", {});
  for (int i = 0; i < 10'000; ++i) slots.find<Tally>(std::to_string(i), {});
  CHECK(slots.size() < 100);
  CHECK(slots.find<Tally>("held", {}) == held);
}
