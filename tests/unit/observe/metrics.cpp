#include "observe/metrics.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "observe/families.h"
#include "unit/exchange_bench.h"
#include "unit/growth.h"

using namespace weir;
using namespace weir::observe;
using namespace std::chrono_literals;

namespace {

const Labels kLabels{{"http", "admin"}, {"api", "web"}, {"pool", "backup"}};

struct Bench {
  Metrics metrics{{"1.2.3", "abc"}};

  SnapshotCells cells(unsigned worker, const Labels& labels) {
    return metrics.worker(worker).resolve(metrics.prepare(labels, 2));
  }
  /// One finished exchange of 3 ms on the route with that index; -1 = on none.
  void finish(SnapshotCells& cells, int route, uint16_t status) {
    ExchangeBench bench;
    Route taken{.name = "", .index = static_cast<uint32_t>(route)};
    bench.exchange.client.listener = "http";
    if (route >= 0) bench.exchange.route = &taken;
    bench.exchange.record.status = status;
    bench.exchange.record.finished = bench.exchange.record.started + 3ms;
    bench.exchange.record.request_body_bytes = 7;
    bench.exchange.record.response_body_bytes = 10;
    if (status == 502) bench.exchange.failure = Error{ErrorCode::connect_refused, Side::upstream};
    if (status == 502) bench.exchange.record.raise(Flag::UF);
    auto& attempt = bench.exchange.attempts.add({.upstream = "pool", .endpoint = "127.0.0.1:1"});
    attempt.started = bench.exchange.record.started;
    attempt.answered = attempt.started + 2ms;
    attempt.status = status == 502 ? 0 : status;
    attempt.outcome = status == 502 ? Outcome::refused : Outcome::answered;
    cells.observe(bench.exchange);
  }
  bool shows(std::string_view line, std::string_view accept = "",
             const std::vector<EndpointSample>& endpoints = {}) const {
    const auto text = "\n" + metrics.expose(accept, endpoints).text;
    const bool found = text.find("\n" + std::string(line) + "\n") != std::string::npos;
    if (!found) MESSAGE(text);
    return found;
  }
};

}  // namespace

TEST_CASE("metrics: finished exchanges are counted by listener, route and status class over all workers") {
  Bench bench;
  auto first = bench.cells(0, kLabels);
  auto second = bench.cells(1, kLabels);
  bench.finish(first, 0, 200);
  bench.finish(first, 0, 204);
  bench.finish(second, 0, 200);
  bench.finish(second, 1, 404);
  bench.finish(second, -1, 404);
  CHECK(bench.shows(R"(weir_requests_total{listener="http",route="api",code="2xx"} 3)"));
  CHECK(bench.shows(R"(weir_requests_total{listener="http",route="web",code="4xx"} 1)"));
  CHECK(bench.shows(R"(weir_requests_total{listener="http",route="none",code="4xx"} 1)"));
  CHECK(bench.shows("weir_request_body_bytes_total 35"));
  CHECK(bench.shows("weir_response_body_bytes_total 50"));
}

TEST_CASE("metrics: latency goes into histograms by route and by upstream") {
  Bench bench;
  auto cells = bench.cells(0, kLabels);
  bench.finish(cells, 0, 200);
  CHECK(bench.shows(R"(weir_request_duration_seconds_bucket{listener="http",route="api",le="0.0025"} 0)"));
  CHECK(bench.shows(R"(weir_request_duration_seconds_bucket{listener="http",route="api",le="0.005"} 1)"));
  CHECK(bench.shows(R"(weir_request_duration_seconds_bucket{listener="http",route="api",le="+Inf"} 1)"));
  CHECK(bench.shows(R"(weir_upstream_request_duration_seconds_bucket{upstream="pool",le="0.0025"} 1)"));
}

TEST_CASE("metrics: how long a tunnel was open is no latency of its route") {
  Bench bench;
  auto cells = bench.cells(0, kLabels);
  bench.finish(cells, 0, 200);
  bench.finish(cells, 0, 101);
  CHECK(bench.shows(R"(weir_requests_total{listener="http",route="api",code="1xx"} 1)"));
  CHECK(bench.shows(R"(weir_request_duration_seconds_count{listener="http",route="api"} 1)"));
}

TEST_CASE("metrics: a failure is counted by its cause") {
  Bench bench;
  auto cells = bench.cells(0, kLabels);
  bench.finish(cells, 0, 502);
  CHECK(bench.shows(R"(weir_failures_total{reason="connect_refused"} 1)"));
  CHECK(bench.shows(R"(weir_response_flags_total{flag="UF"} 1)"));
  CHECK(bench.shows(R"(weir_upstream_failures_total{upstream="pool",reason="refused"} 1)"));
}

TEST_CASE("metrics: how attempts failed is told apart, and those after an exchange's first are retries") {
  Bench bench;
  auto cells = bench.cells(0, kLabels);
  const auto attempts = [&](Outcome outcome, int count, bool reused) {
    ExchangeBench made;
    for (int i = 0; i < count; ++i) {
      auto& attempt = made.exchange.attempts.add({.upstream = "pool", .endpoint = "127.0.0.1:1", .reused = reused});
      attempt.outcome = outcome;
    }
    cells.observe_attempts(made.exchange.attempts);
  };
  attempts(Outcome::refused, 2, false);
  attempts(Outcome::timed_out, 3, false);
  attempts(Outcome::broken, 4, true);
  attempts(Outcome::abandoned, 1, false);
  attempts(Outcome::unable, 5, false);
  const auto failures = [&](std::string_view reason, int count) {
    return bench.shows(fmt::format(R"(weir_upstream_failures_total{{upstream="pool",reason="{}"}} {})", reason, count));
  };
  CHECK(failures("refused", 2));
  CHECK(failures("timed_out", 3));
  CHECK(failures("broken", 4));
  CHECK(failures("abandoned", 1));
  CHECK(failures("unable", 5));
  CHECK(bench.shows(R"(weir_upstream_retries_total{upstream="pool"} 10)"));
  CHECK(bench.shows(R"(weir_upstream_connections_reused_total{upstream="pool"} 4)"));
}

TEST_CASE("metrics: no counter goes back over a reload that moves, drops and brings back a route") {
  Bench bench;
  auto before = bench.cells(0, kLabels);
  bench.finish(before, 1, 200);
  auto without = bench.cells(0, {{"http"}, {"api"}, {"pool"}});
  bench.finish(before, 1, 200);  // an exchange that outlived its snapshot
  auto after = bench.cells(0, {{"http"}, {"web", "api"}, {"pool"}});
  bench.finish(after, 0, 200);
  CHECK(bench.shows(R"(weir_requests_total{listener="http",route="web",code="2xx"} 3)"));
}

TEST_CASE("metrics: connections are counted by listener, refusals by reason") {
  Bench bench;
  auto& worker = bench.metrics.worker(0);
  auto cells = bench.cells(0, kLabels);
  cells.listener(0).accepted.add(3);
  cells.listener(0).open.add(3);
  cells.listener(0).open.subtract();
  worker.refused(Refusal::limit_per_address);
  worker.in_flight.add();
  CHECK(bench.shows(R"(weir_connections_accepted_total{listener="http"} 3)"));
  CHECK(bench.shows(R"(weir_connections_open{listener="http"} 2)"));
  CHECK(bench.shows(R"(weir_connections_refused_total{reason="limit_per_address"} 1)"));
  CHECK(bench.shows("weir_requests_in_flight 1"));
}

TEST_CASE("metrics: reloads, the build and the process are shown") {
  Bench bench;
  bench.metrics.reload_succeeded(std::chrono::system_clock::time_point(1000s));
  bench.metrics.reload_failed();
  CHECK(bench.shows(R"(weir_reloads_total{result="success"} 1)"));
  CHECK(bench.shows(R"(weir_reloads_total{result="failure"} 1)"));
  CHECK(bench.shows("weir_config_last_reload_success 0"));
  CHECK(bench.shows("weir_config_last_reload_success_timestamp_seconds 1000"));
  CHECK(bench.shows(R"(weir_build_info{version="1.2.3",commit="abc"} 1)"));
  CHECK(bench.metrics.expose("").text.find("process_resident_memory_bytes ") != std::string::npos);
}

TEST_CASE("metrics: endpoints are shown one by one") {
  const std::vector<EndpointSample> endpoints{{.upstream = "pool", .endpoint = "a:1", .up = true, .requests = 5},
                                              {.upstream = "pool", .endpoint = "b:1", .up = false}};
  Bench bench;
  CHECK(bench.shows(R"(weir_endpoint_up{upstream="pool",endpoint="a:1"} 1)", "", endpoints));
  CHECK(bench.shows(R"(weir_endpoint_up{upstream="pool",endpoint="b:1"} 0)", "", endpoints));
  CHECK(bench.shows(R"(weir_endpoint_requests_total{upstream="pool",endpoint="a:1"} 5)", "", endpoints));
  CHECK(bench.shows(R"(weir_upstream_endpoints_up{upstream="pool"} 1)", "", endpoints));
}

TEST_CASE("metrics: an endpoint's health is 1 for the state that it is in") {
  const std::vector<EndpointSample> endpoints{{.upstream = "pool", .endpoint = "a:1", .health = "ejected"}};
  Bench bench;
  CHECK(bench.shows(R"(weir_endpoint_health{upstream="pool",endpoint="a:1",state="ejected"} 1)", "", endpoints));
  CHECK(bench.shows(R"(weir_endpoint_health{upstream="pool",endpoint="a:1",state="up"} 0)", "", endpoints));
}

TEST_CASE("metrics: over 200 endpoints the endpoint label is dropped") {
  std::vector<std::string> names;
  for (int i = 0; i < 201; ++i) names.push_back(std::to_string(i));
  std::vector<EndpointSample> endpoints;
  for (const auto& name : names) endpoints.push_back({.upstream = "pool", .endpoint = name, .requests = 1});
  Bench bench;
  CHECK(bench.shows(R"(weir_endpoint_requests_total{upstream="pool"} 201)", "", endpoints));
  CHECK(bench.shows(R"(weir_endpoint_up{upstream="pool"} 1)", "", endpoints));
  CHECK(bench.shows(R"(weir_endpoint_health{upstream="pool",state="up"} 201)", "", endpoints));
  endpoints[0].up = false;
  CHECK(bench.shows(R"(weir_endpoint_up{upstream="pool"} 0)", "", endpoints));
  endpoints.resize(200);
  CHECK(bench.shows(R"(weir_endpoint_up{upstream="pool",endpoint="0"} 0)", "", endpoints));
  CHECK(bench.shows(R"(weir_endpoint_up{upstream="pool",endpoint="199"} 1)", "", endpoints));
}

TEST_CASE("metrics: OpenMetrics is spoken when asked for") {
  Bench bench;
  const auto exposition = bench.metrics.expose("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
  CHECK(exposition.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(exposition.text.find("# TYPE weir_reloads counter\n") != std::string::npos);
  CHECK(exposition.text.find("weir_reloads_total{result=\"success\"} 0\n") != std::string::npos);
  CHECK(exposition.text.ends_with("\n# EOF\n"));
  CHECK(bench.metrics.expose("text/plain").content_type == "text/plain; version=0.0.4; charset=utf-8");
}

TEST_CASE("metrics: what filters count, by family and labels; found again, never reset") {
  FilterMetrics filters;
  const FilterMetrics::Labels labels = {{"route", "api"}, {"limiter", "per_user"}};
  filters.counter("rate_limit_decisions", "Decisions", labels).add(2);
  filters.counter("rate_limit_decisions", "Decisions", labels).add(3);
  filters.gauge("store_up", "1 while it answers", {}).set(1);
  const auto text = Metrics({"1.2.3", ""}).expose("", {}, {}, &filters).text;
  CHECK(text.find(R"(weir_rate_limit_decisions_total{route="api",limiter="per_user"} 5)") != std::string::npos);
  CHECK(text.find("# TYPE weir_rate_limit_decisions_total counter") != std::string::npos);
  CHECK(text.find("weir_store_up 1") != std::string::npos);
}

TEST_CASE("metrics: what filters counted of a route that is gone is gone, and of one that stays isn't reset") {
  FilterMetrics filters;
  const auto text = [&] { return Metrics({"1", ""}).expose("", {}, {}, &filters).text; };
  const auto build = [&](const std::string& route) {
    auto hold = filters.hold({{"", {{"route", route}}}});
    filters.counter("tries", "Tries", {{"route", route}, {"limiter", "a"}}).add();
    filters.gauge("now", "Now", {{"route", route}}).add();
    constexpr std::array<int64_t, 1> kBounds = {1};
    filters.histogram("age_seconds", "Age", {{"route", route}}, kBounds).observe(1);
    return hold;
  };
  filters.counter("tries", "Tries", {{"admin", "old"}}).add();
  auto old = build("old");
  auto next = build("old");
  old = {};
  CHECK(text().find(R"(weir_tries_total{route="old",limiter="a"} 2)") != std::string::npos);
  auto other = build("new");
  next = {};
  const auto now = text();
  CHECK(now.find(R"(route="old")") == std::string::npos);
  CHECK(now.find(R"(weir_tries_total{route="new",limiter="a"} 1)") != std::string::npos);
  CHECK(now.find(R"(weir_age_seconds_count{route="new"} 1)") != std::string::npos);
  CHECK(now.find(R"(weir_tries_total{admin="old"} 1)") != std::string::npos);
  const auto again = build("old");
  CHECK(text().find(R"(weir_tries_total{route="old",limiter="a"} 1)") != std::string::npos);
}

TEST_CASE("metrics: a subject of two labels, or of one family, is no other's") {
  FilterMetrics filters;
  const auto text = [&] { return Metrics({"1", ""}).expose("", {}, {}, &filters).text; };
  auto pair = filters.hold({{"", {{"route", "a"}, {"limiter", "x"}}}});
  auto family = filters.hold({{"state", {{"route", "a"}}}});
  for (const auto* limiter : {"x", "y"}) filters.counter("tries", "", {{"route", "a"}, {"limiter", limiter}}).add();
  for (const auto* name : {"state", "other"}) filters.counter(name, "", {{"route", "a"}, {"to", "open"}}).add();
  pair = {};
  CHECK(text().find(R"(limiter="x")") == std::string::npos);
  CHECK(text().find(R"(limiter="y")") != std::string::npos);
  CHECK(text().find("weir_state_total{") != std::string::npos);
  family = {};
  CHECK(text().find("weir_state_total{") == std::string::npos);
  CHECK(text().find("weir_other_total{") != std::string::npos);
}

TEST_CASE("metrics: routes, upstreams and listeners of no snapshot aren't shown") {
  Bench bench;
  {
    auto cells = bench.cells(0, {{"old"}, {"before"}, {"gone"}});
    bench.finish(cells, 0, 200);
    CHECK(bench.shows(R"(weir_connections_accepted_total{listener="old"} 0)"));
  }
  const auto cells = bench.cells(0, {{"new"}, {"after"}, {"there"}});
  const auto text = bench.metrics.expose("").text;
  for (const auto* name : {"\"old\"", "\"before\"", "\"gone\""}) CHECK(text.find(name) == std::string::npos);
  CHECK(bench.shows(R"(weir_connections_accepted_total{listener="new"} 0)"));
}

TEST_CASE("metrics: histograms of filters, each family's samples together") {
  FilterMetrics filters;
  constexpr std::array<int64_t, 2> kBounds = {1, 60};
  for (const int64_t age : {0, 1, 2, 60, 61, -5}) {
    filters.histogram("age_seconds", "Age", {{"route", "api"}}, kBounds).observe(age);
  }
  filters.histogram("age_seconds", "Age", {{"route", "web"}}, kBounds).observe(7);
  const auto text = Metrics({"1.2.3", ""}).expose("", {}, {}, &filters).text;
  const std::string own =
      "# HELP weir_age_seconds Age\n"
      "# TYPE weir_age_seconds histogram\n"
      "weir_age_seconds_count{route=\"api\"} 6\n"
      "weir_age_seconds_sum{route=\"api\"} 124\n"
      "weir_age_seconds_bucket{route=\"api\",le=\"1\"} 3\n"
      "weir_age_seconds_bucket{route=\"api\",le=\"60\"} 5\n"
      "weir_age_seconds_bucket{route=\"api\",le=\"+Inf\"} 6\n"
      "weir_age_seconds_count{route=\"web\"} 1\n"
      "weir_age_seconds_sum{route=\"web\"} 7\n"
      "weir_age_seconds_bucket{route=\"web\",le=\"1\"} 0\n"
      "weir_age_seconds_bucket{route=\"web\",le=\"60\"} 1\n"
      "weir_age_seconds_bucket{route=\"web\",le=\"+Inf\"} 1\n";
  CHECK_MESSAGE(text.find(own) != std::string::npos, text);
}

TEST_CASE("metrics: TLS handshakes that failed, by listener and reason; when certificates expire") {
  Metrics metrics({"1.2.3", ""});
  auto cells = metrics.worker(0).resolve(metrics.prepare(kLabels, 1));
  cells.listener(0).handshake_failures[static_cast<size_t>(net::TlsFault::not_tls)].add();
  const std::chrono::sys_seconds until(1'800'000'000s);
  const auto text = metrics.expose("", {}, {{"http", "certs/site.pem", until}}).text;
  const auto shows = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(shows(R"(weir_tls_handshake_failures_total{listener="http",reason="not_tls"} 1)"));
  CHECK_FALSE(shows(R"(weir_tls_handshake_failures_total{listener="http",reason="timed_out")"));
  CHECK(shows(R"(weir_tls_certificate_expiry_seconds{listener="http",certificate="certs/site.pem"} 1800000000)"));
}

TEST_CASE("metrics: routes, upstreams and endpoints that nobody uses add few series, filters' counts none") {
  constexpr int kCount = 1000;
  Bench bench;
  Labels labels{{"http"}, {}, {}};
  std::vector<std::string> names;
  FilterMetrics filters;
  for (int i = 0; i < kCount; ++i) {
    const auto number = std::to_string(i);
    labels.routes.push_back("route" + number);
    labels.upstreams.push_back(names.emplace_back("pool" + number));
    filters.counter("retries_refused", "Refused", {{"route", "route" + number}});
  }
  std::vector<EndpointSample> endpoints;
  for (const auto& name : names) endpoints.push_back({.upstream = name, .endpoint = "a:1"});
  endpoints[3].requests = 7;
  endpoints[4].health = "ejected";
  endpoints[4].up = false;
  filters.counter("retries_refused", "Refused", {{"route", "route5"}}).add();
  auto cells = bench.cells(0, labels);
  bench.finish(cells, 3, 200);
  const auto text = bench.metrics.expose("", endpoints, {}, &filters).text;
  CHECK(std::ranges::count(text, '\n') < 4 * kCount + 200);
  const auto shows = [&](std::string_view line) { return text.find("\n" + std::string(line) + "\n") != text.npos; };
  CHECK(shows(R"(weir_requests_total{listener="http",route="route3",code="2xx"} 1)"));
  CHECK(text.find(R"(route="route4")") == text.npos);
  CHECK(shows(R"(weir_endpoint_requests_total{upstream="pool3"} 7)"));
  CHECK(text.find(R"(weir_endpoint_requests_total{upstream="pool4"})") == text.npos);
  CHECK(shows(R"(weir_endpoint_health{upstream="pool4",state="ejected"} 1)"));
  CHECK(shows(R"(weir_endpoint_health{upstream="pool4",state="up"} 0)"));
  CHECK(shows(R"(weir_upstream_endpoints_up{upstream="pool4"} 0)"));
  CHECK(shows(R"(weir_retries_refused_total{route="route5"} 1)"));
  CHECK(text.find(R"(weir_retries_refused_total{route="route6"})") == text.npos);
}

TEST_CASE("metrics: a small configuration shows its filters' counts at 0") {
  FilterMetrics filters;
  filters.counter("store_errors", "Errors", {{"reason", "timeout"}});
  CHECK(Metrics({"1", ""}).expose("", {}, {}, &filters).text.find("weir_store_errors_total{reason=\"timeout\"} 0\n") !=
        std::string::npos);
}

TEST_CASE("metrics: texts in labels and numbers are written as the format wants them") {
  Families families(Families::Format::prometheus);
  families.gauge("a", "One \\ two\nthree", {{"text", "say \"hi\"\n\\"}}, 0.25);
  families.counter("b", "B", {}, 12345678901234567.0);
  families.counter("b", "B", {{"x", "y"}}, 5);
  CHECK(families.take() ==
        "# HELP weir_a One \\\\ two\\nthree\n"
        "# TYPE weir_a gauge\n"
        "weir_a{text=\"say \\\"hi\\\"\\n\\\\\"} 0.25\n"
        "# HELP weir_b_total B\n"
        "# TYPE weir_b_total counter\n"
        "weir_b_total 1.2345678901234568e+16\n"
        "weir_b_total{x=\"y\"} 5\n");
}

TEST_CASE("metrics: names cost as much as there are, and so does a scrape of them") {
  const double factor = growth(2000, [](size_t count) {
    Metrics metrics({"1", ""});
    Labels labels{{"http"}, {}, {}};
    std::vector<EndpointSample> endpoints;
    for (size_t i = 0; i < count; ++i) {
      labels.routes.push_back("route" + std::to_string(i));
      labels.upstreams.push_back("pool" + std::to_string(i));
    }
    for (const auto& name : labels.upstreams) endpoints.push_back({.upstream = name, .endpoint = "a:1"});
    (void)metrics.prepare(labels, 2);
    CHECK(metrics.expose("", endpoints).text.size() > count);
  });
  CHECK(factor < kNearLinear);
}
