#include "admin/circuit_table.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "admin/text_table.h"

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;
using Row = std::array<std::string, 8>;

Row row_of(const Json& circuit) {
  std::string state = circuit.at("state");
  if (circuit.at("forced")) state += " (forced)";
  const auto& since = circuit.at("since");
  return {circuit.at("name"),
          state,
          fmt::format("{:g} s", circuit.at("window_ms").get<double>() / 1000),
          circuit.at("attempts").dump(),
          circuit.at("failed").dump(),
          circuit.at("rejected").dump(),
          since.is_null() ? "start" : since.get<std::string>(),
          circuit.at("cause")};
}

}  // namespace

std::expected<std::string, std::string> circuit_table(std::string_view circuit_breakers_json) {
  std::vector<Row> rows{{"CIRCUIT", "STATE", "WINDOW", "ATTEMPTS", "FAILED", "REJECTED", "SINCE", "CAUSE"}};
  try {
    for (const auto& circuit : Json::parse(circuit_breakers_json).at("circuit_breakers")) {
      rows.push_back(row_of(circuit));
    }
  } catch (const Json::exception& problem) {
    return std::unexpected(std::string("not an answer of /circuit_breakers: ") + problem.what());
  }
  if (rows.size() == 1) return "";
  return text_table(rows, [](size_t column) { return column >= 2 && column < 6; }) +
         "FAILED counts the last WINDOW, by the circuit's statuses; FAILURES of an endpoint counts since the start.\n";
}

}  // namespace weir::admin
