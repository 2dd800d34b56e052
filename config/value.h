#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// A configuration as data, in the order in which it was declared: the effective configuration, and defaults.
struct Value {
  enum class Kind : uint8_t { absent, boolean, number, text, list, map };

  Kind kind = Kind::absent;
  std::string scalar;  // boolean: true or false; number: decimal
  std::vector<Value> items;
  struct Entry;
  std::vector<Entry> entries;

  static Value of(bool value);
  static Value number(std::string digits);
  static Value text(std::string text);
  static Value list();
  static Value map();

  bool is_absent() const { return kind == Kind::absent; }
  const Value* find(std::string_view key) const;
};

struct Value::Entry {
  std::string name;
  Value value;
};

std::string to_json(const Value& value);
std::string to_yaml(const Value& value);

}  // namespace weir::config
