#include "runtime/configuration.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "config/loader.h"
#include "config/schema.h"
#include "unit/config/bench.h"

namespace weir::runtime {
namespace {

using namespace std::chrono_literals;

struct Read : config::Read<Configuration> {
  explicit Read(std::string text) : config::Read<Configuration>(std::move(text), tables()) {}
  std::string problem() const { return problems.empty() ? "" : problems.all().front().message; }
};

}  // namespace

TEST_CASE("configuration: one listener is all that is needed; the rest has defaults") {
  const Read read("listeners: [127.0.0.1:8080]\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto& value = read.value;
  CHECK(value.listeners[0].name == "127.0.0.1:8080");
  CHECK(value.listeners[0].address.port() == 8080);
  CHECK_FALSE(value.workers.has_value());
  CHECK(value.worker_count() >= 1);
  CHECK_FALSE(value.admin.has_value());
  CHECK(value.policy.timeouts.head == 15s);
  CHECK(value.policy.limits.connections == 50'000);
  CHECK(value.shutdown.drain_timeout == 30s);
  CHECK(value.stream_grace == 5min);
}

TEST_CASE("configuration: CDN-Loop's default name is one for each address, and stays over reloads") {
  const auto name = [](const char* text) { return Read(text).value.policy.forwarding.loop_id; };
  const auto first = name("listeners: [127.0.0.1:8080]\n");
  CHECK(first.starts_with("weir-"));
  CHECK(first == name("listeners: [127.0.0.1:8080, 127.0.0.1:8081]\nforwarded: { style: none }\n"));
  CHECK(first != name("listeners: [127.0.0.1:8081]\n"));
}

TEST_CASE("configuration: a listener on IPv6, on a unix socket, with a name") {
  const Read read("listeners:\n  - '[::1]:8080'\n  - unix:/run/weir.sock\n  - { bind: 0.0.0.0:80, name: public }\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  CHECK(read.value.listeners[0].address.family() == AF_INET6);
  CHECK(read.value.listeners[1].address.is_unix());
  CHECK(read.value.listeners[2].name == "public");
}

TEST_CASE("configuration: a mode has permissions, and no bits for programs") {
  const auto read = [](std::string_view mode) {
    return Read("listeners: [{ bind: 'unix:/run/weir.sock', mode: \"" + std::string(mode) + "\" }]\n");
  };
  for (const auto& [mode, value] : {std::pair("0660", 0660), std::pair("777", 0777), std::pair("0777", 0777)}) {
    CAPTURE(mode);
    const auto good = read(mode);
    CHECK_MESSAGE(good.problems.empty(), good.problems.text());
    CHECK(good.value.listeners.at(0).access.mode == static_cast<mode_t>(value));
  }
  for (const auto* mode : {"1777", "4755", "07777", "66", "0668"}) {
    CAPTURE(mode);
    CHECK(read(mode).problem() == "'" + std::string(mode) + "' is not a mode");
  }
}

TEST_CASE("configuration: a token has up to 4096 visible characters") {
  char path[] = "/tmp/weir-token-XXXXXX";
  const int fd = ::mkstemp(path);
  REQUIRE(fd >= 0);
  const auto token_of = [&](const std::string& text) {
    REQUIRE(::ftruncate(fd, 0) == 0);
    REQUIRE(::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return read_token(path);
  };
  CHECK(token_of("  s3cret\n") == "s3cret");
  CHECK(token_of(std::string(4096, 'x')) == std::string(4096, 'x'));
  for (const auto& wrong :
       {std::string(4097, 'x'), std::string("two words"), std::string("caf\xc3\xa9"), std::string(" \n")})
    CHECK_FALSE(token_of(wrong).has_value());
  ::close(fd);
  ::unlink(path);
}

TEST_CASE("configuration: a listener may expect PROXY headers, from named networks alone") {
  const Read read("listeners: [{ bind: 127.0.0.1:1, proxy_protocol: 10.0.0.0/8 }, { bind: 127.0.0.1:2 }]\n");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto& settings = read.value.listeners[0].proxy_protocol;
  REQUIRE(settings.has_value());
  CHECK(settings->timeout == 3s);
  CHECK(settings->trusts(*net::Address::parse("10.1.2.3:4")));
  CHECK_FALSE(settings->trusts(*net::Address::parse("11.1.2.3:4")));
  CHECK_FALSE(read.value.listeners[1].proxy_protocol.has_value());
  CHECK_FALSE(Read("listeners: [{ bind: 127.0.0.1:1, proxy_protocol: {} }]\n").problems.empty());
  CHECK_FALSE(Read("listeners: [{ bind: 127.0.0.1:1, proxy_protocol: [] }]\n").problems.empty());
}

TEST_CASE("configuration: workers are a number or auto") {
  CHECK(Read("workers: 3\nlisteners: [127.0.0.1:1]\n").value.worker_count() == 3);
  CHECK(Read("workers: auto\nlisteners: [127.0.0.1:1]\n").value.worker_count() >= 1);
  CHECK_FALSE(Read("workers: 0\nlisteners: [127.0.0.1:1]\n").problems.empty());
  CHECK_FALSE(Read("workers: 257\nlisteners: [127.0.0.1:1]\n").problems.empty());
}

TEST_CASE("configuration: without a listener there is nothing to run") {
  CHECK_FALSE(Read("workers: 1\n").problems.empty());
  CHECK_FALSE(Read("listeners: []\n").problems.empty());
}

TEST_CASE("configuration: what can't be bound is a problem with a hint") {
  for (const auto* bind : {"localhost:80", "8080", "127.0.0.1", "127.0.0.1:99999"}) {
    const Read read("listeners: ['" + std::string(bind) + "']\n");
    CHECK(read.problem() == "'" + std::string(bind) + "' is not an address to listen on");
  }
}

TEST_CASE("configuration: no address and no name is there twice") {
  CHECK(Read("listeners: [127.0.0.1:1, 127.0.0.1:1]\n").problem() == "another listener has this address");
  CHECK(Read("listeners: [{ bind: 127.0.0.1:1, name: a }, { bind: 127.0.0.1:2, name: a }]\n").problem() ==
        "another listener has the name 'a'");
}

TEST_CASE("configuration: one address written in two ways is still one") {
  CHECK(Read("listeners: ['[::1]:8080', '[0:0::1]:8080']\n").problem() == "another listener has this address");
}

TEST_CASE("configuration: the admin API can't listen where clients do") {
  CHECK_FALSE(Read("listeners: [127.0.0.1:8080]\nadmin: 127.0.0.1:8080\n").problems.empty());
}

TEST_CASE("configuration: limits and timeouts reach the policy") {
  const Read read(R"(listeners: [127.0.0.1:8080]
limits: { request_line: 4KiB, head: 16KiB, headers: 50, body: 1MiB, connections: 10, body_rate: 1KiB }
timeouts: { head: 5s, idle: 6s, body: 7s, write: 8s }
forwarded: { style: rfc7239, trusted_proxies: [10.0.0.0/8, 'unix:'], via: edge }
path: { encoded_slash: reject, merge_slashes: true }
)");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  const auto& policy = read.value.policy;
  CHECK(policy.limits.head.request_line == 4096);
  CHECK(policy.limits.head.head_bytes == 16 * 1024);
  CHECK(policy.limits.head.fields == 50);
  CHECK(policy.limits.body == 1 << 20);
  CHECK(policy.limits.connections == 10);
  CHECK(policy.limits.body_rate == 1024);
  CHECK(policy.timeouts.write == 8s);
  CHECK(policy.forwarding.style == downstream::Forwarding::Style::rfc7239);
  CHECK(policy.forwarding.trusted_proxies.size() == 2);
  CHECK(policy.forwarding.via == "edge");
  CHECK(policy.forwarding.loop_id == "edge");
  CHECK(policy.path.encoded_slash == http::PathPolicy::Encoded::reject);
}

TEST_CASE("configuration: a request's head has 15 s unless something else is said") {
  CHECK(Read("listeners: [127.0.0.1:8080]\n").value.policy.timeouts.head == 15s);
}

TEST_CASE("configuration: Via is off, and its name is a word or a host") {
  CHECK(Read("listeners: [127.0.0.1:8080]\n").value.policy.forwarding.via.empty());
  CHECK(Read("listeners: [127.0.0.1:8080]\nforwarded: { via: 'edge.example:80' }\n").problems.empty());
  CHECK_FALSE(Read("listeners: [127.0.0.1:8080]\nforwarded: { via: 'a, b' }\n").problems.empty());
}

TEST_CASE("configuration: a body limit of 0 is no limit, for all routes and for one") {
  const Read read(R"(listeners: [127.0.0.1:8080]
limits: { body: 0 }
routes:
  - { name: a, match: { path: /a }, respond: { status: 204 } }
  - { name: b, match: { path: /b }, respond: { status: 204 }, max_body: 2MiB }
)");
  REQUIRE(read.problems.empty());
  CHECK(read.value.policy.limits.body == UINT64_MAX);
  CHECK(read.value.routes[0].max_body->count == UINT64_MAX);
  CHECK(read.value.routes[1].max_body->count == 2 << 20);
  const Read other(R"(listeners: [127.0.0.1:8080]
limits: { body: 1MiB }
routes:
  - { name: a, match: { path: /a }, respond: { status: 204 }, max_body: 0 }
)");
  REQUIRE(other.problems.empty());
  CHECK(other.value.routes[0].max_body->count == UINT64_MAX);
}

TEST_CASE("configuration: only fields that Weir removes can be passed") {
  const Read read("listeners: [127.0.0.1:8080]\nforwarded: { pass: [x-forwarded-prefix, Proxy] }\n");
  REQUIRE(read.problems.empty());
  const auto withheld = read.value.policy.forwarding.withheld;
  CHECK((withheld & http::set_of(http::Field::x_forwarded_prefix, http::Field::proxy)) == 0);
  CHECK((withheld & http::set_of(http::Field::remote_user)) != 0);
  CHECK_FALSE(Read("listeners: [127.0.0.1:8080]\nforwarded: { pass: X-Forwarded-For }\n").problems.empty());
}

TEST_CASE("configuration: names are printable and have no slash") {
  const auto count = [](const std::string& text) {
    return Read("listeners: [127.0.0.1:8080]\n" + text).problems.size();
  };
  const std::string route = "match: { path: /a }, respond: { status: 204 }";
  for (const std::string name : {"a\\r\\nb", "a/b", "\\u0085", "a\\u2028b", " a", "a ", "\\x07"}) {
    CAPTURE(name);
    CHECK(count("upstreams: { \"" + name + "\": { endpoints: [127.0.0.1:1] } }\n") == 1);
    CHECK(count("routes: [{ name: \"" + name + "\", " + route + " }]\n") == 1);
  }
  for (const std::string name : {"a b", "caf\u00e9", "a.b-c_d", "api:v1"}) {
    CAPTURE(name);
    CHECK(count("upstreams: { \"" + name + "\": { endpoints: [127.0.0.1:1] } }\n") == 0);
    CHECK(count("routes: [{ name: \"" + name + "\", " + route + " }]\n") == 0);
  }
  const Read read("listeners: [127.0.0.1:8080]\nupstreams: { \"a\\r\\nb\": { endpoints: [nowhere at all] } }\n");
  CHECK(read.problems.text().contains("'a\\x0d\\x0ab' is not a name"));
  CHECK_FALSE(read.problems.text().contains('\r'));
}

TEST_CASE("configuration: a route without a bound on its bodies has the general one") {
  const Read read(R"(listeners: [127.0.0.1:8080]
limits: { body: 1MiB }
routes:
  - { name: a, match: { path: /a }, respond: { status: 204 } }
  - { name: b, match: { path: /b }, respond: { status: 204 }, max_body: 2MiB }
)");
  REQUIRE_MESSAGE(read.problems.empty(), read.problems.text());
  CHECK(read.value.routes[0].max_body->count == 1 << 20);
  CHECK(read.value.routes[1].max_body->count == 2 << 20);
}

TEST_CASE("configuration: all mistakes of a file are told at once") {
  const Read read("workers: many\nlisteners: [nowhere]\ntimeouts: { head: 5 }\nrotes: []\n");
  CHECK(read.problems.size() == 4);
}

TEST_CASE("configuration: it describes itself, filters too, for the schema and the reference") {
  const auto description = config::describe<Configuration>(tables());
  const auto schema = config::json_schema(description);
  for (const auto* key :
       {"\"listeners\"", "\"upstreams\"", "\"request_id\"", "\"trusted_proxies\"", "\"stream_grace\""}) {
    CHECK_MESSAGE(schema.find(key) != std::string::npos, key);
  }
  CHECK(config::reference_markdown(description).find("drain_timeout") != std::string::npos);
}

TEST_CASE("configuration: the watchdog watches for 5 s unless told otherwise") {
  const auto of = [](const std::string& text) { return Read("listeners: [127.0.0.1:8080]\n" + text).value.watchdog; };
  CHECK(of("").after == 5s);
  CHECK(of("").action == StuckAction::log);
  CHECK(of("watchdog: 2s\n").after == 2s);
  CHECK(of("watchdog: 0\n").after == 0s);
  CHECK(of("watchdog: { after: 1m, action: abort }\n").after == 1min);
  CHECK(of("watchdog: { after: 1m, action: abort }\n").action == StuckAction::abort);
  CHECK(Read("listeners: [127.0.0.1:8080]\nwatchdog: { action: restart }\n").problem() != "");
}

}  // namespace weir::runtime
