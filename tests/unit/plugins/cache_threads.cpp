#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "async/task.h"
#include "plugins/cache/storage/shelf.h"

namespace weir::plugins {
namespace {

const std::string kText(300'000, 'x');

/// Reads all of it, from whatever is there.
Task<> read(Loop& loop, Content& content, std::atomic<uint64_t>& bytes) {
  Content::Reader reader(content);
  for (;;) {
    const auto seen = content.changed.count();
    const auto piece = reader.next(10'000);
    bytes += piece.bytes.size();
    if (!piece.bytes.empty()) continue;
    if (piece.state != Content::State::growing) co_return;
    co_await content.changed.news(loop, seen);
  }
}

/// Waits for what a fill comes to.
Task<> wait(Loop& loop, Fill& fill, std::atomic<int>& heard) {
  for (;;) {
    const auto seen = fill.changed.count();
    if (fill.outcome()) break;
    co_await fill.changed.news(loop, seen);
  }
  ++heard;
}

template <class Make>
std::thread on_a_loop(Make make) {
  return std::thread([make] {
    const SteadyClock clock;
    Loop loop(clock);
    auto task = make(loop);
    task.start();
    while (!task.is_done()) loop.poll();
  });
}

ObjectPtr object(Arena& arena) {
  auto content = std::make_shared<Content>(4);
  content->append("body");
  content->finish();
  http::ResponseHead head(arena);
  head.status = 200;
  return std::make_shared<Object>(head, Object::Terms{}, std::move(content), [](const http::Header&) { return false; });
}

}  // namespace

TEST_CASE("cache content: readers on loops of their own read all while it comes") {
  Content content(std::nullopt);
  std::atomic<uint64_t> bytes = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.push_back(on_a_loop([&](Loop& loop) { return read(loop, content, bytes); }));
  for (size_t at = 0; at < kText.size(); at += 1000) content.append(std::string_view(kText).substr(at, 1000));
  content.finish();
  for (auto& thread : threads) thread.join();
  CHECK(bytes == 3 * kText.size());
}

TEST_CASE("cache fill: all who wait on other loops hear what it came to") {
  Fill fill(Selection(), Time(), 0, Fill::Company::yes);
  std::atomic<int> heard = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.push_back(on_a_loop([&](Loop& loop) { return wait(loop, fill, heard); }));
  fill.settle({.kind = Fill::Outcome::Kind::failed});
  for (auto& thread : threads) thread.join();
  CHECK(heard == 3);
}

TEST_CASE("cache shelf: threads that look, lead, put and forget at once leave it within its bounds") {
  Shelf shelf({.max_size = 1 << 20, .max_object = 64 * 1024, .max_variants = 4});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      BlockPool blocks(8 * 1024);
      for (int i = 0; i < 2000; ++i) {
        Arena arena(blocks);
        const http::Headers request(arena);
        const auto url = "https://example.com/" + std::to_string((i * 7 + thread) % 100);
        const auto key = shelf.key_of(url);
        if (i % 50 == 0) shelf.invalidate(key);
        if (shelf.find(key, request, arena, Time()).object) continue;
        const auto joined = shelf.join(key, request, arena, {});
        if (!joined.leads) continue;
        shelf.put(key, object(arena), *joined.fill);
        shelf.end(key, joined.fill);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(shelf.size().objects <= 100);
  CHECK(shelf.size().bytes <= 1 << 20);
}

}  // namespace weir::plugins
