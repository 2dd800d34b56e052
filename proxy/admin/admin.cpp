#include "admin/admin.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "http/query.h"

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kIndex =
    "Weir's admin API\n"
    "\n"
    "GET  /livez      200 while the process runs\n"
    "GET  /readyz     200 while it wants traffic, else 503\n"
    "GET  /status     the process, its store, listeners, limits, caches, queues and last failures\n"
    "GET  /metrics    Prometheus text, or OpenMetrics by Accept\n"
    "GET  /upstreams  endpoints, their health and load\n"
    "GET  /config     the configuration in effect, secrets masked\n"
    "GET  /version    version and build\n"
    "GET  /log_level  the least severe events that the process log has\n"
    "POST /log_level?level=debug|info|warn|error    changes it until the next start\n"
    "POST /reload     loads the configuration again; ?file=PATH: if that is the one\n"
    "POST /upstreams/NAME/endpoints/ADDRESS/drain   no more requests go there\n"
    "POST /upstreams/NAME/endpoints/ADDRESS/up      they do again; an ejection is over, too\n";

void respond(Exchange& exchange, uint16_t status, std::string_view content_type, std::string_view body) {
  exchange.respond(status, exchange.arena().copy(content_type), exchange.arena().copy(body));
  exchange.response.head.headers.add("cache-control", "no-store");
}

std::string_view word_of(Readiness::State state) {
  switch (state) {
    case Readiness::State::ready: return "ready";
    case Readiness::State::degraded: return "degraded";
    case Readiness::State::not_ready: return "not_ready";
  }
  return "not_ready";
}

void show_readiness(Exchange& exchange, const Console& console) {
  const Readiness readiness = console.readiness();
  Json json{{"status", word_of(readiness.state)}};
  if (!readiness.why.empty()) json["why"] = readiness.why;
  respond(exchange, readiness.state == Readiness::State::not_ready ? 503 : 200, kJson, json.dump() + "\n");
}

/// What there is to see, by path: at once, and by the renderer.
struct View {
  std::string_view path;
  void (*show)(Exchange& exchange, const Console& console);
};
constexpr View kViews[] = {
    {"/livez", [](Exchange& exchange, const Console&) { respond(exchange, 200, kJson, "{\"status\":\"live\"}\n"); }},
    {"/readyz", show_readiness},
    {"/version", [](Exchange& exchange, const Console& c) { respond(exchange, 200, kJson, c.version_json()); }},
};
struct RenderedView {
  std::string_view path;
  Page (*render)(const Console& console, std::string_view accept);
};
constexpr RenderedView kRenderedViews[] = {
    {"/metrics", [](const Console& c, std::string_view accept) { return c.metrics(accept); }},
    {"/status", [](const Console& c, std::string_view) { return Page{std::string(kJson), c.status_json()}; }},
    {"/upstreams", [](const Console& c, std::string_view) { return Page{std::string(kJson), c.upstreams_json()}; }},
    {"/config", [](const Console& c, std::string_view) { return Page{std::string(kJson), c.config_json()}; }},
};

bool is_reading(const Exchange& exchange) {
  const auto method = exchange.request.method;
  return method == http::Method::get || method == http::Method::head;
}

void refuse_method(Exchange& exchange, std::string_view allowed) {
  exchange.fail({ErrorCode::method_not_allowed, Side::client, "this path takes another method"});
  exchange.response.head.headers.add("allow", allowed);
}

/// Whoever names a file has no other one loaded.
Task<> reload(Exchange& exchange, Console& console) {
  const auto named = [&](std::string_view name) {
    const auto value = http::find_parameter(exchange.request.query, name).value_or("");
    return std::string(http::decode_parameter(value, exchange.arena()));
  };
  if (const ServedFile file{named("file"), named("identity")}; !file.path.empty()) {
    if (const auto served = console.other_than(file); !served.empty()) {
      const Json json{{"ok", false},
                      {"text", "this process serves " + served + ", not " + file.path + "; nothing was changed\n"}};
      co_return respond(exchange, 409, kJson, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    }
  }
  const ReloadOutcome outcome = co_await console.reload(exchange);
  Json json{{"ok", outcome.ok}};
  if (!outcome.text.empty()) json["text"] = outcome.text;
  respond(exchange, outcome.ok ? 200 : 422, kJson, json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void show_log_level(Exchange& exchange) {
  respond(exchange, 200, kJson, Json{{"level", log::name_of(log::level())}}.dump() + "\n");
}

void log_level(Exchange& exchange) {
  const auto method = exchange.request.method;
  if (method == http::Method::get || method == http::Method::head) return show_log_level(exchange);
  if (method != http::Method::post) return refuse_method(exchange, "GET, HEAD, POST");
  const auto asked = http::find_parameter(exchange.request.query, "level").value_or("");
  for (const auto level : {log::Level::debug, log::Level::info, log::Level::warn, log::Level::error}) {
    if (asked != log::name_of(level)) continue;
    const auto before = log::level();
    log::set_level(std::min(before, level));  // for the event
    log::warn("log_level_changed",
              {{"from", log::name_of(before)}, {"to", log::name_of(level)}, {"client", exchange.client.ip}});
    log::set_level(level);
    return show_log_level(exchange);
  }
  exchange.fail({ErrorCode::bad_request, Side::client, "write /log_level?level=debug, or info, warn, error"});
}

void show_index(Exchange& exchange, std::string_view index) {
  if (!is_reading(exchange)) return refuse_method(exchange, "GET, HEAD");
  respond(exchange, 200, "text/plain; charset=utf-8", index);
}

constexpr std::string_view kUpstreams = "/upstreams/";
constexpr std::string_view kEndpoints = "/endpoints/";

std::optional<EndpointOrder> order_of(std::string_view word) {
  if (word == "drain") return EndpointOrder::drain;
  if (word == "up") return EndpointOrder::up;
  return std::nullopt;
}

/// An address may have slashes and escapes in it: unix:/run/app.sock, [::1]:80.
void order(Exchange& exchange, Console& console) {
  std::string_view rest = exchange.request.path.substr(kUpstreams.size());
  const auto split = rest.find(kEndpoints);
  const auto last = rest.rfind('/');
  const auto word = order_of(rest.substr(last + 1));
  if (split == rest.npos || last < split + kEndpoints.size() || !word) {
    return exchange.fail({ErrorCode::no_route, Side::client, "write /upstreams/NAME/endpoints/ADDRESS/drain, or /up"});
  }
  const auto decoded = [&](std::string_view text) { return http::decode_parameter(text, exchange.arena()); };
  const auto upstream = decoded(rest.substr(0, split));
  const auto endpoint = decoded(rest.substr(split + kEndpoints.size(), last - split - kEndpoints.size()));
  if (!console.order(upstream, endpoint, *word))
    return exchange.fail({ErrorCode::no_route, Side::client, "there is no such endpoint; GET /upstreams lists them"});
  respond(exchange, 200, kJson, Json{{"ok", true}}.dump() + "\n");
}

}  // namespace

AdminOrigin::AdminOrigin(Console& console, Renderer& renderer, FilterMetrics& metrics, std::vector<AdminPage> pages,
                         Surface surface)
    : console_(console),
      renderer_(renderer),
      guard_(metrics, surface == Surface::metrics ? Guard::Token::not_asked_for : Guard::Token::asked_for),
      surface_(surface),
      pages_(std::move(pages)),
      index_(kIndex) {
  for (const auto& page : pages_) index_ += page.about;
}

const AdminPage* AdminOrigin::page_at(std::string_view path) const {
  for (const auto& page : pages_) {
    if (path.starts_with(page.path) && (path.size() == page.path.size() || path[page.path.size()] == '/')) return &page;
  }
  return nullptr;
}

Task<> AdminOrigin::show(Exchange& exchange, std::string accept, std::function<Page()> work) const {
  if (!is_reading(exchange)) co_return refuse_method(exchange, "GET, HEAD");
  Renderer::Name name{std::string(exchange.request.path), std::move(accept)};
  auto page = co_await renderer_.render(exchange, std::move(name), std::move(work));
  if (!page) co_return exchange.fail(page.error());
  respond_with(exchange, std::move(*page));
}

Task<> AdminOrigin::handle(Exchange& exchange) const {
  if (!guard_.admits(exchange)) co_return;
  const auto method = exchange.request.method;
  const auto path = exchange.request.path;
  if (surface_ == Surface::metrics && path != "/metrics")
    co_return exchange.fail({ErrorCode::no_route, Side::client, "this address serves /metrics alone"});
  if (path == "/reload") {
    if (method != http::Method::post) co_return refuse_method(exchange, "POST");
    co_return co_await reload(exchange, console_);
  }
  if (path == "/log_level") co_return log_level(exchange);
  if (path == "/") co_return show_index(exchange, index_);
  if (path.starts_with(kUpstreams)) {
    if (method != http::Method::post) co_return refuse_method(exchange, "POST");
    co_return order(exchange, console_);
  }
  for (const View& view : kViews) {
    if (view.path != path) continue;
    if (!is_reading(exchange)) co_return refuse_method(exchange, "GET, HEAD");
    co_return view.show(exchange, console_);
  }
  for (const RenderedView& view : kRenderedViews) {
    if (view.path != path) continue;
    const std::string accept(exchange.request.headers.joined("accept").value_or(""));
    co_return co_await show(exchange, accept, [this, &view, accept] { return view.render(console_, accept); });
  }
  if (const auto* page = page_at(path)) {
    if (page->list && path == page->path) {
      const Clock& clock = exchange.loop().clock();
      co_return co_await show(exchange, {}, [page, &clock] { return Page{std::string(kJson), page->list(clock)}; });
    }
    co_return co_await page->origin->handle(exchange);
  }
  exchange.fail({ErrorCode::no_route, Side::client, "the admin API has no such path; GET / lists them"});
}

}  // namespace weir::admin
