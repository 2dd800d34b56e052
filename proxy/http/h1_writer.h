#pragma once

#include "base/output.h"
#include "http/message.h"

namespace weir::http {

/// The framing fields that go out with a head, whatever the head itself says of them.
struct Marks {
  enum class Length : uint8_t { none, known, chunked, as_given } length = Length::none;  // as_given: the head's own
  uint64_t bytes = 0;
  std::string_view upgrade = {};  // the protocol of a tunnel that is asked for, or granted
  std::string_view key = {};      // Sec-WebSocket-Key
  std::string_view accept = {};   // Sec-WebSocket-Accept
  enum class Connection : uint8_t { unsaid, close, keep_alive } connection = Connection::unsaid;
};

/// Start line, fields and the empty line of an HTTP/1.1 head. `Connection` names Upgrade and TE when the head has
/// them; Host is written from `authority`.
void write_head(Output& output, const RequestHead& head, const Marks& marks);
void write_head(Output& output, const ResponseHead& head, const Marks& marks);

/// One chunk; its data by reference.
void write_chunk(Output& output, Slice data);
/// The last chunk and those of the trailers that may be sent as such; `trailers` may be null.
void write_last_chunk(Output& output, const Headers* trailers);

}  // namespace weir::http
