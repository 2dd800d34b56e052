#pragma once

#include <optional>

#include "base/arena.h"

struct redisReader;

namespace weir::store {

/// Where hiredis builds the replies that it reads: memory that is used anew for each, instead of several mallocs for
/// every item. A reply lives until the next one begins to be read. Outlives the reader that it serves.
class RedisReplyPool {
 public:
  void serve(redisReader& reader);

 private:
  struct Builder;

  BlockPool blocks_{4096, 1};
  std::optional<Arena> arena_;  // the current reply's
};

}  // namespace weir::store
