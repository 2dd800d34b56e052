#pragma once

#include "exchange/chain.h"
#include "exchange/filter_context.h"
#include "exchange/request_body_settings.h"
#include "exchange/stored_body.h"

namespace weir::plugins {

/// Reads a request's whole body before the filters behind it and the upstream see the request. Not of tunnels. No
/// client can keep its body from being read first, whatever it calls the content. A setting of the route, and so no
/// entry of `filters`.
class RequestBodyBuffer final : public Filter {
 public:
  static constexpr std::string_view kName = "request_body";
  static constexpr std::string_view kAbout = "reads the whole request body before the request goes on";

  RequestBodyBuffer(const RequestBodySettings& settings, FilterContext& context);
  Task<> handle(Exchange& exchange, Next next) const override;

 private:
  Task<Result<>> buffer(Exchange& exchange, StoredBody& stored) const;

  std::shared_ptr<const BodyStorage> storage_;
  SharedCount& in_memory_;
  SharedCount& in_file_;
  SharedCount& waiting_;
};

}  // namespace weir::plugins
