#include "base/text.h"

#include <doctest/doctest.h>

#include <string>

namespace weir {
namespace {

std::string members(std::string_view list) {
  std::string joined;
  for_each_member(list, [&](std::string_view member) {
    joined += "[" + std::string(member) + "]";
    return true;
  });
  return joined;
}

}  // namespace

TEST_CASE("text: case is ignored in ASCII letters alone") {
  CHECK(equals_ignoring_case("Keep-Alive", "keep-ALIVE"));
  CHECK_FALSE(equals_ignoring_case("keep-alive", "keep-aliv"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
  CHECK_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST_CASE("text: case is ignored in long texts, too, wherever the difference is") {
  const std::string text = "X-Forwarded-Proto-And-More";
  for (size_t size = 0; size <= text.size(); ++size) {
    std::string other = text.substr(0, size);
    for (char& c : other) c = to_lower(c);
    CHECK(equals_ignoring_case(text.substr(0, size), other));
    CHECK(equals_lower(text.substr(0, size), other));
    for (size_t at = 0; at < size; ++at) {
      std::string wrong = other;
      wrong[at] = wrong[at] == '-' ? '_' : '-';
      CHECK_FALSE(equals_ignoring_case(text.substr(0, size), wrong));
      CHECK_FALSE(equals_lower(text.substr(0, size), wrong));
    }
  }
  for (int c = 0; c < 256; ++c) {
    const std::string eight(8, static_cast<char>(c));
    const std::string lowered(8, to_lower(static_cast<char>(c)));
    CHECK(equals_ignoring_case(eight, lowered));
    CHECK(equals_ignoring_case(eight, std::string(8, static_cast<char>(c ^ 0x20))) ==
          (to_lower(static_cast<char>(c)) == to_lower(static_cast<char>(c ^ 0x20))));
  }
}

TEST_CASE("text: trim takes spaces and tabs at both ends") {
  CHECK(trim(" \t a b \t") == "a b");
  CHECK(trim(" \t ").empty());
  CHECK(trim("\ra\n") == "\ra\n");
}

TEST_CASE("text: a decimal number is digits, all of them, within 64 bits") {
  CHECK(parse_decimal("0") == 0);
  CHECK(parse_decimal("007") == 7);
  CHECK(parse_decimal("18446744073709551615") == UINT64_MAX);
  for (const auto* bad : {"", "+1", "-1", " 1", "1 ", "1a", "0x1", "18446744073709551616"}) {
    CHECK_FALSE(parse_decimal(bad).has_value());
  }
}

TEST_CASE("text: members of a list are trimmed, empty ones left out") {
  CHECK(members("a, b ,\tc") == "[a][b][c]");
  CHECK(members(",, a,,") == "[a]");
  CHECK(members("") == "");
}

TEST_CASE("text: a visit that returns false is the last") {
  int visits = 0;
  for_each_member("a,b,c", [&](std::string_view member) {
    ++visits;
    return member != "b";
  });
  CHECK(visits == 2);
}

}  // namespace weir
