#include "observe/access_log.h"

namespace weir::observe {

namespace {

constexpr size_t kEnough = 32 * 1024;
constexpr Duration kLatest = std::chrono::milliseconds(200);

constexpr std::string_view kFormatHint =
    "write json, combined, or a template of fields and keys: '{client} {method} {path} {status} {header.x-user}'";

}  // namespace

void decode(config::Reader& r, AccessLogSettings& settings) {
  r.shorthand("path");
  r.optional("path", settings.path, "where it goes: stdout, stderr, off, or a file", config::non_empty);
  r.optional("format", settings.format, "json, combined, or a template", config::non_empty);
  if (r.is_describing()) return;
  if (const auto format = LogFormat::parse(*settings.format); !format) {
    r.problems().add(settings.format.at, format.error(), std::string(kFormatHint));
  }
}

std::shared_ptr<AccessLog> AccessLog::open(const AccessLogSettings& settings, config::Problems& problems) {
  if (*settings.path == "off") return nullptr;
  auto format = LogFormat::parse(*settings.format);
  if (!format) return nullptr;  // told when it was read
  auto target = LogWriter::Target::open(*settings.path);
  if (!target) {
    problems.add(settings.path.at, target.error());
    return nullptr;
  }
  return std::make_shared<AccessLog>(std::move(*format), std::move(*target));
}

WorkerAccessLog::WorkerAccessLog(Loop& loop, Counter& drops) : loop_(loop), drops_(drops) {
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
  if (!append(exchange)) drops_.add();
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
