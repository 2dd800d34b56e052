#include "store/redis_command.h"

#include <charconv>
#include <cstring>

namespace weir::store {

namespace {

constexpr size_t kLongestNumber = 20;
constexpr size_t kFrame = 1 + kLongestNumber + 2;  // "$", a length, CRLF

char* write_length(char* at, char kind, size_t length) {
  *at++ = kind;
  at = std::to_chars(at, at + kLongestNumber, length).ptr;
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

}  // namespace

std::string_view redis_command(Arena& arena, std::span<const std::string_view> words) {
  size_t most = kFrame;
  for (const auto word : words) most += kFrame + word.size() + 2;
  auto* const begin = static_cast<char*>(arena.bump(most, 1));
  char* at = write_length(begin, '*', words.size());
  for (const auto word : words) {
    at = write_length(at, '$', word.size());
    if (!word.empty()) std::memcpy(at, word.data(), word.size());
    at += word.size();
    *at++ = '\r';
    *at++ = '\n';
  }
  return {begin, at};
}

std::string_view redis_number(Arena& arena, int64_t number) {
  auto* const begin = static_cast<char*>(arena.bump(kLongestNumber, 1));
  return {begin, std::to_chars(begin, begin + kLongestNumber, number).ptr};
}

}  // namespace weir::store
