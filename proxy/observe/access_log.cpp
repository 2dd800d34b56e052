#include "observe/access_log.h"

#include <system_error>

#include "base/log.h"

namespace weir::observe {

namespace {

constexpr size_t kEnough = 32 * 1024;
constexpr Duration kLatest = std::chrono::milliseconds(200);

constexpr std::string_view kFormatHint =
    "write json, combined, or a template of fields and keys: '{client} {method} {path} {status} {header.x-user}'";

void tell(const LogNews& news) {
  using What = LogNews::What;
  switch (news.what) {
    case What::lagging:
      return log::error("access_log_lines_dropped",
                        {{"file", news.log}, {"why", "the log's reader or disk is too slow"}});
    case What::no_reader: return log::warn("access_log_has_no_reader", {{"file", news.log}});
    case What::failing: return log::error("access_log_write_failed", {{"file", news.log}, {"error", news.why}});
    case What::recovered: return log::warn("access_log_recovered", {{"file", news.log}, {"dropped_lines", news.lines}});
    case What::reopened: return log::info("access_log_reopened", {{"file", news.log}});
    case What::reopen_failed: return log::error("access_log_reopen_failed", {{"file", news.log}, {"error", news.why}});
  }
}

}  // namespace

void decode(config::Reader& r, AccessLogSettings& settings) {
  r.shorthand("path");
  r.optional("path", settings.path, "where it goes: stdout, stderr, off, or a file", config::non_empty);
  r.optional("format", settings.format, "json, combined, or a template", config::non_empty, config::no_variables);
  if (r.is_describing()) return;
  if (const auto format = LogFormat::parse(*settings.format); !format) {
    r.problems().add(settings.format.at, format.error(), std::string(kFormatHint));
  }
}

std::string AccessLogSettings::file() const {
  return *path == "off" || LogTarget::is_stream(*path) ? std::string() : *path;
}

AccessLog::AccessLog(LogFormat format, LogTarget target, DroppedLines dropped)
    : format_(std::move(format)),
      is_stream_(target.path().empty()),
      writer_(std::move(target), {.dropped = std::move(dropped), .tell = tell}) {}

void AccessLog::reopen() {
  if (is_stream_) return log::info("access_log_not_reopened", {{"why", "it is a standard stream"}});
  writer_.reopen();
}

std::shared_ptr<AccessLog> AccessLog::open(const AccessLogSettings& settings, config::Problems& problems,
                                           DroppedLines dropped) {
  if (*settings.path == "off") return nullptr;
  auto format = LogFormat::parse(*settings.format);
  if (!format) return nullptr;  // told when it was read
  auto target = LogTarget::open(*settings.path);
  if (!target) {
    problems.add(settings.path.at, target.error());
    return nullptr;
  }
  try {
    return std::make_shared<AccessLog>(std::move(*format), std::move(*target), std::move(dropped));
  } catch (const std::system_error& error) {
    problems.add(settings.path.at, std::string("the log's thread can't be started: ") + error.what());
    return nullptr;
  }
}

WorkerAccessLog::WorkerAccessLog(Loop& loop) : loop_(loop) {
  tardiness_.log = this;
  tardiness_.run = [](Ready& self) { static_cast<Tardiness&>(static_cast<TimerNode&>(self)).log->flush(); };
}

void WorkerAccessLog::use(std::shared_ptr<AccessLog> log) {
  flush();
  log_ = std::move(log);
}

void WorkerAccessLog::write(Exchange& exchange) {
  if (!log_) return;
  if (append(exchange)) return;
  flush();  // perhaps it fits into an empty batch
  if (!append(exchange)) log_->writer().drop(1);
}

bool WorkerAccessLog::append(Exchange& exchange) {
  if (!batch_) {
    batch_ = log_->writer().take();
    if (!batch_) return false;
    loop_.start_timer(tardiness_, kLatest);
  }
  const auto age = loop_.now() - exchange.record.started;
  const auto started = std::chrono::floor<std::chrono::milliseconds>(loop_.clock().wall() - age);
  Line line(batch_->room());
  log_->format().append(line, exchange, log_->format().timestamp(wall_, started));
  if (!line.is_whole()) return false;
  batch_->size += line.size();
  if (batch_->size >= kEnough) flush();
  return true;
}

void WorkerAccessLog::flush() {
  tardiness_.unlink();
  if (!batch_) return;
  log_->writer().submit(std::move(batch_));
}

}  // namespace weir::observe
