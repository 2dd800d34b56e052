#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/units.h"
#include "exchange/chain.h"

namespace weir {

class Exchange;

/// Who answers `Expect: 100-continue`: Weir, as soon as somebody reads the body, or the endpoint.
enum class Expect : uint8_t { answer, forward };

/// Where a request goes once it matched: part of the snapshot, immutable.
struct Route {
  std::string name;
  std::string identity{};  // the name that was written, else what the route matches and where it leads
  uint32_t index = 0;      // in the configuration's order; metrics cells go by it
  Chain chain;
  Duration timeout{};                         // whole exchange; 0 = none
  uint64_t max_body = UINT64_MAX;             // request body bytes, else 413
  std::string_view max_body_by = "max_body";  // the setting that says so
  bool takes_early_data = false;              // of safe methods, else 425
  bool is_grpc = false;                       // requests of gRPC's content type are calls, whatever they came over
  Expect expect = Expect::answer;
};

/// 413, with the limit.
Error too_large(Exchange& exchange, const Route& route);

/// Finds the route of a request: routing's router, or a stub. Immutable, shared by all workers.
class RouteTable {
 public:
  virtual ~RouteTable() = default;
  /// The first route that matches `exchange.request` (by its `matched_path`), or null. May set
  /// `exchange.destination`.
  virtual const Route* find(Exchange& exchange) const = 0;
  /// Whether that route is still there, for what outlives the snapshot that it began with.
  virtual bool has(const Route&) const { return true; }
};

}  // namespace weir
