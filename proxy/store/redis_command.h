#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace weir::store {

/// Writes the words of a command as Redis reads them (RESP2: an array of bulk strings) into an arena.
class CommandWriter {
 public:
  /// `most`: bytes of all words; `words`: how many there are at most.
  CommandWriter(Arena& arena, size_t words, size_t most)
      : begin_(static_cast<char*>(arena.bump((words + 1) * kFrame + most, 1))), at_(begin_) {}

  /// First of all: how many words are to come.
  void count(size_t words) { length('*', words); }
  void word(std::string_view text);
  /// One word of three pieces; where it stands.
  std::string_view word(std::string_view first, std::string_view second, std::string_view third);
  void number(uint64_t number);
  /// What another has written.
  void written(std::string_view words) { put(words); }
  std::string_view text() const { return {begin_, at_}; }

  static constexpr size_t kLongestNumber = 20;
  static constexpr size_t kFrame = 1 + kLongestNumber + 4;  // "$", a length, two ends of lines

 private:
  void length(char kind, size_t length);
  void put(std::string_view text);
  void end_line();

  char* begin_;
  char* at_;
};

/// A whole command, in an arena.
std::string_view redis_command(Arena& arena, std::span<const std::string_view> words);
inline std::string_view redis_command(Arena& arena, std::initializer_list<std::string_view> words) {
  return redis_command(arena, std::span(words.begin(), words.size()));
}

/// A number as a word of a command.
std::string_view redis_number(Arena& arena, int64_t number);

}  // namespace weir::store
