#include "plugins/request_body/request_body.h"

#include <sys/resource.h>

#include <algorithm>

#include "async/race.h"
#include "base/log.h"
#include "base/paced.h"
#include "exchange/client_networks.h"
#include "exchange/exchange.h"

namespace weir::plugins {

namespace {

constexpr int64_t kFewFiles = 256;

/// Counts each fault, and logs one a second.
class FaultReport {
 public:
  FaultReport(const RequestBodySettings& settings, FilterContext& context)
      : route_(context.route), folder_(settings.folder), metrics_(context.metrics) {}

  void operator()(const BodyStorage::Fault& fault) const {
    metrics_
        .counter("request_bodies_not_stored", "Request bodies that a temporary file did not take or give back",
                 {{"route", route_}, {"step", std::string(fault.step)}})
        .add();
    const auto turn = log_lines_->turn(std::chrono::steady_clock::now());
    if (!turn) return;
    log::warn("request_body_not_stored", {{"route", route_},
                                          {"folder", folder_},
                                          {"step", fault.step},
                                          {"error", fault.reason()},
                                          {"untold", turn->untold}});
  }

 private:
  std::string route_;
  std::string folder_;
  FilterMetrics& metrics_;
  std::shared_ptr<Paced> log_lines_ = std::make_shared<Paced>();  // copies of a function share it
};

/// Most descriptors are for connections.
int64_t most_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kFewFiles;
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20) / 4);
}

SharedCount& buffered(FilterContext& context, const char* place) {
  return context.metrics.counter("request_bodies_buffered", "Request bodies that were read before they were sent",
                                 {{"route", context.route}, {"place", place}});
}

}  // namespace

RequestBodyBuffer::RequestBodyBuffer(const RequestBodySettings& settings, FilterContext& context)
    : in_memory_(buffered(context, "memory")),
      in_file_(buffered(context, "file")),
      waiting_(context.metrics.gauge("request_bodies_buffering", "Request bodies that are being read",
                                     {{"route", context.route}})) {
  auto& file_bytes = context.metrics.gauge("request_body_file_bytes", "Bytes of request bodies in temporary files",
                                           {{"route", context.route}});
  auto& disk_calls =
      context.metrics.gauge("request_body_disk_calls", "Calls to the disk of temporary files that are waited for",
                            {{"route", context.route}});
  storage_ = std::make_shared<const BodyStorage>(
      BodyStorage{.memory = settings.memory.count,
                  .folder = settings.folder,
                  .max_size = settings.max_size.count,
                  .most_files = most_files(),
                  .disk = context.process_state<DiskQueue>("request_body " + settings.folder, {}),
                  .files = context.process_state<FairShare>("request_body files", {}),
                  .bytes = context.process_state<FairShare>("request_body bytes " + settings.folder, {}),
                  .file_bytes = &file_bytes,
                  .disk_calls = &disk_calls,
                  .report = FaultReport(settings, context)});
}

Task<> RequestBodyBuffer::handle(Exchange& exchange, Next next) const {
  const bool is_tunnel = !exchange.request.protocol.empty();
  if (is_tunnel || exchange.request_body->size().is_empty()) co_return co_await next(exchange);
  const auto stored =
      std::make_shared<StoredBody>(exchange.worker, storage_, network_of(exchange.client.ip, exchange.arena()));
  const auto whole = co_await buffer(exchange, *stored);
  if (!whole) co_return exchange.fail(whole.error());
  (stored->is_in_file() ? in_file_ : in_memory_).add();
  exchange.request_body = make_in<StoredBodyReader>(exchange.arena(), exchange.arena(), stored);
  co_await next(exchange);
}

Task<Result<>> RequestBodyBuffer::buffer(Exchange& exchange, StoredBody& stored) const {
  const Presence presence(waiting_);
  auto& body = *exchange.request_body;
  if (exchange.deadline == Time::max()) co_return co_await stored.fill(body);
  const auto whole = co_await before(exchange.loop(), exchange.deadline, stored.fill(body));
  if (whole) co_return *whole;
  if (const auto error = stored.overdue()) co_return std::unexpected(*error);
  co_return fail(ErrorCode::request_timeout, Side::client, "the request body took all the time");
}

}  // namespace weir::plugins
