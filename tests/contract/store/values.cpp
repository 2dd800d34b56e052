#include "contract/store/bench.h"

using namespace weir;
using namespace weir::store;
using namespace std::chrono_literals;

TEST_CASE_TEMPLATE("store: a value is there until its time is over", Bench, STORES) {
  Bench bench;
  CHECK(bench.get("k") == "(none)");
  bench.wait(bench.store.put(bench.caller(), "k", std::string_view("a\0b", 3), 10s));
  CHECK(bench.get("k") == std::string("a\0b", 3));
  bench.pass(9999ms);
  CHECK(bench.get("k") != "(none)");
  bench.pass(1ms);
  CHECK(bench.get("k") == "(none)");
}

TEST_CASE_TEMPLATE("store: a value put again replaces the old one and its time", Bench, STORES) {
  Bench bench;
  bench.wait(bench.store.put(bench.caller(), "k", "old", 1s));
  bench.wait(bench.store.put(bench.caller(), "k", "new", 10s));
  bench.pass(5s);
  CHECK(bench.get("k") == "new");
}

TEST_CASE_TEMPLATE("store: of a value that is longer than the caller takes nothing comes", Bench, STORES) {
  Bench bench;
  bench.wait(bench.store.put(bench.caller(), "k", std::string(500, 'x'), 10s));
  CHECK(bench.get("k", 500).size() == 500);
  CHECK(bench.get("k", 499) == "(none)");
  bench.wait(bench.store.put(bench.caller(), "long", std::string(1 << 20, 'x'), 10s));
  const auto before = bench.arena.footprint();
  CHECK(bench.get("long", 100) == "(none)");
  CHECK(bench.arena.footprint() - before < 100'000);
  CHECK(bench.get("long", 1 << 20).size() == 1 << 20);
}

TEST_CASE_TEMPLATE("store: many entries are added to a log at once, in their order", Bench, STORES) {
  Bench bench;
  bench.wait(bench.store.append(bench.caller(), "log", "a", 3));
  const std::string_view more[] = {"b", "c", "d"};
  const auto last = bench.wait(bench.store.append_all(bench.caller(), "log", more, 3));
  CHECK(bench.read("log") == "b c d ");
  CHECK(bench.read("log", last) == "");
  bench.wait(bench.store.append(bench.caller(), "log", "e", 3));
  CHECK(bench.read("log", last) == "e ");
}

TEST_CASE_TEMPLATE("store: removing tells whether there was something", Bench, STORES) {
  Bench bench;
  bench.wait(bench.store.put(bench.caller(), "k", "v", 1s));
  CHECK(bench.wait(bench.store.remove(bench.caller(), "k")));
  CHECK_FALSE(bench.wait(bench.store.remove(bench.caller(), "k")));
  CHECK(bench.get("k") == "(none)");
}

TEST_CASE_TEMPLATE("store: a log is read in order, from where one left off", Bench, STORES) {
  Bench bench;
  bench.wait(bench.store.append(bench.caller(), "log", "a", 100));
  const auto second = bench.wait(bench.store.append(bench.caller(), "log", "b", 100));
  bench.wait(bench.store.append(bench.caller(), "log", "c", 100));
  CHECK(bench.read("log") == "a b c ");
  CHECK(bench.read("log", second) == "c ");
  CHECK(bench.read("log", "", 2) == "a b ");
  CHECK(bench.read("none") == "");
}

TEST_CASE_TEMPLATE("store: a log keeps its last entries only", Bench, STORES) {
  Bench bench;
  const auto first = bench.wait(bench.store.append(bench.caller(), "log", "a", 2));
  for (const auto* value : {"b", "c", "d"}) bench.wait(bench.store.append(bench.caller(), "log", value, 2));
  CHECK(bench.read("log") == "c d ");
  CHECK(bench.read("log", first) == "c d ");
}

TEST_CASE_TEMPLATE("store: news are told without an error, whoever listens", Bench, STORES) {
  Bench bench;
  CHECK(bench.finish(bench.store.publish(bench.caller(), "channel", "text")).has_value());
  CHECK(bench.get("channel") == "(none)");
}
