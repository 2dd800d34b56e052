#include "base/read_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

using namespace weir;
using namespace std::chrono_literals;

namespace {

struct Place {
  std::string folder = [] {
    char name[] = "/tmp/weir-read-XXXXXX";
    REQUIRE(mkdtemp(name));
    return std::string(name);
  }();
  std::string path = folder + "/file";
  ~Place() { std::filesystem::remove_all(folder); }
};

}  // namespace

TEST_CASE("read file: a file is read, and a large one is left off after the wanted bytes") {
  const Place place;
  std::ofstream(place.path) << std::string(100'000, 'x');
  CHECK(read_file(place.path, 1 << 20)->size() == 100'000);
  const auto part = read_file(place.path, 50'000);
  CHECK(part->size() >= 50'000);
  CHECK(part->size() < 100'000);
}

TEST_CASE("read file: a reason is given for what can't be read") {
  const Place place;
  CHECK(read_file(place.path, 100).error() == "No such file or directory");
  CHECK(read_file(place.folder, 100).error() == "Is a directory");
}

TEST_CASE("read file: a named pipe that nobody writes keeps nobody waiting") {
  const Place place;
  REQUIRE(::mkfifo(place.path.c_str(), 0600) == 0);
  CHECK(read_file(place.path, 100)->empty());
  const int writer = ::open(place.path.c_str(), O_RDWR | O_CLOEXEC);  // opened, and silent
  CHECK(read_file(place.path, 100, 20ms).error() == "nobody wrote it for 20ms");
  ::close(writer);
}

TEST_CASE("read file: a pipe is read to its end") {
  const Place place;
  REQUIRE(::mkfifo(place.path.c_str(), 0600) == 0);
  const int writer = ::open(place.path.c_str(), O_RDWR | O_CLOEXEC);
  std::thread late([&] {
    std::this_thread::sleep_for(20ms);
    (void)!::write(writer, "late", 4);
    std::this_thread::sleep_for(20ms);
    ::close(writer);
  });
  CHECK(*read_file(place.path, 100, 20s) == "late");
  late.join();
}
