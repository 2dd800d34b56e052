#include <set>

#include "plugins/request_id/id_source.h"
#include "unit/plugins/bench.h"

using namespace weir;
using namespace weir::plugins;

TEST_CASE("request_id: a request gets an id, which its upstream, its client and its log see") {
  FilterBench bench("filters: [request_id]");
  bench.run();
  const std::string id(bench.exchange.id);
  CHECK(id.size() == 36);
  CHECK(bench.request_field("x-request-id") == id);
  CHECK(bench.response_field("x-request-id") == id);
}

TEST_CASE("request_id: an id from a stranger is replaced, one from a trusted peer is kept") {
  FilterBench bench("filters: [request_id]");
  bench.exchange.request.headers.add("x-request-id", "from-outside");
  SUBCASE("stranger") {
    bench.run();
    CHECK(bench.exchange.id != "from-outside");
    CHECK(bench.exchange.request.headers.count(http::Field::x_request_id) == 1);
  }
  SUBCASE("trusted") {
    bench.exchange.client.is_trusted = true;
    bench.run();
    CHECK(bench.exchange.id == "from-outside");
  }
}

TEST_CASE("request_id: an id that isn't sound is replaced, whoever sent it") {
  const std::string too_long(129, 'a');
  for (const std::string_view sent : {std::string_view(""), std::string_view("a b"), std::string_view(too_long)}) {
    FilterBench bench("filters: [request_id]");
    bench.exchange.client.is_trusted = true;
    bench.exchange.request.headers.add("x-request-id", sent);
    bench.run();
    CHECK(bench.exchange.id != sent);
  }
}

TEST_CASE("request_id: the field's name can be chosen") {
  FilterBench bench("filters: [request_id: { header: X-Correlation-Id }]");
  bench.run();
  CHECK(bench.response_field("x-correlation-id") == bench.exchange.id);
  CHECK(bench.response_field("x-request-id") == "(none)");
  CHECK(FilterBench("filters: [request_id: 'bad name']").problems.size() == 1);
}

TEST_CASE("id source: ids are UUIDs of version 7, carry the time and differ") {
  using namespace std::chrono_literals;
  IdSource source;
  const std::chrono::system_clock::time_point now(0x0123456789abms);
  std::set<IdSource::Text> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(source.next(now));
  CHECK(seen.size() == 10'000);
  const auto id = *seen.begin();
  const std::string_view text(id.data(), id.size());
  CHECK(text.substr(0, 15) == "01234567-89ab-7");
  CHECK(std::string_view("89ab").find(text[19]) != std::string_view::npos);
  CHECK((text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'));
}
