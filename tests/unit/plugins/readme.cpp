#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("plugins/README.md: the example that it shows is the one that is built here") {
  const std::filesystem::path source = WEIR_SOURCE_DIR;
  const std::string readme = read(source / "plugins/README.md");
  const std::string example = read(source / "tests/unit/plugins/example_teapot.cpp");
  const auto filter =
      example.substr(example.find("#include"), example.find("#include \"unit/") - example.find("#include"));
  const auto test = example.substr(example.find("TEST_CASE"));
  CHECK(readme.find(filter) != std::string::npos);
  CHECK(readme.find(test) != std::string::npos);
}
