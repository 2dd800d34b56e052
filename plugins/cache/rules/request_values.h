#pragma once

#include <optional>
#include <string_view>

#include "exchange/arena_list.h"
#include "plugins/cache/rules/vary.h"

namespace weir::plugins {

/// The values of one request in the fields by which stored responses are chosen. Each value is joined and normalised
/// once, however many responses it is compared with.
///
/// Under a lock, `compare` and `value_of` do only what is cheap, and note what else is needed: `learn`, without the
/// lock, finds that out. Then the caller starts again.
class RequestValues {
 public:
  /// Both outlive it.
  RequestValues(const http::Headers& request, Arena& arena) : request_(request), arena_(arena), values_(arena) {}

  enum class Match : uint8_t {
    no,
    yes,
    unknown,  // until `learn`
  };
  Match compare(const Selection& selection);
  /// The normalised value of a field; null until `learn`.
  struct Value {
    std::string_view name;  // lower case
    bool is_absent = false;
    std::string_view text;  // normalised
  };
  const Value* value_of(std::string_view name);

  bool is_incomplete() const { return is_incomplete_; }
  /// Joins and normalises what was asked for. Not under a lock.
  void learn();

  // The same without a lock.
  bool matches(const Selection& selection);
  const Value& learned(std::string_view name);

 private:
  enum class State : uint8_t { unread, raw, normalised };
  struct Known : Value {  // `text` as the request has it, until it is normalised
    State state = State::unread;
    bool is_wanted = false;
  };
  Known& known(std::string_view name);
  void want(Known& value);

  const http::Headers& request_;
  Arena& arena_;
  ArenaList<Known> values_;
  bool is_incomplete_ = false;
};

}  // namespace weir::plugins
