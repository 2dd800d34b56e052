#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "plugins/cache/storage/content.h"

namespace weir::plugins {
namespace {

std::string rest_of(Content::Reader& reader, uint64_t most = UINT64_MAX) {
  std::string text;
  for (auto piece = reader.next(most); !piece.bytes.empty(); piece = reader.next(most)) text += piece.bytes;
  return text;
}

std::string digits(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + i % 10);
  return text;
}

/// How long so many readers take for a body that passes: the best of some tries.
std::chrono::steady_clock::duration time_to_pass(size_t count) {
  auto best = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    Content content(std::nullopt);
    std::vector<std::unique_ptr<Content::Reader>> readers;
    for (size_t k = 0; k < count; ++k) readers.push_back(std::make_unique<Content::Reader>(content));
    content.let_pass();
    const auto begun = std::chrono::steady_clock::now();
    for (int k = 0; k < 20; ++k) {
      content.append("0123456789");
      for (const auto& reader : readers) reader->next(UINT64_MAX);
    }
    best = std::min(best, std::chrono::steady_clock::now() - begun);
  }
  return best;
}

}  // namespace

TEST_CASE("cache content: what one of many readers reads isn't paid for by a look at all of them") {
  CHECK(time_to_pass(4000) < 30 * time_to_pass(500));  // linear: 8; else 64
}

TEST_CASE("cache content: a reader has what has come so far, and the rest as it comes") {
  Content content(std::nullopt);
  content.append("one ");
  Content::Reader reader(content);
  CHECK(rest_of(reader) == "one ");
  CHECK(reader.next(9).state == Content::State::growing);
  content.append("two");
  content.finish();
  CHECK(rest_of(reader) == "two");
  CHECK(reader.next(9).state == Content::State::whole);
}

TEST_CASE("cache content: in pieces of any size all of it is read, from any place") {
  const auto text = digits(300'000);
  for (const size_t piece : {1000, 4096, 65'536, 300'000}) {
    for (const bool is_announced : {false, true}) {
      Content content(is_announced ? std::optional<uint64_t>(text.size()) : std::nullopt);
      for (size_t at = 0; at < text.size(); at += piece) content.append(std::string_view(text).substr(at, piece));
      content.finish();
      Content::Reader whole(content);
      Content::Reader part(content, 123'457);
      CHECK(rest_of(whole, 7777) == text);
      CHECK(rest_of(part) == text.substr(123'457));
    }
  }
}

TEST_CASE("cache content: once whole it takes little more memory than it has bytes") {
  for (const size_t size : {1, 100, 5000, 70'000, 1'000'000}) {
    Content content(std::nullopt);
    const auto text = digits(size);
    for (size_t at = 0; at < size; at += 1500) content.append(std::string_view(text).substr(at, 1500));
    content.finish();
    CHECK(content.footprint() <= size + size / 15);
  }
}

TEST_CASE("cache content: bytes that somebody holds outlive the content's own use for them") {
  auto content = std::make_unique<Content>(std::nullopt);
  content->append("hello");
  Content::Piece piece;
  {
    Content::Reader reader(*content);
    piece = reader.next(5);
    content->finish();  // gives back the room that was left
  }
  content.reset();
  CHECK(piece.bytes == "hello");
}

TEST_CASE("cache content: what only passes is dropped behind the slowest reader") {
  Content content(std::nullopt);
  const auto text = digits(64 * 1024);
  Content::Reader fast(content);
  Content::Reader slow(content);
  content.let_pass();
  for (int i = 0; i < 8; ++i) {
    content.append(text);
    rest_of(fast);
  }
  CHECK(content.backlog() == 8 * text.size());
  const auto held = content.footprint();
  CHECK(slow.next(100).bytes == text.substr(0, 100));
  std::string read = text.substr(0, 100) + rest_of(slow);
  CHECK(read.size() == 8 * text.size());
  CHECK(content.backlog() == 0);
  CHECK(content.footprint() < held / 4);
}

TEST_CASE("cache content: who comes when the beginning has passed is told") {
  Content content(std::nullopt);
  {
    Content::Reader reader(content);
    content.append(digits(100'000));
    content.let_pass();
    rest_of(reader);
    Content::Reader late(content);
    CHECK(late.has_missed());
    CHECK_FALSE(reader.has_missed());
  }
  CHECK_FALSE(content.backlog().has_value());
}

TEST_CASE("cache content: one who holds up others is cut off, and they go on") {
  Content content(std::nullopt);
  const auto text = digits(64 * 1024);
  Content::Reader fast(content);
  Content::Reader slow(content);
  content.let_pass();
  for (int i = 0; i < 8; ++i) {
    content.append(text);
    rest_of(fast);
  }
  CHECK_FALSE(content.cut_off(8 * text.size(), text.size()));
  CHECK(content.cut_off(text.size(), text.size()));
  CHECK(content.backlog() == 0);
  CHECK(content.footprint() <= text.size());
  CHECK(slow.next(9).state == Content::State::broken);
  CHECK(slow.error().code == ErrorCode::client_gone);
  content.append("more");
  CHECK(rest_of(fast) == "more");
}

TEST_CASE("cache content: one who reads steadily is not cut off, however quick the others are") {
  Content content(std::nullopt);
  const auto text = digits(64 * 1024);
  Content::Reader fast(content);
  Content::Reader steady(content);
  content.let_pass();
  content.append(text);
  rest_of(fast);
  content.watch_readers();
  CHECK(steady.next(1000).bytes.size() == 1000);
  CHECK_FALSE(content.cut_off(2000, 1000));
  content.watch_readers();
  CHECK(steady.next(999).bytes.size() == 999);
  CHECK(content.cut_off(2000, 1000));
}

TEST_CASE("cache content: who waits for what has yet to come is not behind") {
  Content content(1'000'000);
  content.append(digits(100'000));
  Content::Reader slow(content);
  Content::Reader ahead(content, 500'000);
  content.let_pass();
  CHECK(content.cut_off(50'000, 50'000));
  CHECK(slow.next(9).state == Content::State::broken);
  content.append(digits(900'000));
  CHECK(rest_of(ahead).size() == 500'000);
}

TEST_CASE("cache content: of what has passed nothing is left, however much it was") {
  Content content(std::nullopt);
  Content::Reader reader(content);
  content.let_pass();
  for (int i = 0; i < 1000; ++i) {
    content.append(digits(100'000));
    REQUIRE(rest_of(reader).size() == 100'000);
    REQUIRE(content.footprint() <= 128 * 1024);
  }
}

TEST_CASE("cache content: one who reads alone holds up nobody, however slow") {
  Content content(std::nullopt);
  Content::Reader slow(content);
  content.let_pass();
  content.append(digits(1 << 20));
  CHECK_FALSE(content.cut_off(1000, 1000));
  CHECK(rest_of(slow).size() == 1 << 20);
}

TEST_CASE("cache content: what only passes is on the account as far as it takes more than a response without a cache") {
  const auto account = std::make_shared<Account>();
  Content content(std::nullopt);
  content.charge_to(account);
  content.append(digits(1'000'000));
  Content::Reader reader(content);
  const auto before = account->loose.load();
  content.let_pass();
  CHECK(account->loose == before - 192 * 1024);
  REQUIRE(rest_of(reader).size() == 1'000'000);
  CHECK(account->loose == 0);
}

TEST_CASE("cache content: who reads while it comes attends it") {
  const auto attendance = std::make_shared<Attendance>();
  Content content(std::nullopt, attendance);
  content.append("text");
  {
    Content::Reader reader(content);
    CHECK_FALSE(attendance->is_empty());
  }
  CHECK(attendance->is_empty());
  content.finish();
  Content::Reader late(content);
  CHECK(attendance->is_empty());
}

TEST_CASE("cache content: what it takes is on the account while it comes and is read, and given back") {
  const auto account = std::make_shared<Account>();
  auto content = std::make_shared<Content>(std::nullopt);
  content->charge_to(account);
  content->append(digits(100'000));
  content->finish();
  CHECK(account->loose == static_cast<int64_t>(content->footprint()));
  content->enter_shelf();
  CHECK(account->loose == 0);
  content->leave_shelf();
  CHECK(account->loose >= 100'000);
  content.reset();
  CHECK(account->loose == 0);
}

namespace {

size_t take(Content::Reader& reader, size_t most) {
  size_t taken = 0;
  while (taken < most) {
    const auto piece = reader.next(most - taken);
    if (piece.bytes.empty()) break;
    taken += piece.bytes.size();
  }
  return taken;
}

/// A whole body that left the shelf.
struct Loose {
  explicit Loose(size_t count) {
    content->charge_to(account);
    content->append(digits(count));
    content->finish();
  }
  void look(Duration at, int64_t bytes = 1'000'000) {
    account->bodies.drop_slowest(Time(std::chrono::hours(1)) + at, bytes);
  }

  std::shared_ptr<Account> account = std::make_shared<Account>();
  std::shared_ptr<Content> content = std::make_shared<Content>(std::nullopt);
};

}  // namespace

TEST_CASE("cache content: when memory is short, a body that no reader takes anything of for 10 s is dropped") {
  using namespace std::chrono_literals;
  Loose loose(200'000);
  Content::Reader reader(*loose.content);
  CHECK(reader.next(10).bytes == "0123456789");
  for (auto at = 0s; at < 10s; at += 1s) loose.look(at);
  CHECK(loose.account->loose >= 200'000);
  loose.look(10s);
  CHECK(loose.account->loose == 0);
  CHECK(loose.content->footprint() == 0);
  CHECK(reader.next(10).state == Content::State::broken);
  CHECK(reader.error().code == ErrorCode::client_gone);
  CHECK_FALSE(loose.content->enter_shelf());
}

TEST_CASE(
    "cache content: when memory is short, bodies that are read slowest are dropped first, and no more than must be") {
  using namespace std::chrono_literals;
  Loose loose(200'000);
  Content slower(std::nullopt);
  slower.charge_to(loose.account);
  slower.append(digits(200'000));
  slower.finish();
  Content::Reader reader(*loose.content);
  Content::Reader late(slower);
  for (auto at = 0s; slower.state() == Content::State::whole; at += 5s) {
    REQUIRE(at < 30s);
    loose.look(at, 100'000);
    take(reader, 20'000);
    take(late, 1000);
  }
  CHECK(loose.content->state() == Content::State::whole);
}

TEST_CASE("cache content: a body that is read at a good pace is kept") {
  using namespace std::chrono_literals;
  Loose loose(200'000);
  Content::Reader reader(*loose.content);
  for (auto at = 0s; at < 35s; at += 5s) {
    loose.look(at);
    CHECK(take(reader, 28'000) == 28'000);
  }
  CHECK(loose.content->state() == Content::State::whole);
}

TEST_CASE("cache content: what is on the shelf is never dropped, and what comes is not until it passes") {
  using namespace std::chrono_literals;
  Loose loose(100);
  REQUIRE(loose.content->enter_shelf());
  Content coming(std::nullopt);
  coming.charge_to(loose.account);
  coming.append(digits(1'000'000));
  for (auto at = 0s; at < 100s; at += 5s) loose.look(at);
  CHECK(loose.content->state() == Content::State::whole);
  CHECK(coming.state() == Content::State::growing);
  Content::Reader reader(coming);
  coming.let_pass();
  for (auto at = 100s; at < 200s; at += 5s) loose.look(at);
  CHECK(coming.state() == Content::State::broken);
  coming.append("more");
  coming.finish();
  CHECK(coming.state() == Content::State::broken);
  CHECK(reader.next(10).state == Content::State::broken);
}

}  // namespace weir::plugins
