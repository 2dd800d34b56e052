#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

namespace weir {

enum class TakesSignals : uint8_t { no, yes };

/// Starts a thread without rights of its own. Capabilities belong to single threads, and only the main thread needs one
/// (to bind low ports); the others hold none, unless the process is root's, and no program that they might start gains
/// any. Throws std::system_error when the kernel refuses a thread.
std::thread start_thread(const std::string& name, TakesSignals takes_signals, std::move_only_function<void()> body);

}  // namespace weir
