#include "plugins/circuit_breaker/peers.h"

#include "store/memory_store.h"
#include "unit/loop_bench.h"
#include "unit/plugins/breaker_bench.h"

using namespace weir;
using namespace weir::plugins;
using namespace std::chrono_literals;

namespace {

/// Instances that have a store in common, each with a circuit of the same name.
struct Fleet : LoopBench {
  Fleet() {
    log::set_level(log::Level::error);
    announcer.use(store);
  }

  FilterMetrics metrics;
  store::MemoryStore store{clock};
  store::Announcer announcer{loop, store.channels()};
  std::shared_ptr<BreakerList> list = std::make_shared<BreakerList>(BreakerList::Settings{});
  BreakerSettings settings{.min_requests = 4, .open = 10s, .half_open_requests = 1, .half_open_successes = 2};
  int said = 0;
  store::Channels::Subscription ear = store.channels().subscribe("circuit/api", [this](std::string_view) { ++said; });

  std::shared_ptr<const Circuit> instance(std::string name = "api") {
    Circuit::Shared shared{.breaker = std::make_shared<Breaker>(Breaker::Settings{name}), .list = list};
    shared.peers = std::make_shared<Peers>(Peers::Settings{&announcer, shared.breaker});
    auto circuit = Circuit::make(settings, std::move(name), {{"upstream", "api"}}, metrics, std::move(shared));
    settle();
    return circuit;
  }
  void attempt(const Circuit& circuit, Verdict verdict) {
    const auto ticket = circuit.breaker().admit(circuit, loop.now());
    REQUIRE(ticket);
    circuit.breaker().settle(circuit, *ticket, verdict, loop.now());
    settle();
  }
  void trip(const Circuit& circuit) {
    for (int i = 0; i < 4; ++i) attempt(circuit, Verdict::failure);
    REQUIRE(state(circuit) == Breaker::State::open);
  }
  Breaker::State state(const Circuit& circuit) { return circuit.breaker().state(); }
};

}  // namespace

TEST_CASE("shared circuit: when one opens, the others let probes only through, and those close them") {
  Fleet fleet;
  const auto first = fleet.instance();
  const auto second = fleet.instance();
  fleet.trip(*first);
  CHECK(fleet.state(*second) == Breaker::State::half_open);
  CHECK(second->breaker().status(fleet.loop.now()).cause.starts_with("another instance opened its own for "));
  {
    const auto probe = second->breaker().admit(*second, fleet.loop.now());
    REQUIRE(probe);
    CHECK_FALSE(second->breaker().admit(*second, fleet.loop.now()));
    second->breaker().settle(*second, *probe, Verdict::success, fleet.loop.now());
  }
  fleet.attempt(*second, Verdict::success);
  CHECK(fleet.state(*second) == Breaker::State::closed);
  CHECK(fleet.state(*first) == Breaker::State::open);
}

TEST_CASE("shared circuit: a probe that fails opens it, for no longer than the first time, and that is no news") {
  Fleet fleet;
  const auto first = fleet.instance();
  const auto second = fleet.instance();
  const auto third = fleet.instance();
  fleet.trip(*first);
  fleet.attempt(*second, Verdict::failure);
  const auto status = second->breaker().status(fleet.loop.now());
  CHECK(status.state == Breaker::State::open);
  CHECK(status.cause == "a probe failed");
  CHECK(status.refuses_for <= 11s);
  CHECK(fleet.state(*third) == Breaker::State::half_open);
  CHECK(fleet.said == 1);
}

TEST_CASE("shared circuit: one that opens doesn't heed its own word, nor, while it is open, that of others") {
  Fleet fleet;
  const auto first = fleet.instance();
  const auto second = fleet.instance();
  fleet.trip(*first);
  fleet.attempt(*second, Verdict::success);
  fleet.attempt(*second, Verdict::success);
  fleet.trip(*second);
  CHECK(fleet.state(*first) == Breaker::State::open);
  CHECK(fleet.state(*second) == Breaker::State::open);
  CHECK(fleet.said == 2);
}

TEST_CASE("shared circuit: an instance that starts while another's is open begins with probes") {
  Fleet fleet;
  const auto first = fleet.instance();
  fleet.trip(*first);
  CHECK(fleet.state(*fleet.instance()) == Breaker::State::half_open);
  fleet.advance(12s);
  CHECK(fleet.state(*fleet.instance()) == Breaker::State::closed);
  fleet.attempt(*first, Verdict::failure);
  CHECK(fleet.state(*fleet.instance()) == Breaker::State::half_open);
}

TEST_CASE("shared circuit: those of other names, forced ones and those that aren't shared hear nothing") {
  Fleet fleet;
  const auto first = fleet.instance();
  const auto other = fleet.instance("search");
  const auto forced = fleet.instance();
  const auto alone =
      Circuit::make(fleet.settings, "api", {{"upstream", "api"}}, fleet.metrics,
                    {.breaker = std::make_shared<Breaker>(Breaker::Settings{"api"}), .list = fleet.list});
  forced->breaker().force(Breaker::State::forced_closed, fleet.loop.now());
  fleet.trip(*first);
  CHECK(fleet.state(*other) == Breaker::State::closed);
  CHECK(fleet.state(*forced) == Breaker::State::forced_closed);
  CHECK(fleet.state(*alone) == Breaker::State::closed);
}

TEST_CASE("shared circuit: words that make no sense are not heeded") {
  Fleet fleet;
  const auto breaker = fleet.instance();
  for (const auto* text : {"", " ", "open", "someone", "someone soon", "someone 10 20", "someone -1"})
    fleet.store.channels().deliver("circuit/api", text);
  CHECK(fleet.state(*breaker) == Breaker::State::closed);
  fleet.store.channels().deliver("circuit/api", "someone 10");
  CHECK(fleet.state(*breaker) == Breaker::State::half_open);
}
