#include "cli/rehearsal.h"

#include <algorithm>

#include "downstream/forwarded.h"
#include "http/target.h"

namespace weir::cli {

namespace {

constexpr int kMostTurns = 1000;  // of the loop: filters hand work to it, and go on in a later turn

Result<> fill(Exchange& exchange, const ExplainArguments& arguments, const std::vector<std::string>& methods) {
  auto& request = exchange.request;
  request.method_name = arguments.method;
  request.method = http::method_of(arguments.method);
  request.more_methods = &methods;
  if (!http::takes_method(request)) {
    const bool is_lower = std::ranges::any_of(arguments.method, [](char c) { return c >= 'a' && c <= 'z'; });
    return fail(ErrorCode::unsupported_method, Side::client,
                is_lower ? std::string_view("this method is answered with 501: methods are written in capitals")
                         : std::string_view("this method is answered with 501"));
  }
  for (const auto& line : arguments.headers) {
    const std::string_view header = line;
    const auto colon = header.find(':');
    if (colon == std::string_view::npos) return fail(ErrorCode::bad_request, Side::client, "a header is 'Name: value'");
    request.headers.add(header.substr(0, colon), trim(header.substr(colon + 1)));
  }
  if (arguments.url.find_first_of("/*") != 0 && !arguments.url.contains("://"))
    return fail(ErrorCode::bad_request, Side::client, "write a URL (http://HOST/PATH) or a path (/PATH)");
  if (auto split = http::split_target(arguments.url, request); !split) return split;
  if (const auto host = request.headers.get(http::Field::host); host && request.authority.empty())
    request.authority = *host;
  if (request.path.empty()) request.path = "/";
  return {};
}

struct Choice {
  const runtime::ListenerSettings& listener;
  std::string why;
};

/// The port of the URL decides, or that of its scheme; then TLS as the scheme has it; then the order in the file.
Choice choose_listener(std::string_view url, std::string_view authority, const runtime::Configuration& configuration) {
  const auto& listeners = configuration.listeners;
  const bool wants_tls = url.starts_with("https:");
  const bool has_scheme = wants_tls || url.starts_with("http:");
  const std::string_view scheme = wants_tls ? "https" : "http";
  const auto named = http::port_of(authority);
  const std::string port(!named.empty() ? named : wants_tls ? "443" : "80");
  const auto at_port =
      std::ranges::find(listeners, port, [](const auto& one) { return std::to_string(one.address.port()); });
  if ((has_scheme || !named.empty()) && at_port != listeners.end()) {
    const bool differs = has_scheme && at_port->tls.has_value() != wants_tls;
    const std::string_view instead =
        wants_tls ? "; it has no TLS, so the scheme is http" : "; TLS, so the scheme is https";
    return {*at_port, "port " + port + (differs ? std::string(instead) : "")};
  }
  const std::string none = named.empty() ? "the URL names no port" : "no listener has port " + port;
  const auto suits = [&](const auto& one) { return one.tls.has_value() == wants_tls; };
  if (const auto first = std::ranges::find_if(listeners, suits); has_scheme && first != listeners.end())
    return {*first, none + "; the first for " + std::string(scheme)};
  const std::string missing = has_scheme ? "; none is for " + std::string(scheme) : "";
  return {listeners.front(), none + missing + "; the first"};
}

}  // namespace

Rehearsal::Rehearsal(store::Store& store)
    : background_(loop_, [](std::exception_ptr exception) { std::rethrow_exception(exception); }),
      worker_{.loop = loop_,
              .blocks = blocks_,
              .buffers = buffers_,
              .store = store,
              .local_store = store,
              .background = &background_},
      exchange_(arena_, worker_, nullptr) {}

void Rehearsal::arrive_at(const runtime::ListenerSettings& listener, const std::string& why) {
  auto& client = exchange_.client;
  client.listener = listener.name;
  client.local_port = listener.address.port();
  client.is_encrypted = listener.tls.has_value();
  exchange_.request.scheme = client.is_encrypted ? "https" : "http";
  listener_ = listener.name + " (" + why + ")";
}

Result<> Rehearsal::prepare(const ExplainArguments& arguments, const runtime::Configuration& configuration) {
  auto& request = exchange_.request;
  if (auto filled = fill(exchange_, arguments, configuration.policy.methods.allow); !filled) return filled;
  const auto peer = net::Address::parse_ip(arguments.client, 0);
  if (!peer) return fail(ErrorCode::bad_request, Side::client, "--client is an IP address");
  exchange_.client.peer = *peer;
  exchange_.client.ip = arguments.client;
  const auto choice = choose_listener(arguments.url, request.authority, configuration);
  arrive_at(choice.listener, choice.why);
  const auto& policy = configuration.policy;
  if (auto r = http::normalize_path(request, policy.path); !r) return r;
  exchange_.request_body = make_in<NoBody>(arena_, arena_);
  return downstream::prepare_forwarding(exchange_, policy.forwarding);
}

namespace {

Task<> run_and_tell(const Chain& chain, Exchange& exchange, bool& is_done) {
  co_await chain.run(exchange);
  is_done = true;
}

}  // namespace

bool Rehearsal::run(const Chain& chain) {
  bool is_done = false;
  auto task = run_and_tell(chain, exchange_, is_done);
  task.start();
  for (int turn = 0; turn < kMostTurns && !is_done; ++turn) loop_.poll();
  return is_done;
}

}  // namespace weir::cli
