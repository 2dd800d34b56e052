#include "admin/upstreams_json.h"

#include <nlohmann/json.hpp>

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;

void add_known(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json[name] = text;
}

Json to_json(const CheckStatus& check) {
  return {{"passed", check.has_passed}, {"what", check.what}, {"at", check.at}, {"took_ms", check.took_ms}};
}

Json to_json(const EndpointStatus& endpoint) {
  Json json{{"address", endpoint.address},
            {"weight", endpoint.weight},
            {"backup", endpoint.is_backup},
            {"health", endpoint.health}};
  add_known(json, "by", endpoint.by);
  add_known(json, "why", endpoint.why);
  add_known(json, "since", endpoint.since);
  if (endpoint.check) json["check"] = to_json(*endpoint.check);
  if (endpoint.connect_failures > 0) json["connect_failures"] = endpoint.connect_failures;
  add_known(json, "paused_until", endpoint.paused_until);
  json["active"] = endpoint.active;
  json["connections"] = endpoint.connections;
  json["requests"] = endpoint.requests;
  json["failures"] = endpoint.failures;
  json["latency_ms"] = endpoint.latency_ms;
  return json;
}

Json to_json(const UpstreamStatus& upstream) {
  Json endpoints = Json::array();
  for (const auto& endpoint : upstream.endpoints) endpoints.push_back(to_json(endpoint));
  return {{"name", upstream.name},
          {"balance", upstream.balance},
          {"panic", upstream.is_panic},
          {"endpoints", std::move(endpoints)}};
}

}  // namespace

std::string upstreams_json(const std::vector<UpstreamStatus>& upstreams) {
  Json list = Json::array();
  for (const auto& upstream : upstreams) list.push_back(to_json(upstream));
  return Json{{"upstreams", std::move(list)}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weir::admin
