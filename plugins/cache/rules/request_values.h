#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "exchange/arena_list.h"
#include "plugins/cache/rules/vary.h"

namespace weir::plugins {

/// The values of one request in the fields by which stored responses are chosen. Each value is joined and normalised
/// once, however many responses it is compared with, and found by the hash of its name.
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
  struct Known : Value {
    uint64_t hash = 0;  // of the name
    bool is_learned = false;
  };
  Known& known(std::string_view name);
  uint32_t* place_of(uint64_t hash, std::string_view name);
  void index_all();

  const http::Headers& request_;
  Arena& arena_;
  ArenaList<Known> values_;
  std::span<uint32_t> index_;  // by hash, open addressing: a value's number plus 1; 0: free
  bool is_incomplete_ = false;
};

}  // namespace weir::plugins
