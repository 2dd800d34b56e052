#include "net/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace weir::net {

namespace {

constexpr int kCapacity = 256 * 1024;  // asked for; a system that grants less has pipes of 64 KiB
constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

Transfer failure() {
  if (errno == EAGAIN || errno == EINTR) return {Transfer::State::blocked};
  return {Transfer::State::failed, 0, errno};
}

}  // namespace

std::unique_ptr<SplicePipe> SplicePipe::open() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  ::fcntl(ends[1], F_SETPIPE_SZ, kCapacity);
  return std::unique_ptr<SplicePipe>(new SplicePipe(ends[0], ends[1]));
}

SplicePipe::~SplicePipe() {
  ::close(out_);
  ::close(in_);
}

Transfer SplicePipe::fill(const Socket& socket, size_t most) {
  const ssize_t count = ::splice(socket.fd(), nullptr, in_, nullptr, most, kFlags);
  if (count == 0) return {Transfer::State::ended};
  if (count < 0) return failure();
  held_ += static_cast<size_t>(count);
  return {Transfer::State::moved, static_cast<size_t>(count)};
}

Transfer SplicePipe::drain(const Socket& socket) {
  size_t moved = 0;
  while (held_ > 0) {
    const ssize_t count = ::splice(out_, nullptr, socket.fd(), nullptr, held_, kFlags);
    if (count <= 0) return failure();
    held_ -= static_cast<size_t>(count);
    moved += static_cast<size_t>(count);
  }
  return {Transfer::State::moved, moved};
}

SplicePipes::Lease SplicePipes::take() {
  if (free_.empty()) return Lease(SplicePipe::open().release(), GiveBack{this});
  auto pipe = std::move(free_.back());
  free_.pop_back();
  return Lease(pipe.release(), GiveBack{this});
}

void SplicePipes::give_back(std::unique_ptr<SplicePipe> pipe) {
  if (pipe->held() == 0 && free_.size() < kKept) free_.push_back(std::move(pipe));
}

}  // namespace weir::net
