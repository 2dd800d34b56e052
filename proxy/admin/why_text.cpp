#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "admin/status_text.h"
#include "exchange/error_advice.h"
#include "exchange/error_response.h"

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;

std::string plain(std::string_view advice) {
  std::string text(advice);
  std::erase(text, '`');
  return text;
}

/// "GET a.example/x"; "" before there was a request.
std::string request_of(const Json& failure) {
  const auto method = failure.value("method", ""), path = failure.value("path", "");
  return method.empty() ? "" : fmt::format("{} {}{}", method, failure.value("host", ""), path);
}

/// "  503 circuit_open by circuit api: 12 times, last 3 s ago", its details, and what to do.
std::string failure_of(const Json& failure) {
  const std::string word = failure.at("error");
  const auto code = find_error(word);
  const auto by = failure.value("by", "");
  const uint64_t count = failure.at("count");
  auto text = fmt::format("  {}{}{}{}: {} time{}, last {:.0f} s ago\n",
                          code ? std::to_string(meaning_of(*code).status) + " " : "", word, by.empty() ? "" : " by ",
                          by, count, count == 1 ? "" : "s", failure.at("seconds_ago").get<double>());
  std::string last = request_of(failure);
  if (const uint64_t replaced = failure.value("replaced", uint64_t{0}); replaced > 0)
    text += fmt::format("    {} of them answered by a fallback or from the cache\n", replaced);
  for (const auto* name : {"detail", "endpoint", "route", "request_id"}) {
    const auto value = failure.value(name, "");
    if (!value.empty()) last += fmt::format("{}{} {}", last.empty() ? "" : ", ", name, value);
  }
  if (!last.empty()) text += fmt::format("    last:  {}\n", last);
  if (!code) return text;
  const auto& advice = advice_on(*code);
  return text + fmt::format("    means: {}\n    next:  {}\n", plain(advice.meaning), plain(advice.next_step));
}

/// What is wrong with an endpoint just now; "" when nothing is.
std::string endpoint_of(const Json& endpoint) {
  const std::string health = endpoint.at("health");
  const int failures = endpoint.value("connect_failures", 0);
  if (health == "up" && failures == 0) return "";
  auto text = fmt::format("  endpoint {} is {}", endpoint.at("address").get<std::string>(), health);
  if (endpoint.contains("why"))
    text += fmt::format(": {}: {}, since {}", endpoint.value("by", ""), endpoint.value("why", ""),
                        endpoint.value("since", "the start"));
  if (failures > 0) text += fmt::format("; {} connection{} in a row failed", failures, failures == 1 ? "" : "s");
  if (endpoint.contains("paused_until"))
    text += fmt::format(", left alone until {}", endpoint["paused_until"].get<std::string>());
  return text + "\n";
}

/// Of the upstream, or of one of its endpoints: "api", "api/10.0.0.1:80".
bool is_circuit_of(std::string_view name, std::string_view upstream) {
  return name == upstream || (name.starts_with(upstream) && name.substr(upstream.size()).starts_with('/'));
}

std::string circuit_of(const Json& circuit) {
  const std::string state = circuit.at("state");
  if (state == "closed") return "";
  const auto& since = circuit.at("since");
  return fmt::format("  circuit {} is {} since {}: {}\n", circuit.at("name").get<std::string>(), state,
                     since.is_null() ? "the start" : since.get<std::string>(), circuit.at("cause").get<std::string>());
}

std::string failures_of(const Json& status, std::string_view upstream) {
  std::string text;
  for (const auto& failure : status.at("failures")) {
    if (failure.value("upstream", "") == upstream) text += failure_of(failure);
  }
  return text;
}

std::string upstream_text(const Json& upstream, const Json& status, const Json& circuits) {
  const std::string name = upstream.at("name");
  std::string text;
  for (const auto& endpoint : upstream.at("endpoints")) text += endpoint_of(endpoint);
  for (const auto& circuit : circuits.at("circuit_breakers")) {
    if (is_circuit_of(circuit.at("name").get<std::string>(), name)) text += circuit_of(circuit);
  }
  for (const auto& queue : status.at("queues")) {
    if (queue.at("upstream") == name && queue.at("waiting") > 0)
      text += fmt::format("  {} of {} places in the queue are taken\n", queue.at("waiting").get<uint32_t>(),
                          queue.at("size").get<uint32_t>());
  }
  text += failures_of(status, name);
  return fmt::format("upstream {}\n{}", name, text.empty() ? "  nothing is wrong, and nothing has failed\n" : text);
}

/// The problems of the last reload, if it failed.
std::string reload_problems(const Json& status) {
  if (!status.contains("last_reload") || status["last_reload"].at("ok")) return "";
  std::string text = fmt::format("  the reload at {} failed: the configuration before it is served\n",
                                 status["last_reload"].at("at").get<std::string>());
  std::istringstream lines(status["last_reload"].value("text", ""));
  for (std::string line; std::getline(lines, line);) text += fmt::format("    {}\n", line);
  return text + fmt::format("    next:  mend {}, then weir reload\n", status.at("file").get<std::string>());
}

std::string store_problems(const Json& store) {
  if (store.at("state") == "up") return "";
  std::string servers;
  for (const std::string server : store.value("servers", Json::array())) servers += " " + server;
  return fmt::format(
      "  store {}{} is {}\n"
      "    means: limits go by on_store_failure of their filter, or on_failure of the store, which is {}\n"
      "    next:  repair Redis; the event store_state_changed of the process log has the cause\n",
      store.at("kind").get<std::string>(), servers, store.at("state").get<std::string>(),
      store.at("on_failure").get<std::string>());
}

std::string process_problems(const Json& status, const Json& circuits) {
  std::string text;
  if (status.at("status") != "ready") text += fmt::format("  {}\n", status.value("why", ""));
  text += reload_problems(status) + store_problems(status.at("store"));
  for (const auto& circuit : circuits.at("circuit_breakers")) {
    if (circuit.at("name").get<std::string>().starts_with("route/")) text += circuit_of(circuit);
  }
  text += failures_of(status, "");
  return text.empty() ? text : "weir\n" + text;
}

}  // namespace

Text why_text(const Pages& pages, std::string_view upstream) {
  try {
    const auto status = Json::parse(pages.status);
    const auto circuits = Json::parse(pages.circuit_breakers);
    std::string text = upstream.empty() ? process_problems(status, circuits) : "";
    bool is_known = upstream.empty();
    for (const auto& one : Json::parse(pages.upstreams).at("upstreams")) {
      if (!upstream.empty() && one.at("name") != upstream) continue;
      is_known = true;
      text += (text.empty() ? "" : "\n") + upstream_text(one, status, circuits);
    }
    if (!is_known) return std::unexpected(fmt::format("no upstream is named '{}'", upstream));
    return text;
  } catch (const Json::exception& problem) {
    return std::unexpected(std::string("not a response of the admin API: ") + problem.what());
  }
}

}  // namespace weir::admin
