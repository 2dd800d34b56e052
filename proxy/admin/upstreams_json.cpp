#include "admin/upstreams_json.h"

#include <nlohmann/json.hpp>

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const EndpointStatus& endpoint) {
  return {
      {"address", endpoint.address},   {"weight", endpoint.weight},     {"backup", endpoint.is_backup},
      {"health", endpoint.health},     {"active", endpoint.active},     {"connections", endpoint.connections},
      {"requests", endpoint.requests}, {"failures", endpoint.failures}, {"latency_ms", endpoint.latency_ms},
  };
}

Json to_json(const UpstreamStatus& upstream) {
  Json endpoints = Json::array();
  for (const auto& endpoint : upstream.endpoints) endpoints.push_back(to_json(endpoint));
  return {{"name", upstream.name}, {"balance", upstream.balance}, {"endpoints", std::move(endpoints)}};
}

}  // namespace

std::string upstreams_json(const std::vector<UpstreamStatus>& upstreams) {
  Json list = Json::array();
  for (const auto& upstream : upstreams) list.push_back(to_json(upstream));
  return Json{{"upstreams", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weir::admin
