#include "admin/status_text.h"

#include <doctest/doctest.h>

#include "admin/status_json.h"
#include "admin/upstreams_json.h"

using namespace weir::admin;

namespace {

Status busy() {
  Status status{.version = "1.2.3", .commit = "abc", .pid = 7, .file = "/etc/weir.yaml"};
  status.uptime_seconds = 90061;
  status.readiness = "degraded";
  status.why = "store is down";
  status.last_reload = Status::Reload{false, "2026-01-01T00:00:00.000Z", "weir.yaml:1:2: no\n  1 | x\n"};
  status.workers = 2;
  status.requests_in_flight = 3;
  status.loops = {1, -1, 4};
  status.store = {"redis", {"10.0.0.1:6379"}, "down", "up", "allow", 2};
  status.listeners = {{"front", "0.0.0.0:80", "http", 5, 9}};
  status.certificates = {{"front", "a.pem", "2026-01-03T00:00:00.000Z", 2},
                         {"front", "b.pem", "2025-01-03T00:00:00.000Z", -3}};
  status.limiters = {{"rate_limit", "login", "shop", {{"allowed", 7}, {"refused", 0}}}};
  status.queues = {{"api", 2, 2, 1000}};
  status.failures = {{.error = "circuit_open",
                      .upstream = "api",
                      .by = "circuit api",
                      .detail = "open",
                      .endpoint = "",
                      .route = "shop",
                      .request_id = "id-1",
                      .method = "GET",
                      .host = "a.example",
                      .path = "/x",
                      .count = 12,
                      .replaced = 5,
                      .at = "",
                      .seconds_ago = 3}};
  return status;
}

const std::string kUpstreams = upstreams_json({
    {"api",
     "round_robin",
     {{.address = "10.0.0.1:80", .health = "down", .by = "check", .why = "status 503", .since = "then"}}},
    {"api2", "round_robin", {{.address = "10.0.0.2:80", .health = "up"}}},
});
constexpr std::string_view kCircuits =
    R"({"circuit_breakers": [{"name": "api", "state": "open", "since": null, "cause": "5 of 5 failed"}]})";

}  // namespace

TEST_CASE("status text: the process, its last reload, its loops and its store") {
  CHECK(process_text(status_json(busy())).value() ==
        "weir 1.2.3 abc, process 7, up 1d 1h, serves /etc/weir.yaml\n"
        "state     degraded: store is down\n"
        "reload    FAILED at 2026-01-01T00:00:00.000Z: the configuration before it is served\n"
        "          weir.yaml:1:2: no\n"
        "            1 | x\n"
        "workers   2; 3 requests in flight; loop turns: 99% take at most 1 ms, the longest more than 30 s; 4 stuck\n"
        "store     redis 10.0.0.1:6379 is down; its connections for pages of caches: up; 2 instances; on_failure: "
        "allow\n");
}

TEST_CASE("status text: queues, limits, listeners, certificates and failures are tables") {
  CHECK(details_text(status_json(busy())).value() ==
        "\nQUEUE OF  WAITING  SIZE  TIMEOUT\n"
        "api             2     2  1000 ms  full\n"
        "\nLIMITER           ROUTE  COUNTS\n"
        "rate_limit login  shop   allowed 7\n"
        "\nLISTENER  ADDRESS     KIND  OPEN  ACCEPTED\n"
        "front     0.0.0.0:80  http     5         9\n"
        "\nCERTIFICATE  LISTENER  EXPIRES                   DAYS\n"
        "a.pem        front     2026-01-03T00:00:00.000Z     2  renew soon\n"
        "b.pem        front     2025-01-03T00:00:00.000Z    -3  EXPIRED\n"
        "\nLAST FAILURES  UPSTREAM  BY           COUNT  LAST\n"
        "circuit_open   api       circuit api     12  3s ago  5 answered in its place\n"
        "`weir status --why [UPSTREAM]` tells what they mean and what to do.\n");
}

TEST_CASE("status text: why tells of one upstream what is wrong, what it means and what to do") {
  const auto status = status_json(busy());
  const auto why = why_text({status, kUpstreams, kCircuits}, "api").value();
  CHECK(
      why.starts_with("upstream api\n"
                      "  endpoint 10.0.0.1:80 is down: check: status 503, since then\n"
                      "  circuit api is open since the start: 5 of 5 failed\n"
                      "  2 of 2 places in the queue are taken\n"
                      "  503 circuit_open by circuit api: 12 times, last 3 s ago\n"
                      "    5 of them answered by a fallback or from the cache\n"
                      "    last:  GET a.example/x, detail open, route shop, request_id id-1\n"
                      "    means: a circuit breaker is open; Retry-After says for how long\n"
                      "    next:  weir status has the cause"));
  CHECK_FALSE(why.contains("api2"));
  CHECK(why_text({status, kUpstreams, kCircuits}, "api2").value() ==
        "upstream api2\n  nothing is wrong, and nothing has failed\n");
}

TEST_CASE("status text: why without a name tells of all, and an unknown name is an error") {
  const auto status = status_json(busy());
  const auto all = why_text({status, kUpstreams, kCircuits}, "").value();
  CHECK(
      all.starts_with("weir\n  store is down\n"
                      "  the reload at 2026-01-01T00:00:00.000Z failed: the configuration before it is served\n"
                      "    weir.yaml:1:2: no\n"
                      "      1 | x\n"
                      "    next:  mend /etc/weir.yaml, then weir reload\n"
                      "  store redis 10.0.0.1:6379 is down\n"
                      "    means: limits go by on_store_failure of their filter, or on_failure of the store, which is "
                      "allow\n"));
  CHECK(all.contains("\n\nupstream api\n"));
  CHECK(all.contains("\nupstream api2\n"));
  CHECK(why_text({status, kUpstreams, kCircuits}, "apii").error() == "no upstream is named 'apii'");
  CHECK_FALSE(why_text({"[]", kUpstreams, kCircuits}, ""));
  CHECK_FALSE(process_text("<html>"));
}
