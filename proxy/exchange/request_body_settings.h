#pragma once

#include <string>

#include "config/reader.h"

namespace weir {

/// How a route passes request bodies on.
struct RequestBodySettings {
  enum class Mode : uint8_t {
    stream,  // as they come
    buffer,  // once they are whole, with Content-Length
  };
  Mode mode = Mode::stream;
  Bytes memory{64 * 1024};  // of a body that is buffered; a larger one goes into a file
  std::string folder = "/var/tmp";
  Bytes max_size;  // of all files in the folder; 0 = as much as the disk has
};

void decode(config::Reader& r, RequestBodySettings& out);

}  // namespace weir
