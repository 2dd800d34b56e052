#pragma once

#include <atomic>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/units.h"

namespace weir::log {

enum class Level : uint8_t { debug, info, warn, error };
enum class Format : uint8_t { text, json };
std::string_view name_of(Level level);

/// One `key=value` of a log line. Lives for the call that it is written in.
class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : Field(key, std::string_view(value)) {}
  Field(std::string_view key, const std::string& value) : Field(key, std::string_view(value)) {}
  Field(std::string_view key, std::same_as<bool> auto value)
      : key_(key), value_(value ? "true" : "false"), is_bare_(true) {}
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Field(std::string_view key, I value) : key_(key), is_bare_(true) {
    const auto [end, error] = std::to_chars(number_, number_ + sizeof number_, value);
    number_size_ = static_cast<uint8_t>(end - number_);
  }

  std::string_view key() const { return key_; }
  std::string_view value() const { return number_size_ ? std::string_view(number_, number_size_) : value_; }
  /// A number or a boolean, which JSON writes without quotes.
  bool is_bare() const { return is_bare_; }

 private:
  std::string_view key_;
  std::string_view value_;
  char number_[24];
  uint8_t number_size_ = 0;
  bool is_bare_ = false;
};
using Fields = std::initializer_list<Field>;

// The process log on stderr: one line is one event, in the past tense: log::info("reload_finished", {{"file", path}}).
// Level `error` means that someone must act. Any thread. A caller never waits for the reader of stderr: a thread writes
// the lines, and lines beyond a queue of 1 MiB are dropped and counted.
void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warn(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});
void write(Level level, std::string_view event, Fields fields);
/// Text of several lines for a person at a terminal, as it is.
void text(std::string_view lines);

namespace detail {
inline constinit std::atomic<Level> level{Level::info};
}
/// Events below this level are not written. Any thread, at run time; `info` at start.
inline Level level() { return detail::level.load(std::memory_order_relaxed); }
inline void set_level(Level level) { detail::level.store(level, std::memory_order_relaxed); }
/// Asked before the fields of a debug event are put together, which costs one load and one comparison.
inline bool is_debug() { return level() == Level::debug; }
void set_format(Format format);
Format format();

/// Lines that were dropped since the start of the process.
uint64_t dropped_lines();
/// For the end of the process: waits until this log and those of destroyed LogWriters are written, `most` at the
/// longest.
void finish(Duration most);

/// `event key=value key="with spaces"`: values are quoted when they need it, control bytes escaped, long ones
/// truncated.
std::string line(std::string_view event, Fields fields);
/// {"ts":…,"level":"info","event":"started","workers":4}: the same as JSON, with numbers as numbers.
std::string json_line(std::string_view timestamp, Level level, std::string_view event, Fields fields);

}  // namespace weir::log
