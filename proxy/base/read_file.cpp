#include "base/read_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace weir {

namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

/// False when nothing came until then.
bool wait_for_bytes(int fd, Time until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  pollfd poll_fd{fd, POLLIN, 0};
  return left.count() > 0 && ::poll(&poll_fd, 1, static_cast<int>(left.count())) != 0;
}

}  // namespace

std::expected<std::string, std::string> read_file(const std::string& path, size_t most, Duration patience) {
  const Time until = std::chrono::steady_clock::now() + patience;
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.fd < 0) return std::unexpected(std::string(std::strerror(errno)));
  std::string text;
  char piece[16 * 1024];
  while (text.size() < most) {
    const ssize_t count = ::read(file.fd, piece, sizeof piece);
    if (count == 0) break;
    if (count > 0) {
      text.append(piece, static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      if (!wait_for_bytes(file.fd, until)) return std::unexpected("nobody wrote it for " + format(patience));
    } else if (errno != EINTR) {
      return std::unexpected(std::string(std::strerror(errno)));
    }
  }
  return text;
}

}  // namespace weir
