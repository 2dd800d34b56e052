#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::plugins {

/// A member of a Dictionary, without its parameters. Views of the field.
struct DictionaryMember {
  enum class Type : uint8_t { boolean, integer, decimal, string, token, bytes, list };
  std::string_view key;
  Type type = Type::boolean;
  int64_t number = 1;     // an integer, or a boolean: 0 or 1
  std::string_view text;  // of a string what stands between the quotes, escapes left as they came; a token

  bool is_true() const { return type == Type::boolean && number == 1; }
};

/// Takes a Dictionary apart (RFC 8941 section 4.2.2). Of members with the same key the last counts. Once something
/// doesn't fit, the whole field is void.
class Dictionary {
 public:
  /// All of the field's lines, joined.
  explicit Dictionary(std::string_view field);
  /// Nothing at the end, and after a failure.
  std::optional<DictionaryMember> next();
  bool has_failed() const { return has_failed_; }

 private:
  using Type = DictionaryMember::Type;

  bool starts_with(char c) const { return rest_.starts_with(c); }
  bool take(char c);
  template <class Fits>
  std::string_view take_while(Fits fits);
  void skip_spaces();
  void fail();

  void next_member();
  std::string_view key();
  void parameters();
  void item(DictionaryMember& member);
  void list();
  void boolean(DictionaryMember& member);
  void number(DictionaryMember& member);
  void string(DictionaryMember& member);
  void bytes();

  std::string_view rest_;
  bool has_failed_ = false;
};

}  // namespace weir::plugins
