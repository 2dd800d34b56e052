#pragma once

#include <variant>

#include "http/codec.h"
#include "http/field_gate.h"
#include "http/line_scanner.h"

struct llhttp__internal_s;

namespace weir::http {

/// Reads one head (or trailer section) into its arena, in any fragmentation. Bytes go through the
/// LineScanner, are copied to the arena in one piece, and reach llhttp in whole lines, so that every name and
/// value is a view of that one copy. Takes no byte past the empty line.
///
/// Lives in the arena too. After an Error it must not be used again.
class HeadReader {
 public:
  HeadReader(RequestHead& head, const HeadLimits& limits);
  HeadReader(ResponseHead& head, const HeadLimits& limits);
  /// Trailers; `side` is the peer that sends them.
  HeadReader(Headers& trailers, const HeadLimits& limits, Side side);

  /// Returns how many bytes were used: all of them, unless the head ended before.
  Result<size_t> read(std::string_view bytes);
  bool is_complete() const { return is_complete_; }

 private:
  friend struct LlhttpCallbacks;  // llhttp's C callbacks

  HeadReader(Headers& headers, const HeadLimits& limits, LineScanner scanner, Side side);
  void keep(std::string_view bytes);
  Result<> parse(std::string_view lines);
  Result<> parse_start_line(std::string_view line);
  bool add_field(std::string_view value);
  std::unexpected<Error> refuse(std::string_view detail) const;

  Headers& headers_;
  std::variant<std::monostate, RequestHead*, ResponseHead*> head_;
  llhttp__internal_s* parser_;
  std::string_view name_;  // of the field whose value comes next
  char* kept_ = nullptr;   // the last line, not whole yet
  size_t kept_size_ = 0;
  size_t kept_room_ = 0;
  std::optional<Error> error_;
  FieldGate gate_;
  LineScanner scanner_;
  Side side_;
  bool has_start_line_ = false;
  bool is_complete_ = false;
  bool has_last_tab_ = false;  // perhaps, in a line that was kept
};

}  // namespace weir::http
