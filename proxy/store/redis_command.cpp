#include "store/redis_command.h"

#include <charconv>
#include <cstring>

namespace weir::store {

void CommandWriter::end_line() {
  *at_++ = '\r';
  *at_++ = '\n';
}

void CommandWriter::put(std::string_view text) {
  if (!text.empty()) std::memcpy(at_, text.data(), text.size());
  at_ += text.size();
}

void CommandWriter::length(char kind, size_t length) {
  *at_++ = kind;
  at_ = std::to_chars(at_, at_ + kLongestNumber, length).ptr;
  end_line();
}

void CommandWriter::word(std::string_view text) {
  length('$', text.size());
  put(text);
  end_line();
}

std::string_view CommandWriter::word(std::string_view first, std::string_view second, std::string_view third) {
  length('$', first.size() + second.size() + third.size());
  const char* const begin = at_;
  for (const auto piece : {first, second, third}) put(piece);
  const std::string_view word(begin, at_);
  end_line();
  return word;
}

void CommandWriter::number(uint64_t number) {
  char digits[kLongestNumber];
  word({digits, std::to_chars(digits, std::end(digits), number).ptr});
}

std::string_view redis_command(Arena& arena, std::span<const std::string_view> words) {
  size_t bytes = 0;
  for (const auto word : words) bytes += word.size();
  CommandWriter command(arena, words.size(), bytes);
  command.count(words.size());
  for (const auto word : words) command.word(word);
  return command.text();
}

std::string_view redis_number(Arena& arena, int64_t number) {
  constexpr size_t kLongest = CommandWriter::kLongestNumber;
  auto* const begin = static_cast<char*>(arena.bump(kLongest, 1));
  return {begin, std::to_chars(begin, begin + kLongest, number).ptr};
}

}  // namespace weir::store
