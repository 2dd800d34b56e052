#include "upstream/grpc_health.h"

namespace weir::upstream {

namespace {

// Protocol Buffers: a field is a key (number << 3 | type) and a value of that type.
enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr uint64_t kStatusField = 1;
constexpr char kServiceKey = 1 << 3 | static_cast<char>(WireType::bytes);
constexpr size_t kPrefix = 5;  // of a gRPC message: a flag for compression, four bytes of length

std::optional<uint64_t> take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

void add_varint(std::string& bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

bool skip(std::string_view& bytes, uint64_t count) {
  if (count > bytes.size()) return false;
  bytes.remove_prefix(count);
  return true;
}

/// A field that says nothing to us.
bool skip_value(std::string_view& bytes, WireType type) {
  switch (type) {
    case WireType::varint: return take_varint(bytes).has_value();
    case WireType::fixed64: return skip(bytes, 8);
    case WireType::fixed32: return skip(bytes, 4);
    case WireType::bytes: {
      const auto length = take_varint(bytes);
      return length && skip(bytes, *length);
    }
  }
  return false;
}

std::string framed(std::string_view message) {
  std::string body(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) body.push_back(static_cast<char>(message.size() >> shift));
  return body.append(message);
}

/// The one message of a body, not compressed.
std::optional<std::string_view> unframed(std::string_view body) {
  if (body.size() < kPrefix || body[0] != 0) return std::nullopt;
  size_t length = 0;
  for (size_t i = 1; i < kPrefix; ++i) length = length << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(kPrefix);
  return body.size() == length ? std::optional(body) : std::nullopt;
}

}  // namespace

std::string grpc_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    message.push_back(kServiceKey);
    add_varint(message, service.size());
    message.append(service);
  }
  return framed(message);
}

std::optional<ServingStatus> grpc_health_status(std::string_view body) {
  auto message = unframed(body);
  if (!message) return std::nullopt;
  uint64_t status = 0;  // a zero isn't sent
  while (!message->empty()) {
    const auto key = take_varint(*message);
    if (!key) return std::nullopt;
    const auto type = static_cast<WireType>(*key & 7);
    if (*key >> 3 == kStatusField && type == WireType::varint) {
      const auto value = take_varint(*message);
      if (!value) return std::nullopt;
      status = *value;
    } else if (!skip_value(*message, type)) {
      return std::nullopt;
    }
  }
  constexpr auto kLast = static_cast<uint64_t>(ServingStatus::service_unknown);
  return status <= kLast ? static_cast<ServingStatus>(status) : ServingStatus::unknown;
}

}  // namespace weir::upstream
