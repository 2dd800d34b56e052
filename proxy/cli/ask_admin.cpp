#include "cli/ask_admin.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/text.h"

namespace weir::cli {

namespace {

using Clock = std::chrono::steady_clock;
using Failed = std::unexpected<std::string>;
constexpr auto kPatience = std::chrono::seconds(30);  // for connecting, asking and the whole response together

std::string request_text(const Admin& admin, const std::string& method, const std::string& path) {
  std::string text = method + " " + path + " HTTP/1.0\r\n";
  text += "Host: " + (admin.address.is_unix() ? "localhost" : admin.address.text()) + "\r\n";
  if (!admin.token.empty()) text += "Authorization: Bearer " + admin.token + "\r\n";
  return text + "Content-Length: 0\r\n\r\n";
}

/// A connection to the admin API, and one deadline for all that is done with it.
class Call {
 public:
  explicit Call(const net::Address& address)
      : address_(address), fd_(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// All that comes until the other side closes.
  std::expected<std::string, std::string> ask(const std::string& request) {
    if (const auto error = connect()) return Failed("can't reach " + address_.text() + ": " + std::strerror(error));
    for (size_t sent = 0; sent < request.size();) {
      const auto count = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (count >= 0) sent += static_cast<size_t>(count);
      else if (!may_go_on(POLLOUT)) return Failed("can't ask " + address_.text() + ": " + std::strerror(errno));
    }
    std::string answer;
    char bytes[16384];
    for (;;) {
      const auto count = ::recv(fd_, bytes, sizeof bytes, 0);
      if (count == 0) return answer;
      if (count > 0) answer.append(bytes, static_cast<size_t>(count));
      else if (!may_go_on(POLLIN)) return Failed(silence(answer));
      if (Clock::now() >= deadline_) return Failed(silence(answer));
    }
  }

 private:
  /// An errno; 0: connected.
  int connect() {
    if (fd_ < 0) return errno;
    if (::connect(fd_, address_.get(), address_.size()) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    if (!wait_for(POLLOUT)) return errno;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
  bool may_go_on(short events) {
    if (errno == EINTR) return true;
    return (errno == EAGAIN || errno == EWOULDBLOCK) && wait_for(events);
  }
  /// False, with errno, at the deadline.
  bool wait_for(short events) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      pollfd wanted{fd_, events, 0};
      const int ready = left > 0 ? ::poll(&wanted, 1, static_cast<int>(left)) : 0;
      if (ready > 0) return true;
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) errno = ETIMEDOUT;
      return false;
    }
  }
  std::string silence(const std::string& answer) const {
    if (Clock::now() < deadline_ && errno != ETIMEDOUT)
      return address_.text() + " didn't answer: " + std::strerror(errno);
    return address_.text() + " didn't answer within " + std::to_string(kPatience.count()) +
           " s: " + std::to_string(answer.size()) + " bytes came";
  }

  const net::Address& address_;
  const Clock::time_point deadline_ = Clock::now() + kPatience;
  int fd_;
};

/// The Content-Length of a head.
std::optional<size_t> length_of(std::string_view head) {
  constexpr std::string_view kName = "content-length:";
  while (!head.empty()) {
    const auto line = head.substr(0, head.find("\r\n"));
    if (line.size() > kName.size() && equals_ignoring_case(line.substr(0, kName.size()), kName)) {
      const auto value = parse_decimal(trim(line.substr(kName.size())));
      return value ? std::optional<size_t>(*value) : std::nullopt;
    }
    head.remove_prefix(std::min(head.size(), line.size() + 2));
  }
  return std::nullopt;
}

/// An HTTP/1.0 response. It ends by a close, which may come too early: each response of Weir's has a length.
std::expected<Answer, std::string> parse(const std::string& text) {
  const auto end = text.find("\r\n\r\n");
  Answer answer;
  if (text.size() < 12 || !text.starts_with("HTTP/1.") || end == std::string::npos)
    return Failed("that isn't an answer of weir");
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);
  answer.body = text.substr(end + 4);
  const auto length = length_of(std::string_view(text).substr(0, end));
  if (!length) return Failed("the answer has no length, so it may be incomplete");
  if (answer.body.size() < *length) {
    return Failed("the answer broke off after " + std::to_string(answer.body.size()) + " of " +
                  std::to_string(*length) + " bytes");
  }
  answer.body.resize(*length);
  return answer;
}

}  // namespace

std::expected<Answer, std::string> ask_admin(const Admin& admin, const std::string& method, const std::string& path) {
  const auto text = Call(admin.address).ask(request_text(admin, method, path));
  if (!text) return Failed(text.error());
  return parse(*text);
}

std::string escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                          (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (is_plain) out += c;
    else out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

}  // namespace weir::cli
