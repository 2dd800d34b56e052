#pragma once

#include <mutex>

#include "base/list.h"
#include "base/units.h"

namespace weir::plugins {

class Content;

/// The bodies of one cache that take memory without being stored: on their way, or read by a client after they left the
/// shelf. Any thread.
class LooseBodies {
 public:
  void add(Content& content);
  void remove(Content& content);
  /// Drops bodies that are read so slowly that they would take memory for more than 40 s, the slowest first, until they
  /// have given back so many bytes. Looks at them once a second at most. For when memory is short: one client that
  /// takes next to nothing must not keep the cache from storing for all others.
  void drop_slowest(Time now, int64_t bytes);

 private:
  std::mutex mutex_;
  List<Content> bodies_;
  Time looked_ = Time::min();
};

}  // namespace weir::plugins
