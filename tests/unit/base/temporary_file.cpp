#include "base/temporary_file.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>

using namespace weir;

namespace {

struct Folder {
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "weir-XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

}  // namespace

TEST_CASE("temporary file: what was written is read again, at any place, and the file has no name") {
  const Folder folder;
  TemporaryFile file;
  REQUIRE(file.open(folder.path) == 0);
  CHECK(file.append("hello ") == 0);
  CHECK(file.append("world") == 0);
  CHECK(std::filesystem::is_empty(folder.path));
  std::string text;
  CHECK(file.read(0, 5, text) == 0);
  CHECK(text == "hello");
  CHECK(file.read(6, 100, text) == 0);
  CHECK(text == "world");
  CHECK(file.read(11, 100, text) == 0);
  CHECK(text == "");
}

TEST_CASE("temporary file: a folder that is not there, or takes no files, is an error") {
  TemporaryFile file;
  CHECK(file.open("/no/such/folder") == ENOENT);
  CHECK(file.open("/proc") != 0);
  CHECK_FALSE(file.is_open());
}
