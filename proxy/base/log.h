#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::log {

enum class Level : uint8_t { debug, info, warn, error };

/// One `key=value` of a log line. Lives for the call that it is written in.
class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : Field(key, std::string_view(value)) {}
  Field(std::string_view key, const std::string& value) : Field(key, std::string_view(value)) {}
  Field(std::string_view key, std::same_as<bool> auto value) : key_(key), value_(value ? "true" : "false") {}
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Field(std::string_view key, I value) : key_(key), number_(std::to_string(value)) {}

  std::string_view key() const { return key_; }
  std::string_view value() const { return number_.empty() ? value_ : std::string_view(number_); }

 private:
  std::string_view key_;
  std::string_view value_;
  std::string number_;
};
using Fields = std::initializer_list<Field>;

// The process log on stderr: one line is one event, in the past tense: log::info("reload_finished", {{"file", path}}).
// Level `error` means that someone must act. Any thread.
void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warn(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});
void write(Level level, std::string_view event, Fields fields);

/// What is below isn't written. Any thread, at run time; `info` at start.
void set_level(Level level);
Level level();

/// `event key=value key="with spaces"`: values are quoted when they need it, control bytes escaped.
std::string line(std::string_view event, Fields fields);

}  // namespace weir::log
