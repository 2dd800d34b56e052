#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/cache/rules/request_values.h"

namespace weir::plugins {

/// A number for the names and values by which a response is chosen: equal for equal selections, seldom for others.
using Choice = uint64_t;
Choice choice_of(const Selection& selection);

/// What one request chooses, by each of some lists of names.
class Choices {
 public:
  static constexpr size_t kMost = 36;  // of two SelectionForms
  void add(Choice choice) {
    if (!has(choice)) choices_[count_++] = choice;
  }
  bool has(Choice choice) const {
    for (const auto known : all()) {
      if (known == choice) return true;
    }
    return false;
  }
  std::span<const Choice> all() const { return {choices_.data(), count_}; }

 private:
  std::array<Choice, kMost> choices_;
  size_t count_ = 0;
};

/// The lists of names by which the responses of one key are chosen, each once: few, whatever the number of responses.
/// So a request is hashed once for each list, and not compared with each response. Not thread-safe.
class SelectionForms {
 public:
  static constexpr size_t kMost = 16;  // lists with names

  bool has_room_for(const Selection& selection) const;
  /// One more response with this list of names, for which there is room.
  void add(const Selection& selection);
  /// One less.
  void remove(const Selection& selection);

  /// Adds what the request chooses by each list, and by none; nothing certain while `request.is_incomplete()`.
  void choose(RequestValues& request, Choices& choices) const;
  /// Adds the names of all lists.
  void add_names(std::vector<std::string_view>& names) const;

 private:
  struct Form {
    std::vector<std::string> names;
    size_t responses = 0;
    bool has_names_of(const Selection& selection) const;
  };
  std::vector<Form>::iterator find(const Selection& selection);

  std::vector<Form> forms_;
};

}  // namespace weir::plugins
