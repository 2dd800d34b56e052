#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace weir {

/// Why a response isn't simply the upstream's: one short code per cause, in the log and the metrics
/// (README has the table).
enum class Flag : uint32_t {
  UF = 1u << 0,     // upstream connection failed
  UH = 1u << 1,     // no healthy endpoint
  UO = 1u << 2,     // overflow: connections, requests or queue full
  UT = 1u << 3,     // upstream timed out
  UC = 1u << 4,     // upstream connection broke
  UP = 1u << 5,     // upstream broke the protocol
  DC = 1u << 6,     // client gone
  DPE = 1u << 7,    // client's request refused as malformed
  DT = 1u << 8,     // client too slow
  NR = 1u << 9,     // no route
  RL = 1u << 10,    // rate limited
  CB = 1u << 11,    // circuit open
  LR = 1u << 12,    // retried on a fresh connection
  URX = 1u << 13,   // retries: tried as often as it may be
  LOOP = 1u << 14,  // forwarding loop
  SH = 1u << 15,    // shed
  FB = 1u << 16,    // fallback
  ST = 1u << 17,    // stale
  SI = 1u << 18,    // idempotent replay
  IE = 1u << 19,    // internal error
  SD = 1u << 20,    // store down: decided without it
  NC = 1u << 21,    // wanted from the cache alone, and not there
  RBX = 1u << 22,   // retries: the budget is spent
};

/// How far a gRPC call has come: to an endpoint, and to an answer that is gRPC.
enum class CallStage : uint8_t { none, sent, answered };

/// What the log line and the metrics say of an exchange beside its heads. Filled by its owners, read once, when
/// the exchange is destroyed, however it ended.
struct AccessRecord {
  Time started{};  // first byte of the request
  Time head_received{};
  Time response_started{};  // first byte of the response handed to the socket
  Time finished{};
  uint64_t request_body_bytes = 0;
  uint64_t response_body_bytes = 0;  // sent, without framing
  uint16_t status = 0;               // what the client was sent; 0 = nothing, 499 in logs
  uint32_t flags = 0;
  CallStage call_stage = CallStage::none;
  std::optional<uint16_t> grpc_status;  // of a gRPC call that got as far as to have one

  void raise(Flag flag) { flags |= static_cast<uint32_t>(flag); }
  bool has(Flag flag) const { return flags & static_cast<uint32_t>(flag); }
};

/// "UF", "DC" …; for each flag that is set, in order.
template <class Visit>
void for_each_flag(uint32_t flags, Visit visit);
std::string_view name_of(Flag flag);

template <class Visit>
void for_each_flag(uint32_t flags, Visit visit) {
  for (; flags; flags &= flags - 1) visit(name_of(static_cast<Flag>(flags & -flags)));
}

}  // namespace weir
