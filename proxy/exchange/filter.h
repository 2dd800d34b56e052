#pragma once

#include "async/task.h"

namespace weir {

class Exchange;
class Chain;

/// The rest of the chain, as a filter sees it; a copyable position. Not calling it answers by oneself; calling
/// it again (after Exchange::rewind) is a retry.
class Next {
 public:
  Next(const Chain& chain, size_t position) : chain_(&chain), position_(position) {}
  Task<> operator()(Exchange& exchange) const;

 private:
  const Chain* chain_;
  size_t position_;
};

/// One link of a route's chain: a coroutine around the rest. Before `next` is the request's side; after it
/// there is always a response head, its body unread. One object per route, shared by all workers: const.
class Filter {
 public:
  virtual ~Filter() = default;
  virtual Task<> handle(Exchange& exchange, Next next) const = 0;
  /// Weir has refused a request of this route before the chain ran: what the filter adds to each response and log line.
  virtual void refused(Exchange&) const {}
};

/// What the chain's last link talks to: an upstream, a static answer, the admin API, a stub in a test. Leaves a
/// response, or a failure. Shared by all workers: const.
class Origin {
 public:
  virtual ~Origin() = default;
  virtual Task<> handle(Exchange& exchange) const = 0;
};

}  // namespace weir
