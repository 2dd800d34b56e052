#pragma once

#include <string_view>

namespace weir::runtime {

/// Tells systemd's service manager (sd_notify(3)): "READY=1", "STOPPING=1" … Nothing without NOTIFY_SOCKET.
/// Never waits: a message that the manager does not take at once is lost, and an event tells so.
void notify_service_manager(std::string_view state);
/// RELOADING=1 with the time that Type=notify-reload asks for.
void notify_reloading();

}  // namespace weir::runtime
