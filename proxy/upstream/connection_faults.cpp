#include "upstream/connection_faults.h"

#include "base/log.h"

namespace weir::upstream {

namespace {

constexpr std::array<const char*, 2> kReasons{"unsolicited_bytes", "silent"};

}  // namespace

void ConnectionFaults::count(ConnectionFault fault, const std::string& endpoint) {
  const auto index = static_cast<size_t>(fault);
  SharedCount* count = counts_[index].load(std::memory_order_acquire);
  if (!count) {
    count = &metrics_.counter("upstream_connection_faults", "Connections given up between requests, by reason",
                              {{"upstream", upstream_}, {"reason", kReasons[index]}});
    counts_[index].store(count, std::memory_order_release);
  }
  count->add();
  if (!log::is_debug()) return;
  log::debug("upstream_connection_given_up",
             {{"upstream", upstream_}, {"endpoint", endpoint}, {"reason", kReasons[index]}});
}

}  // namespace weir::upstream
