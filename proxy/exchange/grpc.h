#pragma once

#include <optional>
#include <string_view>

#include "base/units.h"
#include "http/headers.h"

namespace weir {

/// How a gRPC call is put into HTTP: messages as they are with trailers behind (HTTP/2), or gRPC-Web, where trailers
/// are the last message, as bytes or in base64.
enum class GrpcForm : uint8_t { none, grpc, web, web_text };

struct GrpcType {
  GrpcForm form = GrpcForm::none;
  std::string_view suffix;  // how messages are coded, and parameters: "+proto", "+json", ""
};

/// Of a Content-Type: `application/grpc`, `application/grpc-web`, `application/grpc-web-text`, each with a suffix or
/// not.
GrpcType grpc_type(std::string_view content_type);
GrpcType grpc_type(const http::Headers& headers);

/// Itself, not as gRPC-Web.
inline bool is_grpc(const http::Headers& headers) { return grpc_type(headers).form == GrpcForm::grpc; }

/// The call's time by `grpc-timeout`; nothing when it has no bound, or none that can be read.
std::optional<Duration> grpc_timeout(const http::Headers& headers);

}  // namespace weir
