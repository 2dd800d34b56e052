#pragma once

#include <memory>
#include <vector>

#include "net/socket.h"

namespace weir::net {

/// A pipe of the kernel's, through which bytes go from one plain socket to another without being copied (splice(2)).
/// One thread.
class SplicePipe {
 public:
  /// Null when there are no descriptors left.
  static std::unique_ptr<SplicePipe> open();
  SplicePipe(const SplicePipe&) = delete;
  SplicePipe& operator=(const SplicePipe&) = delete;
  ~SplicePipe();

  /// Bytes that are in it.
  size_t held() const { return held_; }
  /// From `socket`, at most `most` bytes. Only into an empty pipe: a full one can't be told from an empty socket.
  Transfer fill(const Socket& socket, size_t most);
  /// To `socket`, as much as it takes. `moved` = all of it.
  Transfer drain(const Socket& socket);

 private:
  SplicePipe(int out, int in) : out_(out), in_(in) {}

  int out_;
  int in_;
  size_t held_ = 0;
};

/// A worker's pipes that wait for their next use. One with bytes left in it isn't used again.
class SplicePipes {
 public:
  struct GiveBack {
    SplicePipes* pipes;
    void operator()(SplicePipe* pipe) const { pipes->give_back(std::unique_ptr<SplicePipe>(pipe)); }
  };
  using Lease = std::unique_ptr<SplicePipe, GiveBack>;

  /// Null when there are no descriptors left.
  Lease take();

 private:
  void give_back(std::unique_ptr<SplicePipe> pipe);

  static constexpr size_t kKept = 64;
  std::vector<std::unique_ptr<SplicePipe>> free_;
};

}  // namespace weir::net
