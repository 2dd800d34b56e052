#include <chrono>

#include "observe/gather.h"

namespace weir::observe {

/// How the workers' loops turn: a long turn delays all connections of its worker.
void gather_turns(const Workers& workers, Families& families) {
  HistogramTotal total;
  for (const auto* worker : workers) total.add(worker->turns.turns());
  families.histogram("worker_turn_seconds", "Turns of the workers' event loops, from wake-up to the next wait", {},
                     total);
  const auto now = std::chrono::steady_clock::now();
  for (size_t i = 0; i < workers.size(); ++i) {
    families.gauge("worker_longest_turn_seconds", "The longest loop turn since the last scrape",
                   {{"worker", std::to_string(i)}},
                   std::chrono::duration<double>(workers[i]->turns.take_longest(now)).count());
  }
  for (size_t i = 0; i < workers.size(); ++i) {
    families.counter("worker_stuck", "Loop turns that lasted longer than `watchdog`", {{"worker", std::to_string(i)}},
                     static_cast<double>(workers[i]->stuck_turns.value()));
  }
  for (size_t i = 0; i < workers.size(); ++i) {
    families.gauge("worker_blocks_in_use", "Blocks of memory that requests and connections hold, every 2 s",
                   {{"worker", std::to_string(i)}}, static_cast<double>(workers[i]->blocks.value()));
  }
}

}  // namespace weir::observe
