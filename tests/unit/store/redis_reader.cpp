#include "store/redis_reader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace weir;
using namespace weir::store;

namespace {

struct Bench {
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  RedisReader reader;

  /// What the reader says of these bytes, in pieces of this size, once there is no more to read.
  std::string problem_of(std::string_view bytes, size_t fragment = 16 * 1024) {
    for (size_t at = 0; at < bytes.size(); at += fragment) {
      reader.feed(bytes.substr(at, fragment));
      while (reader.has_unread() && reader.next(&arena)) {
      }
    }
    return reader.problem();
  }
  Reply read(std::string_view bytes) {
    reader.feed(bytes);
    const auto reply = reader.next(&arena);
    REQUIRE(reply.has_value());
    return *reply;
  }
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("redis reader: what breaks the protocol is named, in whatever fragments it comes") {
  const std::pair<std::string, std::string_view> kBreaches[] = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "got \"H\" as reply type byte"},
      {repeated("*1\r\n", 50), "nested multi bulk replies with depth"},
      {"$9223372036854775807\r\n", "a text of 9223372036854775807 bytes"},
      {"$99999999999999999999\r\n", "Bad bulk string length"},
      {"$83886081\r\nx", "a text of 83886081 bytes"},
      {"$-2\r\n", "Bulk string length out of range"},
      {"$five\r\n", "Bad bulk string length"},
      {"*2147483648\r\n", "Multi-bulk length out of range"},
      {"*2147483647\r\n", "a reply of more than 524288 items"},
      {repeated("*524288\r\n", 2), "a reply of more than 524288 items"},
      {"*-5\r\n", "Multi-bulk length out of range"},
      {"*1x\r\n", "Bad multi-bulk length"},
      {":1x\r\n", "Bad integer value"},
      {":9223372036854775808\r\n", "Bad integer value"},
      {":\r\n", "Bad integer value"},
      {"+" + std::string(70'000, 'a'), "a line of more than 64 KiB"},
      {"-" + std::string(70'000, 'a') + "\r\n", "a line of more than 64 KiB"},
      {":" + std::string(70'000, '0'), "a line of more than 64 KiB"},
      {"$" + std::string(70'000, '1'), "a line of more than 64 KiB"},
  };
  for (const auto& [bytes, breach] : kBreaches) {
    for (const size_t fragment : {1UZ, 2UZ, 3UZ, 7UZ, 31UZ, bytes.size()}) {
      Bench bench;
      const auto told = bench.problem_of(bytes, fragment);
      INFO(bytes.substr(0, 40));
      CHECK_MESSAGE(told.contains(breach), told);
      CHECK_FALSE(bench.reader.next(&bench.arena).has_value());
    }
  }
}

TEST_CASE("redis reader: the types of RESP3 are a breach, since nobody has asked for them") {
  for (const std::string_view type : {"%1\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(123\r\n", "=5\r\ntxt:a\r\n", "~1\r\n",
                                      ">1\r\n", "!1\r\ne\r\n", "|1\r\n"}) {
    CHECK(Bench().problem_of(type).contains("as reply type byte"));
    CHECK(Bench().problem_of("*1\r\n" + std::string(type)).contains("as reply type byte"));
  }
}

TEST_CASE("redis reader: lengths without the bytes behind them cost little memory") {
  for (const std::string& bytes :
       {std::string("*524288\r\n"), std::string("$83886080\r\n"), std::string("*2147483647\r\n"),
        std::string("$9223372036854775807\r\n"), "*7\r\n" + repeated("*70000\r\n", 6)}) {
    Bench bench;
    bench.problem_of(bytes);
    CHECK(bench.arena.footprint() <= kLargeReply.items * sizeof(Reply) + 64 * 1024);
  }
}

TEST_CASE("redis reader: texts that are together too large are refused before they are copied") {
  Bench bench;
  constexpr size_t kSize = 8 << 20;
  const auto text = "$" + std::to_string(kSize) + "\r\n" + std::string(kSize, 'x') + "\r\n";
  CHECK(bench.problem_of("*20\r\n" + repeated(text, 11)) == "a reply with texts of more than 83886080 bytes");
  CHECK(bench.arena.footprint() <= kLargeReply.bytes + (1 << 20));
}

TEST_CASE("redis reader: a reply is held against the bounds that its reader names") {
  const auto problem_of = [](std::string_view bytes) {
    Bench bench;
    bench.reader.feed(bytes);
    (void)bench.reader.next(&bench.arena, {.bytes = 10, .items = 3});
    return bench.reader.problem();
  };
  CHECK(problem_of("*3\r\n$5\r\nhello\r\n$5\r\nworld\r\n:1\r\n").empty());
  CHECK(problem_of("$11\r\n") == "a text of 11 bytes");
  CHECK(problem_of("*2\r\n$6\r\nhello,\r\n$5\r\nworld\r\n") == "a reply with texts of more than 10 bytes");
  CHECK(problem_of("*4\r\n") == "a reply of more than 3 items");
  CHECK(problem_of("*2\r\n*2\r\n") == "a reply of more than 3 items");
}

TEST_CASE("redis reader: replies up to the bounds are read whole") {
  Bench bench;
  const std::string large(kLargeReply.bytes, 'x');
  CHECK(bench.problem_of("$" + std::to_string(large.size()) + "\r\n" + large + "\r\n").empty());
  Bench lines;
  const std::string line(RedisReader::kMostLine, 'x');
  CHECK(lines.problem_of("+" + line + "\r\n", 1000).empty());
  Bench lists;
  CHECK(lists.read("*524288\r\n" + repeated(":1\r\n", 524288)).items.size() == 524288);
  Bench deep;
  CHECK(deep.read(repeated("*1\r\n", 7) + ":5\r\n")[0][0][0][0][0][0][0].integer == 5);
}

TEST_CASE("redis reader: an arena may go at any point of its reply, and the next one is read") {
  const std::string_view first = "*3\r\n$5\r\nhello\r\n*2\r\n:1\r\n*1\r\n+ok\r\n$-1\r\n";
  for (size_t cut = 1; cut < first.size(); ++cut) {
    Bench bench;
    {
      BlockPool blocks(4096, 0);
      Arena gone(blocks);
      bench.reader.feed(first.substr(0, cut));
      CHECK_FALSE(bench.reader.next(&gone).has_value());
    }
    bench.reader.feed(first.substr(cut));
    CHECK(bench.reader.next(nullptr).has_value());
    CHECK_FALSE(bench.reader.has_unread());
    CHECK(bench.read("*2\r\n$1\r\na\r\n:7\r\n")[1].integer == 7);
  }
}

TEST_CASE("redis reader: an empty list and an empty text are no missing ones") {
  Bench bench;
  CHECK(bench.read("*0\r\n").type == Reply::Type::list);
  CHECK(bench.read("$0\r\n\r\n").type == Reply::Type::text);
  CHECK(bench.read("*-1\r\n").type == Reply::Type::nothing);
  CHECK(bench.read("$-1\r\n").type == Reply::Type::nothing);
  CHECK(bench.read("+\r\n").type == Reply::Type::text);
}
