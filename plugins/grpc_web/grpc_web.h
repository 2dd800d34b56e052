#pragma once

#include "exchange/filter_context.h"

namespace weir::plugins {

struct GrpcWebSettings {};
void decode(config::Reader& r, GrpcWebSettings& settings);

/// Lets browsers call gRPC services: a gRPC-Web request goes on as gRPC, its answer comes back as gRPC-Web, over
/// whatever version of HTTP the client speaks. Errors that come through the filter are told as gRPC-Web. All other
/// requests pass untouched; a call is a POST.
class GrpcWeb : public Filter {
 public:
  Task<> handle(Exchange& exchange, Next next) const override;
};

config::Tag<FilterFactory> grpc_web_filter();

}  // namespace weir::plugins
