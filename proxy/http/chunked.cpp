#include "http/chunked.h"

#include <algorithm>

#include "http/syntax.h"

namespace weir::http {

ChunkedReader::Step ChunkedReader::read(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && state_ != State::trailers) {
    if (state_ == State::data) {
      const auto data = bytes.substr(used, left_);
      left_ -= data.size();
      if (left_ == 0) state_ = State::data_cr;
      return {used + data.size(), data};
    }
    if (const char* error = step(bytes[used])) return {used, {}, error};
    ++used;
  }
  return {used};
}

const char* ChunkedReader::step(char c) {
  switch (state_) {
    case State::size: return read_size(c);
    case State::size_lf: return end_line(c);
    case State::data_cr:
      if (c != '\r') return "chunk data without CRLF behind it";
      state_ = State::data_lf;
      return nullptr;
    case State::data_lf:
      if (c != '\n') return "chunk data without CRLF behind it";
      state_ = State::size;
      digits_ = 0;
      return nullptr;
    case State::data:
    case State::trailers: return nullptr;
    default: return read_extension(c);
  }
}

const char* ChunkedReader::read_size(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    if (++digits_ > 16) return "a chunk size of more than 16 digits";
    left_ = left_ << 4 | static_cast<uint64_t>(digit);
    return nullptr;
  }
  if (digits_ == 0) return "a chunk without a size";
  if (c == '\r') {
    state_ = State::size_lf;
    return nullptr;
  }
  if (c != ';') return "a byte in a chunk size that is no hex digit";
  return read_extension(c);
}

// chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ); the whitespace that RFC 9112 allows only
// for the sake of bad senders isn't taken.
const char* ChunkedReader::read_extension(char c) {
  constexpr const char* kMalformed = "a malformed chunk extension";
  if (c != '\r' && extensions_left_-- == 0) return "too many bytes of chunk extensions";
  switch (state_) {
    case State::quoted:
      if (c == '"') {
        state_ = State::after_quoted;
      } else if (c == '\\') {
        state_ = State::escaped;
      } else if (!is_field_byte(c)) {
        return kMalformed;
      }
      return nullptr;
    case State::escaped: state_ = State::quoted; return is_field_byte(c) ? nullptr : kMalformed;
    case State::extension: state_ = State::name; return is_token_byte(c) ? nullptr : kMalformed;
    case State::equals:
      state_ = c == '"' ? State::quoted : State::value;
      return c == '"' || is_token_byte(c) ? nullptr : kMalformed;
    case State::name:
    case State::value:
      if (is_token_byte(c)) return nullptr;
      if (c == '=' && state_ == State::name) {
        state_ = State::equals;
        return nullptr;
      }
      [[fallthrough]];
    default:  // the end of a size, name, value or quoted string
      if (c != ';' && c != '\r') return kMalformed;
      state_ = c == ';' ? State::extension : State::size_lf;
      return nullptr;
  }
}

const char* ChunkedReader::end_line(char c) {
  if (c != '\n') return "a bare CR in a chunk's line";
  state_ = left_ == 0 ? State::trailers : State::data;
  return nullptr;
}

}  // namespace weir::http
