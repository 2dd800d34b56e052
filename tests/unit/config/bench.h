#pragma once

#include <map>
#include <memory>
#include <string>

#include "config/loader.h"

namespace weir::config {

/// Reads a text into a T, in an environment of the test's own, and keeps all that came of it.
template <class T>
struct Read {
  Problems problems;
  Value effective;
  T value;

  explicit Read(std::string text, const Tables& tables = {}, std::map<std::string, std::string> environment = {})
      : value(read(std::move(text), tables, std::move(environment))) {}

 private:
  T read(std::string text, const Tables& tables, std::map<std::string, std::string> environment) {
    const auto document = load_text("weir.yaml", std::move(text), problems,
                                    [environment](const std::string& name) -> std::optional<std::string> {
                                      const auto found = environment.find(name);
                                      if (found == environment.end()) return std::nullopt;
                                      return found->second;
                                    });
    return decode_document<T>(document, problems, tables, &effective);
  }
};

// A toy proxy: the blocks that the design shows, no more.

struct Filter {
  virtual ~Filter() = default;
  Rate rate;
};
using FilterPtr = std::shared_ptr<Filter>;

enum class OnFailure { allow, deny };
constexpr auto choices(OnFailure*) {
  return std::array{Choice{"allow", OnFailure::allow}, Choice{"deny", OnFailure::deny}};
}

struct RateLimit {
  Rate rate;
  uint32_t burst = 10;
  std::string key = "client.ip";
  OnFailure on_store_failure = OnFailure::allow;
};
inline void decode(Reader& r, RateLimit& out) {
  r.required("rate", out.rate, "requests let through");
  r.optional("burst", out.burst, "requests at once", at_least(1));
  r.optional("key", out.key, "whom to count");
  r.optional("on_store_failure", out.on_store_failure, "when the store is gone");
}

struct RequestId {};
inline void decode(Reader&, RequestId&) {}

inline Tags<FilterPtr> filters() {
  return {tag<RequestId, FilterPtr>("request_id", "gives each request a name",
                                    [](RequestId, Location) { return std::make_shared<Filter>(); }),
          tag<RateLimit, FilterPtr>("rate_limit", "limits requests", [](RateLimit settings, Location) {
            auto filter = std::make_shared<Filter>();
            filter->rate = settings.rate;
            return filter;
          })};
}

struct Endpoint {
  Located<std::string> address;
  uint32_t weight = 1;
};
inline void decode(Reader& r, Endpoint& out) {
  r.shorthand("address");
  r.required("address", out.address, "host and port");
  r.optional("weight", out.weight, "its share", in_range(1, 100));
}

struct HealthCheck {
  std::string path;
  Duration interval = std::chrono::seconds(2);
};
inline void decode(Reader& r, HealthCheck& out) {
  r.required("path", out.path, "path of the probe");
  r.optional("interval", out.interval, "time between probes", at_least(std::chrono::milliseconds(10)));
}

struct Upstream {
  std::vector<Endpoint> endpoints;
  std::optional<HealthCheck> health_check;
};
inline void decode(Reader& r, Upstream& out) {
  r.required("endpoints", out.endpoints, "where it is", non_empty);
  r.optional("health_check", out.health_check, "probes");
}

struct Route {
  std::string name;
  std::vector<std::string> methods;
  std::vector<Tagged<FilterPtr>> filters;
  std::optional<Located<std::string>> upstream;
  std::optional<std::string> respond;
};
inline void decode(Reader& r, Route& out) {
  r.optional("name", out.name, "for logs");
  r.optional("methods", out.methods, "any when left out", list_of_one);
  r.optional("filters", out.filters, "outermost first");
  r.exactly_one_of({"upstream", "respond"});
  r.optional("upstream", out.upstream, "who answers");
  r.optional("respond", out.respond, "the answer itself");
}

struct Proxy {
  std::optional<uint32_t> workers;
  Bytes head_limit{65536};
  std::string password;
  std::vector<Named<Upstream>> upstreams;
  std::vector<Route> routes;
};
inline void decode(Reader& r, Proxy& out) {
  r.optional("workers", out.workers, "threads", or_word("auto"), at_least(1));
  r.optional("head_limit", out.head_limit, "largest head");
  r.optional("password", out.password, "of the store", secret);
  r.optional("upstreams", out.upstreams, "by name");
  r.optional("routes", out.routes, "first match wins");
}

struct ReadProxy {
  Tags<FilterPtr> known = filters();
  Tables tables = [this] {
    Tables t;
    t.add(known);
    return t;
  }();
  Read<Proxy> read;

  explicit ReadProxy(std::string text, std::map<std::string, std::string> environment = {})
      : read(std::move(text), tables, std::move(environment)) {}
  std::string text() const { return read.problems.text(); }
  const Problem& only() const { return read.problems.all().at(0); }
};

}  // namespace weir::config
