#include "plugins/fallback/settings.h"

#include <algorithm>

#include "http/syntax.h"

namespace weir::plugins {

// What each kind of step is written with.

struct ToStale {
  Duration within{};
  Conditions on;
};
struct ToUpstream {
  config::Located<std::string> name;
  Conditions on;
};
struct ToRespond {
  uint16_t status = 503;
  config::Located<std::string> body;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<config::Named<std::string>> headers;
  Conditions on;
};
struct ToProblem {
  Conditions on;
};

namespace {

constexpr std::string_view kOn = "when this one is taken, if not as for all: words as above";

void check_header(config::Reader& r, const config::Named<std::string>& header) {
  if (!http::is_token(header.name)) {
    r.problems().add(header.at, "'" + header.name + "' is not a field name", "as in Cache-Control");
  } else if (!std::ranges::all_of(header.value, http::is_field_byte)) {
    r.problems().add(header.at, "a field value has no control characters", "write it on one line");
  }
}

}  // namespace

void decode(config::Reader& r, ToStale& settings) {
  r.shorthand("within");
  r.required("within", settings.within, "how far past its freshness a stored response may be, whatever it says itself",
             config::at_least(std::chrono::seconds(1)));
  r.optional("on", settings.on, kOn);
}

void decode(config::Reader& r, ToUpstream& settings) {
  r.shorthand("name");
  r.required("name", settings.name, "an upstream, asked in place of the route's own", config::non_empty);
  r.optional("on", settings.on, kOn);
}

void decode(config::Reader& r, ToRespond& settings) {
  r.optional("status", settings.status, "its status", config::in_range(200, 599));
  r.optional("body", settings.body, "a text with key expressions in braces; '{{' is a brace");
  r.optional("content_type", settings.content_type, "of the body", config::non_empty);
  r.optional("headers", settings.headers, "NAME: value", config::field_values);
  r.optional("on", settings.on, kOn);
  if (r.is_describing()) return;
  if (const auto parsed = TextTemplate::parse(*settings.body); !parsed) {
    r.problem_at("body", parsed.error(), "keys stand in braces: '{path}'; write '{{' and '}}' for braces, as in JSON");
  }
  for (const auto& header : settings.headers) check_header(r, header);
}

void decode(config::Reader& r, ToProblem& settings) { r.optional("on", settings.on, kOn); }

namespace {

const config::Tags<FallbackStep>& steps() {
  using Kind = FallbackStep::Kind;
  static const config::Tags<FallbackStep> all = {
      config::tag<ToStale, FallbackStep>("stale", "answers with what the cache behind this filter has stored",
                                         [](ToStale settings, const config::Location&) {
                                           return FallbackStep{
                                               .kind = Kind::stale, .on = settings.on, .within = settings.within};
                                         }),
      config::tag<ToUpstream, FallbackStep>("upstream", "asks another upstream",
                                            [](ToUpstream settings, const config::Location&) {
                                              return FallbackStep{
                                                  .kind = Kind::upstream, .on = settings.on, .upstream = settings.name};
                                            }),
      config::tag<ToRespond, FallbackStep>("respond", "answers with a text",
                                           [](ToRespond settings, const config::Location&) {
                                             return FallbackStep{.kind = Kind::respond,
                                                                 .on = settings.on,
                                                                 .status = settings.status,
                                                                 .content_type = settings.content_type,
                                                                 .body = TextTemplate::parse(*settings.body).value(),
                                                                 .headers = settings.headers};
                                           }),
      config::tag<ToProblem, FallbackStep>("problem",
                                           "answers with a page of Weir's own in place of the upstream's error",
                                           [](ToProblem settings, const config::Location&) {
                                             return FallbackStep{.kind = Kind::problem, .on = settings.on};
                                           }),
  };
  return all;
}

}  // namespace

std::string FallbackStep::name() const {
  switch (kind) {
    case Kind::stale: return "stale";
    case Kind::upstream: return "upstream:" + *upstream;
    case Kind::respond: return "respond";
    case Kind::problem: return "problem";
  }
  return {};
}

void decode(config::Reader& r, FallbackSettings& settings) {
  r.optional("on", settings.on, "when to fall back: " + Conditions::words());
  r.tagged_list("to", settings.to, steps(), "what to fall back on, in this order: the next when one fails, too");
  r.optional("non_idempotent", settings.non_idempotent,
             "POST, PATCH and the like may go to a second upstream though the first may have seen them");
  r.optional("body", settings.body, "the largest request body that is kept for a second upstream",
             config::at_most(Bytes{16 * 1024 * 1024}));
  r.optional("header", settings.header,
             "marks such a response, with what it is: stale, an upstream's name, respond, problem");
  if (r.is_describing()) return;
  if (settings.to.empty() && !r.failed()) r.problem("has nothing to fall back on", "as in to: [upstream: spare]");
  if (!http::is_token(*settings.header)) r.problem_at("header", "'" + *settings.header + "' is not a field name");
}

}  // namespace weir::plugins
