#pragma once

#include <nghttp2/nghttp2.h>

#include <span>
#include <string_view>

#include "http/message.h"

namespace weir::http {

/// The fields of a head on its way out, as nghttp2 takes them; it copies them, in lower case, when they are
/// submitted. Their table lies in the arena.
class OutgoingFields {
 public:
  /// `most` fields at most.
  OutgoingFields(Arena& arena, size_t most);

  /// Without the blanks around the value.
  void add(std::string_view name, std::string_view value);
  void add(std::string_view name, uint64_t value);
  const nghttp2_nv* data() const { return table_; }
  size_t size() const { return size_; }

 private:
  Arena& arena_;
  nghttp2_nv* table_;
  size_t size_ = 0;
};

/// Pseudo-fields and fields of a request, or of a final or interim response to one of `method`. What is about the
/// connection is left out; Content-Length is written anew from `body`, or kept where there is no body (RFC 9110
/// section 8.6).
OutgoingFields fields_of(const RequestHead& head, BodySize body);
OutgoingFields fields_of(const ResponseHead& head, Method method, BodySize body);

/// A response that is a status and nothing else.
void submit_status(nghttp2_session* session, int32_t stream, std::string_view status);

}  // namespace weir::http
