#include "admin/status_table.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "admin/text_table.h"

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kColumns = 10;
constexpr size_t kFirstNumber = 4;  // from here on to the right
constexpr size_t kWhy = 9;
using Row = std::array<std::string, kColumns>;

/// "4 connections in a row failed, paused until 2026-01-01T00:00:00.000Z"; nothing without a failure.
std::string pause_of(const Json& endpoint) {
  const int failures = endpoint.value("connect_failures", 0);
  if (failures == 0) return "";
  const auto until = endpoint.value("paused_until", "");
  return fmt::format("{} connection{} in a row failed{}{}", failures, failures == 1 ? "" : "s",
                     until.empty() ? "" : ", paused until ", until);
}

/// "check: 3 checks in a row failed: status 503, since 2026-01-01T00:00:00.000Z"; nothing for one that is up and takes
/// connections.
std::string why_of(const Json& endpoint) {
  auto pause = pause_of(endpoint);
  if (!endpoint.contains("why")) return pause;
  return fmt::format("{}: {}, since {}{}{}", endpoint.value("by", ""), endpoint.value("why", ""),
                     endpoint.value("since", "the start"), pause.empty() ? "" : "; ", pause);
}

/// "up", "up (paused)", "down (backup)".
std::string health_of(const Json& endpoint) {
  std::string health = endpoint.at("health");
  if (endpoint.contains("paused_until")) health += " (paused)";
  if (endpoint.at("backup")) health += " (backup)";
  return health;
}

Row row_of(const std::string& name, const std::string& balance, const Json& endpoint) {
  const double latency = endpoint.at("latency_ms");
  return {name,
          balance,
          endpoint.at("address"),
          health_of(endpoint),
          endpoint.at("weight").dump(),
          endpoint.at("active").dump(),
          endpoint.at("requests").dump(),
          endpoint.at("failures").dump(),
          latency > 0 ? fmt::format("{:.1f} ms", latency) : "-",
          why_of(endpoint)};
}

/// An upstream's name and policy stand in its first row only.
void add_rows(const Json& upstream, std::vector<Row>& rows) {
  std::string name = upstream.at("name");
  std::string balance = upstream.at("balance");
  if (upstream.value("panic", false)) balance += " (panic)";
  if (upstream.at("endpoints").empty()) rows.push_back({name, balance, "(no endpoints)"});
  for (const auto& endpoint : upstream.at("endpoints")) {
    rows.push_back(row_of(std::exchange(name, ""), std::exchange(balance, ""), endpoint));
  }
}

}  // namespace

std::expected<std::string, std::string> status_table(std::string_view upstreams_json) {
  std::vector<Row> rows{
      {"UPSTREAM", "BALANCE", "ENDPOINT", "HEALTH", "WEIGHT", "ACTIVE", "REQUESTS", "FAILURES", "LATENCY", "WHY"}};
  try {
    for (const auto& upstream : Json::parse(upstreams_json).at("upstreams")) add_rows(upstream, rows);
  } catch (const Json::exception& problem) {
    return std::unexpected(std::string("not an answer of /upstreams: ") + problem.what());
  }
  return text_table(rows, [](size_t column) { return column >= kFirstNumber && column != kWhy; });
}

}  // namespace weir::admin
