#include "net/socket_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

using namespace weir::net;

namespace {
std::function<void()> after_look;  // what another process does after the next look at a file

int looked(int result) {
  if (const auto what = std::exchange(after_look, nullptr)) what();
  return result;
}
}  // namespace

// In the place of the C library's.
extern "C" int lstat(const char* path, struct stat* info) noexcept {
  return looked(::fstatat(AT_FDCWD, path, info, AT_SYMLINK_NOFOLLOW));
}
extern "C" int fstat(int fd, struct stat* info) noexcept { return looked(::fstatat(fd, "", info, AT_EMPTY_PATH)); }

namespace {

struct Place {
  std::string folder = [] {
    char name[] = "/tmp/weir-socket-XXXXXX";
    REQUIRE(mkdtemp(name));
    return std::string(name);
  }();
  std::string path = folder + "/s";
  ~Place() { std::filesystem::remove_all(folder); }

  void bind() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
  }
  mode_t mode() const {
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
  }
};

}  // namespace

TEST_CASE("socket file: anybody may connect unless a mode is set") {
  const Place place;
  place.bind();
  CHECK(set_access(place.path, {}));
  CHECK(place.mode() == 0666);
  CHECK(set_access(place.path, {.mode = 0600, .owner = ::getuid(), .group = ::getgid()}));
  CHECK(place.mode() == 0600);
}

TEST_CASE("socket file: the file is removed with its owner") {
  const Place place;
  place.bind();
  {
    const SocketFile file(place.path);
  }
  CHECK_FALSE(std::filesystem::exists(place.path));
}

TEST_CASE("socket file: a socket that another process put in its place stays") {
  const Place place;
  place.bind();
  {
    const SocketFile file(place.path);
    std::filesystem::rename(place.path, place.path + ".old");  // keeps the inode number in use
    place.bind();
    CHECK_FALSE(file.is_there());
  }
  CHECK(std::filesystem::exists(place.path));
}

TEST_CASE("socket file: neither a link nor a plain file is touched") {
  const Place place;
  std::filesystem::create_symlink("/dev/null", place.path);
  CHECK_FALSE(set_access(place.path, {}));
  {
    const SocketFile file(place.path);
  }
  CHECK(std::filesystem::is_symlink(place.path));
}

TEST_CASE("socket file: a link or a file that replaces the socket after the look stays as it is") {
  for (const bool is_link : {true, false}) {
    const Place place;
    place.bind();
    const std::string other = place.folder + "/other";
    std::ofstream(other) << "somebody's";
    std::filesystem::permissions(other, std::filesystem::perms::owner_read);
    after_look = [&] {
      std::filesystem::rename(place.path, place.path + ".old");
      if (is_link) {
        std::filesystem::create_symlink(other, place.path);
      } else {
        std::filesystem::create_hard_link(other, place.path);
      }
    };
    SocketAccess access{.mode = 0666};
    if (::geteuid() == 0) access.owner = 54321;
    (void)set_access(place.path, access);
    CHECK(after_look == nullptr);
    struct stat info{};
    REQUIRE(::stat(other.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0400);
    CHECK(info.st_uid == ::geteuid());
  }
}

TEST_CASE("socket file: the access before is told, for another step to give it back") {
  const Place place;
  place.bind();
  CHECK(set_access(place.path, {.mode = 0640}));
  const auto before = set_access(place.path, {.mode = 0600});
  REQUIRE(before);
  CHECK(*before == SocketAccess{.mode = 0640, .owner = ::geteuid(), .group = ::getegid()});
  CHECK(set_access(place.path, *before));
  CHECK(place.mode() == 0640);
}
