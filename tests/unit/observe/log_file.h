#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace weir::observe {

/// A log file in a directory of its own, gone with the test.
struct LogFile {
  std::string directory = [] {
    char name[] = "/tmp/weir-log-XXXXXX";
    REQUIRE(mkdtemp(name));
    return std::string(name);
  }();
  std::string path = directory + "/access.log";

  ~LogFile() { std::filesystem::remove_all(directory); }
  std::string text(const std::string& suffix = "") const {
    std::ifstream file(path + suffix);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace weir::observe
