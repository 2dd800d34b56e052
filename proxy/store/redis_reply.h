#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace weir::store {

/// What Redis answered: a value whose texts and items live in the arena that it was read into.
struct Reply {
  enum class Type : uint8_t { nothing, text, integer, list, error } type = Type::nothing;
  int64_t integer = 0;
  std::string_view text;  // of an error: "OOM command not allowed…"
  std::span<const Reply> items;

  bool is_error() const { return type == Type::error; }
  /// The item at `index`; an empty reply beyond the last, since a peer decides how many there are.
  const Reply& operator[](size_t index) const;
};

/// Why Redis didn't do what it was asked.
enum class Fault : uint8_t {
  timeout,
  not_connected,
  connection_lost,
  auth,
  out_of_memory,
  read_only,
  loading,
  cannot_persist,
  cluster_down,
  overloaded,
  unexpected,  // an answer that makes no sense, or an error that isn't known
};
inline constexpr size_t kFaults = static_cast<size_t>(Fault::unexpected) + 1;

/// For logs and metrics: "timeout", "oom", "readonly".
std::string_view name_of(Fault fault);
/// What an error reply means.
Fault fault_of(const Reply& error);

using Answer = std::expected<Reply, Fault>;

}  // namespace weir::store
