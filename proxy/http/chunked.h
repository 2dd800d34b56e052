#pragma once

#include <cstdint>
#include <string_view>

namespace weir::http {

/// Reads the framing of a chunked body (RFC 9112 section 7.1), byte by byte in any fragmentation: exact CRLFs,
/// 1 to 16 hex digits without sign or space, extensions up to a total. Ends in front of the trailer section.
class ChunkedReader {
 public:
  struct Step {
    size_t used = 0;        // bytes taken, framing and data
    std::string_view data;  // a view of the bytes given; empty for framing alone
    const char* error = nullptr;
  };

  /// `extension_bytes`: how many bytes all extensions of this body may have.
  explicit ChunkedReader(uint32_t extension_bytes = 0) : extensions_left_(extension_bytes) {}

  /// Takes framing up to and including one piece of data. Call again until all bytes are used or `at_trailers`.
  Step read(std::string_view bytes);
  /// The last chunk's line has been read; field lines and an empty line follow.
  bool at_trailers() const { return state_ == State::trailers; }

 private:
  enum class State : uint8_t {
    size,
    extension,
    name,
    equals,
    value,
    quoted,
    escaped,
    after_quoted,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailers
  };

  const char* step(char c);
  const char* read_size(char c);
  const char* read_extension(char c);
  const char* end_line(char c);

  uint64_t left_ = 0;  // of the chunk
  uint32_t extensions_left_;
  uint8_t digits_ = 0;
  State state_ = State::size;
};

}  // namespace weir::http
