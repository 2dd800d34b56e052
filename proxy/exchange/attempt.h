#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/units.h"

namespace weir {

/// How one attempt ended, as a breaker, an outlier detector or a retry sees it.
enum class Outcome : uint8_t {
  pending,
  answered,  // a whole response head came; its status decides
  refused,   // no connection
  timed_out,
  broken,  // reset, bad bytes, cut short
  // These say nothing about the endpoint:
  abandoned,  // the client left or another attempt won
  unable,     // this machine lacks a descriptor, a port or memory for the connection; nothing was sent
};

constexpr bool concerns_endpoint(Outcome outcome) { return outcome > Outcome::pending && outcome < Outcome::abandoned; }

/// One try of an exchange, appended by the Origin. Texts live as long as the exchange.
struct Attempt {
  uint32_t number = 1;
  std::string_view upstream;
  std::string_view endpoint;          // "127.0.0.1:9001"
  const void* endpoint_id = nullptr;  // which endpoint it was, for balancers that skip those tried
  bool reused = false;                // over a connection that had carried a request before
  bool was_cut = false;               // ended by Weir: the endpoint went down
  bool has_crossed = false;           // a 408 was on its way before any byte of the request had arrived
  bool is_clients_failure = false;  // the endpoint gave up on a client that kept it waiting, and says so by its status
  uint16_t status = 0;
  Time started{};
  Time connected{};
  Time sent{};      // all of the request was out; not set while it isn't
  Time answered{};  // the response head was whole
  Outcome outcome = Outcome::pending;

  /// How long the request's body took to come and go, until `now` when it isn't all out: the client's time.
  Duration body_time(Time now) const {
    return connected > Time{} ? (sent > Time{} ? sent : now) - connected : Duration{};
  }
  /// How long the endpoint took until its response's head, without the client's time.
  Duration answer_time() const { return answered - started - body_time(answered); }
};

}  // namespace weir
