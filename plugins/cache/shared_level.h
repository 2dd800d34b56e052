#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "exchange/exchange.h"
#include "plugins/cache/storage/object.h"
#include "plugins/cache/storage/packed.h"
#include "plugins/cache/storage/purges.h"
#include "plugins/cache/storage/shelf.h"

namespace weir::plugins {

/// The second level of a cache: responses in the store, for all processes that share the store. A failure of the store
/// is a miss. Immutable; any thread.
class SharedLevel {
 public:
  SharedLevel(std::string name, uint64_t max_object) : name_(std::move(name)), max_object_(max_object) {}

  /// The response to this request. Null when the store has none, when an order to forget covers it, when `shelf` (which
  /// pays for the body's memory) has no room for it now, or when too many long bodies are being read.
  Task<std::shared_ptr<Object>> find(Exchange& exchange, std::string_view key, std::string_view url,
                                     const Purges& purges, Shelf& shelf) const;
  /// `purge_id`: the newest order to forget when it was asked for (`Purges::newest_id`).
  /// `full`: three quarters of the store's memory are taken, and it keeps what it has.
  enum class Put : uint8_t { done, full, failed };
  Task<Put> put(Exchange& exchange, std::string_view key, const Object& object, std::string_view purge_id) const;

 private:
  /// Appends the pieces of a body to `content`. False when a piece is missing, or is of another body or length.
  Task<bool> find_body(Exchange& exchange, std::string_view variant, Pieces pieces, Content& content,
                       Shelf& shelf) const;
  Task<Put> put_body(Exchange& exchange, std::string_view variant, Pieces pieces, Content& content,
                     Duration keep) const;
  Task<Put> put_value(Exchange& exchange, Arena& arena, std::string_view place, std::string_view value,
                      Duration keep) const;
  std::string_view place_of(std::string_view key, Arena& arena) const;
  std::string_view place_of(std::string_view place, const Object& object, Arena& arena) const;
  template <class ValueOf>
  std::string_view place_of(std::string_view place, const Selection& selection, Arena& arena, ValueOf value_of) const;

  const std::string name_;
  const uint64_t max_object_;
};

}  // namespace weir::plugins
