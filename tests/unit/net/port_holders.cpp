#include "net/port_holders.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/listening_socket.h"
#include "net/socket.h"

namespace weir::net {
namespace {

constexpr std::string_view kTable =
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 74980 1 0 100 0 0 10 "
    "0\n"
    "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 74981 1 0 100 0 0 10 "
    "0\n"
    "   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 74982 1 0 100 0 0 10 "
    "0\n"
    "   3: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 74983 1 0 100 0 0 10 "
    "0\n"
    "   4: 0200007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     7        0 74984 1 0 100 0 0 10 "
    "0\n";

std::vector<std::string> texts(const std::vector<PortHolder>& holders) {
  std::vector<std::string> texts;
  for (const auto& holder : holders) texts.push_back(holder.address.text());
  return texts;
}

}  // namespace

TEST_CASE("port holders: those that listen on the same address, or on all addresses of the port") {
  const auto holders = port_holders(*Address::parse("127.0.0.1:8080"), kTable);
  REQUIRE(texts(holders) == std::vector<std::string>{"127.0.0.1:8080", "0.0.0.0:8080"});
  CHECK(holders[0].owner == 65534);
  CHECK(holders[0].inode == 74980);
  CHECK(port_holders(*Address::parse("0.0.0.0:8080"), kTable).size() == 3);
  CHECK(port_holders(*Address::parse("0.0.0.0:8082"), kTable).empty());
}

TEST_CASE("port holders: lines that are cut off or make no sense hold nothing") {
  for (const std::string_view line : {"", "\n", "0: 0100007F", "0: x:1F90 y 0A", "   0: 0100007F:1F90 0:0 0A\n\n\n"})
    CHECK(port_holders(*Address::parse("127.0.0.9:8080"), line).empty());
}

TEST_CASE("port holders: the kernel's table shows a socket of this process by its inode") {
  for (const auto* any : {"127.0.0.1:0", "[::1]:0"}) {
    const auto fd = open_listener(*Address::parse(any), {});
    REQUIRE(fd.has_value());
    const auto address = local_address(*fd);
    struct stat info{};
    REQUIRE(::fstat(*fd, &info) == 0);
    const auto holders = port_holders(address);
    REQUIRE(holders.has_value());
    REQUIRE(holders->size() == 1);
    CHECK(holders->front().address == address);
    CHECK(holders->front().inode == info.st_ino);
    CHECK(holders->front().owner == ::geteuid());
    ::close(*fd);
  }
}

TEST_CASE("addresses: which overlap, and which cover others") {
  const auto at = [](const char* text) { return *Address::parse(text); };
  CHECK(covers(at("0.0.0.0:80"), at("127.0.0.1:80")));
  CHECK(covers(at("[::]:80"), at("[::1]:80")));
  CHECK_FALSE(covers(at("127.0.0.1:80"), at("0.0.0.0:80")));
  CHECK_FALSE(covers(at("0.0.0.0:80"), at("0.0.0.0:80")));
  CHECK_FALSE(covers(at("0.0.0.0:80"), at("127.0.0.1:81")));
  CHECK_FALSE(covers(at("[::]:80"), at("127.0.0.1:80")));
  CHECK(overlap(at("127.0.0.1:80"), at("0.0.0.0:80")));
  CHECK(overlap(at("127.0.0.1:80"), at("127.0.0.1:80")));
  CHECK_FALSE(overlap(at("127.0.0.1:80"), at("127.0.0.2:80")));
  CHECK_FALSE(overlap(at("127.0.0.1:0"), at("127.0.0.1:0")));
  CHECK_FALSE(overlap(at("unix:/a"), at("unix:/a")));
}

}  // namespace weir::net
