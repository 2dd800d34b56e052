#pragma once

#include <string>

#include "async/clock.h"
#include "async/task_group.h"
#include "cli/cli.h"
#include "exchange/exchange.h"
#include "runtime/snapshot.h"

namespace weir::cli {

/// A request that no client sent, on a worker of its own: for `explain`. No socket is opened.
class Rehearsal {
 public:
  explicit Rehearsal(store::Store& store);
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;
  ~Rehearsal() { background_.cancel(); }

  /// Makes the request that `arguments` describe, as a connection of the chosen listener would. An error is what the
  /// client would be refused with.
  Result<> prepare(const ExplainArguments& arguments, const runtime::Configuration& configuration);
  /// Runs the filters and what they end in. False when they still wait, for a time or for another request.
  bool run(const Chain& chain);

  Exchange& exchange() { return exchange_; }
  Arena& arena() { return arena_; }
  /// The chosen listener, and why that one: "edge (port 8443)".
  const std::string& listener() const { return listener_; }

 private:
  void arrive_at(const runtime::ListenerSettings& listener, const std::string& why);

  SteadyClock clock_;
  Loop loop_{clock_};
  TaskGroup background_;
  BlockPool blocks_{8 * 1024};
  BlockPool buffers_{64 * 1024};
  WorkerContext worker_;
  Arena arena_{blocks_};
  Exchange exchange_;
  std::string listener_;
};

}  // namespace weir::cli
