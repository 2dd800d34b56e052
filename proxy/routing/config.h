#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "config/names.h"
#include "config/reader.h"
#include "exchange/filter_context.h"
#include "exchange/key_expression.h"
#include "exchange/request_body_settings.h"
#include "http/target.h"
#include "routing/pattern.h"
#include "routing/template.h"

namespace weir::routing {

/// All that is given must hold; within one list, one of its members. Empty = any.
struct MatchSettings {
  std::vector<HostPattern> hosts;
  PathPattern path;
  std::vector<std::string> methods;
  std::vector<config::Named<FieldPattern>> headers;
  std::vector<config::Named<FieldPattern>> query;
  std::vector<config::Located<std::string>> listeners;
  config::Location at;
  config::Location path_at{};
};

struct RewriteSettings {
  std::optional<std::string> prefix;  // in place of the matched one
  std::optional<std::string> regex;   // of the whole path; a path that it doesn't match stays
  std::optional<std::string> to;      // with \1 … \9; what follows a '?' is a query
  std::optional<std::string> host;
};

struct SplitSettings {
  std::vector<config::Named<uint32_t>> weights;  // 0 … 1000, not all 0
  KeyExpression key;                             // empty: by turns
};

struct RedirectSettings {
  Template to;
  uint16_t status = 302;
};

struct RespondSettings {
  uint16_t status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<config::Named<std::string>> headers;
};

/// One member of `routes:`. Just one of upstream, split, redirect, respond.
struct RouteSettings {
  config::Located<std::string> name;
  std::string identity{};  // the name, or what stands for it in the names of state (`route_identity`)
  std::string salt{};      // of its split: the name, or its match alone (`match_identity`)
  MatchSettings match;
  std::vector<config::Tagged<FilterFactory>> filters;
  std::optional<RewriteSettings> rewrite;
  Duration timeout{};                         // 0 = none
  std::optional<Bytes> max_body;              // none: whatever fits elsewhere
  std::string_view max_body_by = "max_body";  // the setting that says so
  RequestBodySettings request_body;
  bool early_data = false;
  bool grpc = false;
  Expect expect = Expect::answer;
  std::optional<config::Located<std::string>> upstream;
  std::optional<SplitSettings> split;
  std::optional<RedirectSettings> redirect;
  std::optional<RespondSettings> respond;
};

void decode(config::Reader& r, MatchSettings& out);
void decode(config::Reader& r, RewriteSettings& out);
void decode(config::Reader& r, RedirectSettings& out);
void decode(config::Reader& r, RespondSettings& out);
void decode(config::Reader& r, RouteSettings& out);

/// The names that routes refer to.
struct KnownNames {
  config::NameSet upstreams;
  config::NameSet listeners;
};

/// Adds a Problem for each path that no request has in the form that routes match, and a warning for expressions that
/// may be meant for the other form. Before `resolve`, which leaves routes with Problems alone.
void check_paths(const std::vector<RouteSettings>& routes, http::PathPolicy::Match match, config::Problems& problems);

/// What only all routes together tell: gives "route-1" … to those without a name, for people, and an identity to all,
/// and adds Problems for names that
/// are used twice or that nothing has, and for routes that no request reaches.
void resolve(std::vector<RouteSettings>& routes, const KnownNames& known, config::Problems& problems);

}  // namespace weir::routing

namespace weir::config {

/// `{ api: 90, canary: 10 }`, or `{ weights: { api: 90, canary: 10 }, key: cookie.sid }`.
template <>
struct Type<routing::SplitSettings> {
  static void read(Reader& r, routing::SplitSettings& out);
};

}  // namespace weir::config
