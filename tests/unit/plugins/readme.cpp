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
  const auto here = std::filesystem::path(__FILE__).parent_path();
  const std::string readme = read(here / "../../../plugins/README.md");
  const std::string example = read(here / "example_teapot.cpp");
  const auto filter =
      example.substr(example.find("#include"), example.find("#include \"unit/") - example.find("#include"));
  const auto test = example.substr(example.find("TEST_CASE"));
  CHECK(readme.find(filter) != std::string::npos);
  CHECK(readme.find(test) != std::string::npos);
}
