#pragma once

#include <optional>

#include "http/codec.h"
#include "http/field_gate.h"

namespace weir::http {

/// Gathers the fields of one HTTP/2 header block, and decides at its end what they mean (RFC 9113 section 8). Order
/// and number of pseudo-fields, upper case, forbidden bytes and connection-specific fields are nghttp2's to refuse;
/// here is what is left. Only one block is read at a time on a connection.
class H2Head {
 public:
  /// A piece of text, and whether it outlives the block by itself.
  struct Text {
    std::string_view text;
    bool lasts = false;
  };
  /// Whether the block ended its stream too.
  enum class Ends : bool { no, yes };

  /// A block of `side`'s begins; its fields go to `headers`. All three outlive it.
  void begin(Headers& headers, const HeadLimits& limits, Side side);
  /// Takes a field, pseudo-fields too, by copying it to the arena. What is past a limit isn't kept.
  void add(Text name, Text value);
  /// Decoded bytes so far, kept or not.
  size_t bytes() const { return bytes_; }

  /// The block was `head`'s: fills it, and checks what HTTP/1.1 checks. Errors: those of an HTTP/1.1 request.
  Result<BodySize> finish(RequestHead& head, Ends ends);
  /// The same for the response to a request of `method` (connect: an accepted tunnel gets status 101).
  Result<BodySize> finish(ResponseHead& head, Method method, Ends ends);
  Result<> finish_trailers();

 private:
  struct PseudoFields {
    std::string_view method, scheme, authority, path, protocol, status;
  };

  void add_pseudo(std::string_view name, std::string_view value);
  std::string_view keep(Text text);

  PseudoFields pseudo_;
  Headers* headers_ = nullptr;
  const HeadLimits* limits_ = nullptr;
  std::optional<FieldGate> gate_;
  std::optional<Error> error_;  // the first
  size_t bytes_ = 0;
  Side side_ = Side::client;
};

}  // namespace weir::http
