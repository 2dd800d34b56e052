#include "admin/status_json.h"

#include <nlohmann/json.hpp>

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;

template <class List, class One>
Json list_of(const List& list, One one) {
  Json json = Json::array();
  for (const auto& entry : list) json.push_back(one(entry));
  return json;
}

void add_known(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json[name] = text;
}

Json to_json(const Status::Store& store) {
  Json json{{"kind", store.kind}, {"state", store.state}};
  if (!store.servers.empty()) json["servers"] = store.servers;
  add_known(json, "cache_pages", store.pages);
  json["on_failure"] = store.on_failure;
  json["instances"] = store.instances;
  return json;
}

Json to_json(const Status::Listener& listener) {
  return {{"name", listener.name},
          {"bind", listener.bind},
          {"kind", listener.kind},
          {"open", listener.open},
          {"accepted", listener.accepted}};
}

Json to_json(const Status::Certificate& certificate) {
  return {{"listener", certificate.listener},
          {"file", certificate.file},
          {"expires", certificate.expires},
          {"days", certificate.days}};
}

Json to_json(const Status::Counted& counted) {
  Json json{{"kind", counted.kind}, {"name", counted.name}};
  add_known(json, "route", counted.route);
  Json counts = Json::object();
  for (const auto& [name, count] : counted.counts) counts[name] = count;
  json["counts"] = std::move(counts);
  return json;
}

Json to_json(const Status::Queue& queue) {
  return {
      {"upstream", queue.upstream}, {"waiting", queue.waiting}, {"size", queue.size}, {"timeout_ms", queue.timeout_ms}};
}

Json to_json(const Status::Failure& failure) {
  Json json{{"error", failure.error}, {"count", failure.count}, {"at", failure.at}};
  json["seconds_ago"] = failure.seconds_ago;
  add_known(json, "upstream", failure.upstream);
  add_known(json, "by", failure.by);
  add_known(json, "detail", failure.detail);
  add_known(json, "endpoint", failure.endpoint);
  add_known(json, "route", failure.route);
  add_known(json, "request_id", failure.request_id);
  add_known(json, "method", failure.method);
  add_known(json, "host", failure.host);
  add_known(json, "path", failure.path);
  if (failure.replaced > 0) json["replaced"] = failure.replaced;
  return json;
}

}  // namespace

std::string status_json(const Status& status) {
  const auto one = [](const auto& entry) { return to_json(entry); };
  Json json{{"version", status.version}};
  add_known(json, "commit", status.commit);
  json["pid"] = status.pid;
  json["file"] = status.file;
  json["started"] = status.started;
  json["uptime_seconds"] = status.uptime_seconds;
  json["status"] = status.readiness;
  add_known(json, "why", status.why);
  if (const auto& reload = status.last_reload) {
    json["last_reload"] = {{"ok", reload->ok}, {"at", reload->at}};
    add_known(json["last_reload"], "text", reload->text);
  }
  json["workers"] = status.workers;
  json["requests_in_flight"] = status.requests_in_flight;
  json["loops"] = {
      {"most_ms", status.loops.most_ms}, {"longest_ms", status.loops.longest_ms}, {"stuck", status.loops.stuck}};
  json["store"] = to_json(status.store);
  json["listeners"] = list_of(status.listeners, one);
  json["certificates"] = list_of(status.certificates, one);
  json["limiters"] = list_of(status.limiters, one);
  json["caches"] = list_of(status.caches, one);
  json["queues"] = list_of(status.queues, one);
  json["failures"] = list_of(status.failures, one);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weir::admin
