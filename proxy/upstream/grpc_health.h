#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::upstream {

/// grpc.health.v1: one unary call, POSTed with Content-Type `application/grpc` and `te: trailers`.
inline constexpr std::string_view kGrpcHealthPath = "/grpc.health.v1.Health/Check";

enum class ServingStatus : uint8_t { unknown, serving, not_serving, service_unknown };

/// The call's body: a HealthCheckRequest for `service` ("" is the server as a whole), with its length in front.
std::string grpc_health_request(std::string_view service);

/// What the whole body of an answer says: one HealthCheckResponse; nothing when it isn't one. A status that is newer
/// than this code is `unknown`.
std::optional<ServingStatus> grpc_health_status(std::string_view body);

}  // namespace weir::upstream
