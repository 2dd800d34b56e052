#include "exchange/error_advice.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "exchange/error_response.h"

using namespace weir;

TEST_CASE("error_advice: README.md has each word with its status, its flag, what it means and what to do") {
  std::ifstream file(std::filesystem::path(WEIR_SOURCE_DIR) / "README.md");
  REQUIRE(file);
  const std::string readme(std::istreambuf_iterator<char>(file), {});
  for (size_t i = 0; i <= static_cast<size_t>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const auto& meaning = meaning_of(code);
    const auto& advice = advice_on(code);
    const auto row = fmt::format("| {} | `{}` | {} | {} | {} |\n", meaning.status, name_of(code), name_of(meaning.flag),
                                 advice.meaning, advice.next_step);
    CAPTURE(row);
    CHECK(readme.contains(row));
  }
}

TEST_CASE("error_advice: a word leads back to its code, and another word to none") {
  for (size_t i = 0; i <= static_cast<size_t>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    CHECK(find_error(name_of(code)) == code);
  }
  CHECK_FALSE(find_error("overloaded"));
}

TEST_CASE("error_advice: no meaning is the name of a setting alone") {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto meaning = advice_on(static_cast<ErrorCode>(i)).meaning;
    CAPTURE(meaning);
    CHECK_FALSE((meaning.starts_with('`') && meaning.find('`', 1) == meaning.size() - 1));
  }
}
