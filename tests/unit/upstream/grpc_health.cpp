#include "upstream/grpc_health.h"

#include <doctest/doctest.h>

using namespace weir::upstream;
using namespace std::string_literals;

namespace {

std::string answer(const std::string& message) { return "\0\0\0\0"s + static_cast<char>(message.size()) + message; }

}  // namespace

TEST_CASE("grpc health: a request names its service, or none for the server as a whole") {
  CHECK(grpc_health_request("") == "\0\0\0\0\0"s);
  CHECK(grpc_health_request("a.B") == "\0\0\0\0\x05\x0a\x03"s + "a.B");
}

TEST_CASE("grpc health: a name of more than 127 bytes has a longer length") {
  const std::string name(300, 'n');
  CHECK(grpc_health_request(name) == "\0\0\0\x01\x2f\x0a\xac\x02"s + name);
}

TEST_CASE("grpc health: each status has its number") {
  CHECK(grpc_health_status(answer("")) == ServingStatus::unknown);
  CHECK(grpc_health_status(answer("\x08\x01"s)) == ServingStatus::serving);
  CHECK(grpc_health_status(answer("\x08\x02"s)) == ServingStatus::not_serving);
  CHECK(grpc_health_status(answer("\x08\x03"s)) == ServingStatus::service_unknown);
}

TEST_CASE("grpc health: a status of the future is unknown, whatever its size") {
  CHECK(grpc_health_status(answer("\x08\x04"s)) == ServingStatus::unknown);
  CHECK(grpc_health_status(answer("\x08\xff\xff\xff\xff\x0f"s)) == ServingStatus::unknown);
}

TEST_CASE("grpc health: fields of the future are skipped, of each type") {
  const auto varint = "\x10\x96\x01"s;
  const auto fixed64 = "\x19"s + std::string(8, 'x');
  const auto bytes = "\x22\x03"s + "abc";
  const auto fixed32 = "\x2d"s + std::string(4, 'x');
  CHECK(grpc_health_status(answer(varint + fixed64 + "\x08\x01"s + bytes + fixed32)) == ServingStatus::serving);
}

TEST_CASE("grpc health: the last of several counts") {
  CHECK(grpc_health_status(answer("\x08\x01\x08\x02"s)) == ServingStatus::not_serving);
}

TEST_CASE("grpc health: what is no answer is nothing") {
  CHECK_FALSE(grpc_health_status(""));
  CHECK_FALSE(grpc_health_status("\0\0\0\0"s));
  CHECK_FALSE(grpc_health_status("\x01\0\0\0\0"s));          // compressed
  CHECK_FALSE(grpc_health_status("\0\0\0\0\x05\x08"s));      // shorter than it says
  CHECK_FALSE(grpc_health_status(answer("") + answer("")));  // two messages
  CHECK_FALSE(grpc_health_status(answer("\x08"s)));
  CHECK_FALSE(grpc_health_status(answer("\x08\xff"s)));
  CHECK_FALSE(grpc_health_status(answer("\x08" + std::string(10, '\xff') + "\x01")));
  CHECK_FALSE(grpc_health_status(answer("\x22\x7f"s + "abc")));
  CHECK_FALSE(grpc_health_status(answer("\x0b"s)));  // a type that there isn't
}
