#include "net/socket_file.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

using namespace weir::net;

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
