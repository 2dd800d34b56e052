#include "base/log.h"

#include <unistd.h>

#include <array>
#include <memory>
#include <mutex>
#include <system_error>

#include "base/line.h"
#include "base/log_writer.h"
#include "base/wall_clock_text.h"

namespace weir::log {

namespace {

constexpr size_t kBatches = 8;  // 1 MiB
constexpr LineLimits kLimits{.value = 4 * 1024, .values = 24 * 1024};
using Room = std::array<char, 32 * 1024>;  // 8 KiB for the names of fields
constinit std::atomic<Format> current_format{Format::text};
constinit std::atomic<bool> is_used{false};  // else no thread is started for the end of the process

bool needs_quotes(std::string_view value) {
  return value.empty() || std::ranges::any_of(value, [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '"' || c == '=' || c == '\\';
         });
}

/// The writer of stderr. If no thread can be started, lines are written directly, as long as stderr takes them at once.
class ProcessLog {
 public:
  /// Never destroyed: any thread may log until the process has ended.
  static ProcessLog& get() {
    static auto& made = *new ProcessLog;
    return made;
  }

  void write(std::string_view lines) {
    is_used.store(true, std::memory_order_relaxed);
    if (writer_) return writer_->write(lines);
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || direct_.write(lines).count != lines.size()) dropped_->fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t dropped() const { return dropped_->load(std::memory_order_relaxed); }
  void finish(Duration most) {
    if (writer_) writer_->wait_until_written(most);
  }

 private:
  ProcessLog() {
    LogWriterOptions options{.batches = kBatches, .dropped = dropped_, .tell = [](const LogNews& news) {
                               // A log that fails can't tell so itself.
                               if (news.what == LogNews::What::recovered)
                                 warn("log_lines_dropped", {{"lines", news.lines}});
                             }};
    try {
      writer_ = std::make_unique<LogWriter>(LogTarget(STDERR_FILENO, ""), std::move(options));
    } catch (const std::system_error&) {
    }
  }

  DroppedLines dropped_ = std::make_shared<std::atomic<uint64_t>>(0);
  std::unique_ptr<LogWriter> writer_;
  std::mutex mutex_;
  LogTarget direct_{STDERR_FILENO, ""};
};

std::string_view timestamp() {
  thread_local WallClockText text;
  return text.rfc3339(std::chrono::system_clock::now());
}

void add_fields(Line& line, std::string_view event, Fields fields) {
  line.add(event);
  for (const Field& field : fields) {
    line.add(' ');
    line.add(field.key());
    line.add('=');
    if (field.is_bare()) {
      line.add(field.value());
      continue;
    }
    const std::string_view quote = needs_quotes(field.value()) ? "\"" : "";
    line.add(quote);
    line.add_quoted(field.value());
    line.add(quote);
  }
}

void add_json(Line& line, std::string_view timestamp, Level level, std::string_view event, Fields fields) {
  line.add(R"({"ts":")");
  line.add(timestamp);
  line.add(R"(","level":")");
  line.add(name_of(level));
  line.add(R"(","event":")");
  line.add(event);
  line.add('"');
  for (const Field& field : fields) {
    line.add(",\"");
    line.add(field.key());
    line.add(field.is_bare() ? "\":" : "\":\"");
    if (field.is_bare()) {
      line.add(field.value());
    } else {
      line.add_json(field.value());
      line.add('"');
    }
  }
  line.add('}');
}

std::string_view text_of(const Room& room, const Line& line) { return {room.data(), line.size()}; }

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warn";
    case Level::error: return "error";
  }
  return "info";
}

std::string line(std::string_view event, Fields fields) {
  Room room;
  Line line(room, kLimits);
  add_fields(line, event, fields);
  return std::string(text_of(room, line));
}

std::string json_line(std::string_view timestamp, Level level, std::string_view event, Fields fields) {
  Room room;
  Line line(room, kLimits);
  add_json(line, timestamp, level, event, fields);
  return std::string(text_of(room, line));
}

void write(Level level, std::string_view event, Fields fields) {
  if (level < log::level()) return;
  Room room;
  Line line(std::span(room).first(room.size() - 1), kLimits);
  if (format() == Format::json) {
    add_json(line, timestamp(), level, event, fields);
  } else {
    line.add(timestamp());
    line.add(' ');
    line.add(name_of(level));
    line.add(' ');
    add_fields(line, event, fields);
  }
  room[line.size()] = '\n';
  ProcessLog::get().write({room.data(), line.size() + 1});
}

void text(std::string_view lines) { ProcessLog::get().write(lines); }

void debug(std::string_view event, Fields fields) { write(Level::debug, event, fields); }
void info(std::string_view event, Fields fields) { write(Level::info, event, fields); }
void warn(std::string_view event, Fields fields) { write(Level::warn, event, fields); }
void error(std::string_view event, Fields fields) { write(Level::error, event, fields); }

void set_format(Format format) { current_format.store(format, std::memory_order_relaxed); }
Format format() { return current_format.load(std::memory_order_relaxed); }

uint64_t dropped_lines() { return ProcessLog::get().dropped(); }

void finish(Duration most) {
  const auto begun = std::chrono::steady_clock::now();
  const auto lines = LogWriter::wait_for_ended(most * 3 / 4);
  if (lines > 0) warn("access_log_cut_off", {{"lines", lines}});
  if (is_used) ProcessLog::get().finish(most - (std::chrono::steady_clock::now() - begun));
}

}  // namespace weir::log
