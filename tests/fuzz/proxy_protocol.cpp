// Bytes mean the same however many of them have come, and what was read can be written.

#include <cstdlib>

#include "net/proxy_protocol.h"

using namespace weir::net;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_prefixes(std::string_view bytes, const ProxyParse& whole) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto part = parse_proxy_header(bytes.substr(0, size));
    if (!part) return require(!whole && part.error() == whole.error());
    if (*part) return require(whole && *whole && (*part)->size == (*whole)->size);
  }
}

void check_written(const ProxyHeader::Ends& ends) {
  if (!ends.source.is_ip()) return;
  for (const auto version : {ProxyVersion::v1, ProxyVersion::v2}) {
    const auto text = write_proxy_header(version, ends.source, ends.destination);
    const auto again = parse_proxy_header(text);
    require(again && *again && (*again)->size == text.size() && (*again)->header.ends.has_value());
    require((*again)->header.ends->source.port() == ends.source.port());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), std::min(size, 2 * kLargestProxyHeader));
  const auto whole = parse_proxy_header(bytes);
  check_prefixes(bytes, whole);
  if (whole && *whole) {
    require((*whole)->size <= bytes.size());
    if ((*whole)->header.ends) check_written(*(*whole)->header.ends);
  }
  return 0;
}
