#include "cli/order_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/suggest.h"

namespace weir::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kListed = 30;

Json named(const Json& list, std::string_view key, std::string_view name) {
  const auto found = std::ranges::find_if(list, [&](const Json& one) { return one.at(key) == name; });
  return found == list.end() ? Json() : *found;
}

std::vector<std::string> names_of(const Json& list, std::string_view key) {
  std::vector<std::string> names;
  for (const auto& one : list) names.push_back(one.at(key));
  return names;
}

bool takes_nothing(const Json& endpoint) {
  return endpoint.at("health") == "draining" || endpoint.at("health") == "checking";
}

}  // namespace

std::string order_text(std::string_view upstreams_json, std::string_view upstream, std::string_view endpoint) {
  const auto one = named(Json::parse(upstreams_json).at("upstreams"), "name", upstream);
  const auto& endpoints = one.at("endpoints");
  const auto told = named(endpoints, "address", endpoint);
  const uint64_t active = told.at("active");
  auto text = fmt::format("endpoint {} of upstream {} is {}; {} request{} in flight\n", endpoint, upstream,
                          told.at("health").get<std::string>(), active, active == 1 ? "" : "s");
  if (std::ranges::all_of(endpoints, takes_nothing))
    text += fmt::format("upstream {} has no endpoint left: its requests are answered with 503\n", upstream);
  return text;
}

std::string unknown_endpoint(std::string_view upstreams_json, const std::string& upstream,
                             const std::string& endpoint) {
  const auto upstreams = Json::parse(upstreams_json).at("upstreams");
  const auto one = named(upstreams, "name", upstream);
  const auto known = one.is_null() ? names_of(upstreams, "name") : names_of(one.at("endpoints"), "address");
  const auto& asked = one.is_null() ? upstream : endpoint;
  const auto what = one.is_null() ? fmt::format("no upstream is named '{}'; ", upstream)
                                  : fmt::format("upstream '{}' has no endpoint '{}'; ", upstream, endpoint);
  return what + config::did_you_mean(asked, known) + (one.is_null() ? "upstreams: " : "endpoints: ") +
         config::join_first(known, kListed);
}

}  // namespace weir::cli
