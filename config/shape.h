#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/rules.h"
#include "config/value.h"

namespace weir::config {

/// What may be written at one place of the configuration: filled by the same functions that read it, turned into
/// a JSON Schema and a reference by schema.h.
struct Shape {
  enum class Kind : uint8_t {
    any,
    boolean,
    integer,
    number,
    text,
    duration,
    size,
    rate,
    ratio,
    list,
    named,
    block,
    tagged
  };
  struct Field;

  Kind kind = Kind::any;
  std::string about;
  bool required = false;
  Value fallback;  // the default, if there is one worth showing
  Rules rules;
  std::vector<Field> fields;  // block: its settings; tagged: its alternatives
  std::vector<Shape> item;    // list, named: the one shape of all elements
  std::string shorthand;      // block: a bare value stands for this setting
  bool shorthand_takes_lists = false;
  std::vector<std::vector<std::string>> exactly_one;
  std::vector<std::vector<std::string>> at_most_one;
};

struct Shape::Field {
  std::string name;
  Shape shape;
};

using Description = Shape;

}  // namespace weir::config
