#pragma once

#include <memory>
#include <string>

#include "exchange/filter_context.h"
#include "plugins/request_id/id_source.h"

namespace weir::plugins {

struct RequestIdSettings {
  config::Located<std::string> header{"X-Request-Id"};
};
void decode(config::Reader& r, RequestIdSettings& settings);

/// Gives each exchange its id: the client's when a trusted peer sent a sound one, else a new UUIDv7. The id goes to
/// the upstream, back to the client, into the log and onto error pages.
class RequestId : public Filter {
 public:
  RequestId(std::string header, std::shared_ptr<PerWorker<IdSource>> sources)
      : header_(std::move(header)), sources_(std::move(sources)) {}
  Task<> handle(Exchange& exchange, Next next) const override;
  void refused(Exchange& exchange) const override;

 private:
  std::string_view choose(Exchange& exchange) const;

  std::string header_;
  std::shared_ptr<PerWorker<IdSource>> sources_;
};

config::Tag<FilterFactory> request_id_filter();

}  // namespace weir::plugins
