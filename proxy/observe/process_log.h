#pragma once

#include <array>

#include "base/log.h"
#include "config/reader.h"

namespace weir::log {

constexpr auto choices(Level*) {
  return std::array{config::Choice<Level>{"debug", Level::debug}, config::Choice<Level>{"info", Level::info},
                    config::Choice<Level>{"warn", Level::warn}, config::Choice<Level>{"error", Level::error}};
}
constexpr auto choices(Format*) {
  return std::array{config::Choice<Format>{"text", Format::text}, config::Choice<Format>{"json", Format::json}};
}

}  // namespace weir::log

namespace weir::observe {

/// `log: { level: info, format: text }`: the process log on stderr.
struct ProcessLogSettings {
  log::Level level = log::Level::info;
  log::Format format = log::Format::text;
};
void decode(config::Reader& r, ProcessLogSettings& settings);

/// Puts the settings into effect. A level that was changed at run time stays, unless the file's level changes.
void use_process_log(const ProcessLogSettings& settings, const ProcessLogSettings* before);

}  // namespace weir::observe
