#pragma once

#include <string>
#include <vector>

#include "exchange/conditions.h"
#include "exchange/text_template.h"

namespace weir::plugins {

/// One thing to fall back on, as it is written.
struct FallbackStep {
  enum class Kind : uint8_t { stale, upstream, respond, problem } kind = Kind::problem;
  Conditions on;                          // empty: those of the filter
  Duration within{};                      // of Kind::stale: past its freshness
  config::Located<std::string> upstream;  // of Kind::upstream
  // Of Kind::respond.
  uint16_t status = 503;
  std::string content_type = "text/plain; charset=utf-8";
  TextTemplate body;
  std::vector<config::Named<std::string>> headers;

  /// "stale", "upstream:spare", "respond"
  std::string name() const;
};

struct FallbackSettings {
  Conditions on{"connect_failure", "reset", "timeout", "circuit_open", "no_endpoint", "overflow", "gateway_error"};
  std::vector<config::Tagged<FallbackStep>> to;
  bool non_idempotent = false;
  Bytes body{64 * 1024};
  config::Located<std::string> header{"x-weir-fallback"};
};
void decode(config::Reader& r, FallbackSettings& settings);

}  // namespace weir::plugins
