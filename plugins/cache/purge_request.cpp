#include "plugins/cache/purge_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "http/query.h"
#include "plugins/cache/url.h"

namespace weir::plugins {

namespace {

using Json = nlohmann::json;
using Kind = Purge::Kind;

constexpr std::array kKinds = {Kind::url, Kind::prefix, Kind::tag, Kind::all};

/// Gathers what was said, in either form; the first thing that is wrong counts.
class PurgeReader {
 public:
  explicit PurgeReader(Arena& arena) : arena_(arena) {}

  void read_query(std::string_view query) {
    while (!query.empty()) {
      const auto parameter = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(parameter.size() + 1, query.size()));
      if (parameter.empty()) continue;
      const auto equals = std::min(parameter.find('='), parameter.size());
      const auto value = parameter.substr(std::min(equals + 1, parameter.size()));
      take_parameter(http::decode_parameter(parameter.substr(0, equals), arena_),
                     http::decode_parameter(value, arena_));
    }
  }
  void read_json(std::string_view text) {
    std::set<std::string> names;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (event != Json::parse_event_t::key || depth != 1) return true;
      const auto& name = parsed.get_ref<const std::string&>();
      if (!names.insert(name).second) refuse({"'", name, "' is there twice"});
      return true;
    };
    const auto json = Json::parse(text, watch, false);
    if (!json.is_object()) return refuse({"the body is no JSON object"});
    for (const auto& [name, value] : json.items()) {
      if (value.is_string()) take(name, value.get_ref<const std::string&>());
      else if (value.is_boolean()) take(name, value.get<bool>());
      else refuse({"'", name, "' is neither a text nor true or false"});
    }
  }
  Result<PurgeRequest> finish() {
    if (problem_.empty() && !kind_) refuse({"give one of url, prefix, tag and all"});
    if (problem_.empty() && !is_sound(request_.purge))
      refuse({"the ", name_of(*kind_), " is empty, too long or has control characters"});
    if (!problem_.empty()) return fail(ErrorCode::bad_request, Side::client, problem_);
    return std::move(request_);
  }

 private:
  /// In a query true and false are words, and a name alone means true.
  void take_parameter(std::string_view name, std::string_view value) {
    if (name != "all" && name != "soft") return take(name, value);
    if (value == "false") take(name, false);
    else if (value == "true" || value.empty()) take(name, true);
    else refuse({"'", name, "' is true or false"});
  }
  void take(std::string_view name, std::string_view value) {
    if (name == "name") return take_name(value);
    const auto kind = kind_of(name);
    if (!kind && name != "soft") return refuse_name(name);
    if (!kind || *kind == Kind::all) return refuse({"'", name, "' is true or false"});
    take_kind(*kind, value);
  }
  void take(std::string_view name, bool value) {
    if (name == "soft") return take_soft(value);
    const auto kind = kind_of(name);
    if (!kind && name != "name") return refuse_name(name);
    if (kind != Kind::all) return refuse({"'", name, "' is a text"});
    if (value) take_kind(Kind::all, "");
  }

  void take_name(std::string_view value) {
    if (!request_.cache.empty()) return refuse({"'name' is there twice"});
    if (value.empty()) return refuse({"'name' is empty; leave it out to mean all caches"});
    request_.cache = value;
  }
  void take_soft(bool value) {
    if (has_soft_) return refuse({"'soft' is there twice"});
    has_soft_ = true;
    request_.purge.force = value ? Purge::Force::soft : Purge::Force::hard;
  }
  void take_kind(Kind kind, std::string_view value) {
    if (kind_) return refuse({"give only one of url, prefix, tag and all"});
    kind_ = kind;
    if (kind == Kind::url || kind == Kind::prefix) {
      const auto url = kind == Kind::url ? url_of(value, arena_) : url_prefix_of(value, arena_);
      if (!url) return refuse({"'", arena_.copy(value), "' is not a URL; write https://example.com/path"});
      value = *url;
    }
    request_.purge.kind = kind;
    request_.purge.text = value;
  }

  static std::optional<Kind> kind_of(std::string_view name) {
    const auto found = std::ranges::find(kKinds, name, [](Kind kind) { return name_of(kind); });
    return found == kKinds.end() ? std::nullopt : std::optional(*found);
  }
  void refuse_name(std::string_view name) {
    refuse({"unknown '", name, "'; there are name, url, prefix, tag, all and soft"});
  }
  void refuse(std::initializer_list<std::string_view> parts) {
    if (problem_.empty()) problem_ = arena_.concat(parts);
  }

  Arena& arena_;
  PurgeRequest request_;
  std::optional<Kind> kind_;
  bool has_soft_ = false;
  std::string_view problem_;
};

}  // namespace

Result<PurgeRequest> read_purge_request(std::string_view query, std::string_view body, Arena& arena) {
  PurgeReader reader(arena);
  reader.read_query(query);
  if (!body.empty()) reader.read_json(body);
  return reader.finish();
}

}  // namespace weir::plugins
