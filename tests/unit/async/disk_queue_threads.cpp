#include "async/disk_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "async/task.h"
#include "unit/loop_bench.h"

using namespace weir;
using namespace std::chrono_literals;

namespace {

/// A disk that hangs until the test lets it go on.
struct Disk {
  std::atomic<int> begun = 0;
  std::atomic<bool> hangs = true;
  std::mutex mutex;
  std::vector<std::string> served;

  int call(const std::string& name) {
    ++begun;
    hangs.wait(true);
    const std::lock_guard lock(mutex);
    served.push_back(name);
    return 0;
  }
  void recover() {
    hangs = false;
    hangs.notify_all();
  }
};

Task<> run(DiskQueue& queue, Loop& loop, std::string client, DiskQueue::Work work, std::optional<int>& error) {
  error = co_await queue.run(loop, client, std::move(work));
}

struct Bench : LoopBench {
  explicit Bench(size_t threads = 1, size_t most = 8) : queue(DiskQueue::Settings{threads, most, 10s}) {}
  ~Bench() { disk->recover(); }

  struct Asked {
    std::optional<int> error;
    Task<> task;
  };
  std::unique_ptr<Asked> ask(const std::string& client, DiskQueue::Work work) {
    auto asked = std::make_unique<Asked>();
    asked->task = run(queue, loop, client, std::move(work), asked->error);
    asked->task.start();
    return asked;
  }
  std::unique_ptr<Asked> ask(const std::string& client) {
    return ask(client, [disk = disk, client] { return disk->call(client); });
  }
  /// The only thread is in a call that hangs.
  std::unique_ptr<Asked> hang() {
    auto asked = ask("first");
    REQUIRE(until([&] { return disk->begun == 1; }));
    return asked;
  }

  const std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  DiskQueue queue;
};

}  // namespace

TEST_CASE("disk queue: work runs on another thread, and its errno comes back to the loop's") {
  Bench bench;
  std::thread::id where;
  const auto asked = bench.ask("a", [&] {
    where = std::this_thread::get_id();
    return EIO;
  });
  REQUIRE(bench.until([&] { return asked->error.has_value(); }));
  CHECK(asked->error == EIO);
  CHECK(where != std::this_thread::get_id());
}

TEST_CASE("disk queue: a client that leaves takes its waiting calls along, with what they hold") {
  Bench bench;
  auto running = bench.hang();
  const auto text = std::make_shared<int>();
  auto waiting = bench.ask("a", [text] { return 0; });
  CHECK(bench.queue.waiting() == 1);
  CHECK(text.use_count() == 2);
  waiting.reset();
  CHECK(bench.queue.waiting() == 0);
  CHECK(text.use_count() == 1);
  running.reset();
  bench.disk->recover();
  const auto next = bench.ask("b");
  CHECK(bench.until([&] { return next->error == 0; }));
}

TEST_CASE("disk queue: a disk that hangs is waited for so long, and what it does later is ignored") {
  Bench bench;
  const auto running = bench.hang();
  const auto waiting = bench.ask("a");
  bench.advance(9s);
  CHECK_FALSE(running->error);
  bench.advance(2s);
  CHECK(running->error == ETIMEDOUT);
  CHECK(waiting->error == ETIMEDOUT);
  CHECK(bench.queue.waiting() == 0);
  bench.disk->recover();
  const auto next = bench.ask("b");
  CHECK(bench.until([&] { return next->error == 0; }));
  CHECK(bench.disk->served == Names{"first", "b"});
}

TEST_CASE("disk queue: one client fills half of it and is refused beyond; the next one finds room") {
  Bench bench;
  const auto running = bench.hang();
  std::vector<std::unique_ptr<Bench::Asked>> greedy;
  for (int i = 0; i < 6; ++i) greedy.push_back(bench.ask("greedy"));
  bench.settle();
  for (int i = 0; i < 4; ++i) CHECK_FALSE(greedy[i]->error);
  for (int i = 4; i < 6; ++i) CHECK(greedy[i]->error == EBUSY);
  const auto other = bench.ask("other");
  bench.settle();
  CHECK_FALSE(other->error);
  CHECK(bench.queue.waiting() == 5);
}

TEST_CASE("disk queue: the lines of clients take turns") {
  Bench bench;
  const auto running = bench.hang();
  std::vector<std::unique_ptr<Bench::Asked>> asked;
  for (const char* client : {"a", "a", "a", "b", "c", "b"}) asked.push_back(bench.ask(client));
  bench.disk->recover();
  REQUIRE(bench.until([&] { return std::ranges::all_of(asked, [](const auto& one) { return one->error == 0; }); }));
  CHECK(bench.disk->served == Names{"first", "a", "b", "c", "a", "b", "a"});
}

TEST_CASE("disk queue: calls that nobody waits for are never refused, and run after the queue is gone") {
  const auto disk = std::make_shared<Disk>();
  {
    DiskQueue queue({1, 2, 10s});
    for (int i = 0; i < 20; ++i) queue.run_unattended("a", [disk] { return disk->call("a"); });
    CHECK(queue.waiting() >= 19);
  }  // it waits for no thread
  disk->recover();
  LoopBench bench;
  CHECK(bench.until([&] {
    const std::lock_guard lock(disk->mutex);
    return disk->served.size() == 20;
  }));
}

TEST_CASE("disk queue: as many calls run at once as it has threads, and no more") {
  Bench bench(3);
  std::vector<std::unique_ptr<Bench::Asked>> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(bench.ask(std::to_string(i)));
  CHECK(bench.until([&] { return bench.disk->begun == 3; }));
  CHECK(bench.queue.waiting() == 2);
  bench.disk->recover();
  CHECK(bench.until([&] { return std::ranges::all_of(asked, [](const auto& one) { return one->error == 0; }); }));
}

TEST_CASE("disk queue: who waits comes and goes on many threads while calls end") {
  std::array<LoopBench, 4> benches;
  auto queue = std::make_unique<DiskQueue>(DiskQueue::Settings{2, 64, 10s});
  std::vector<std::thread> threads;
  for (auto& bench : benches) {
    threads.emplace_back([&queue, &bench] {
      const auto client = std::to_string(reinterpret_cast<uintptr_t>(&bench));
      for (int turn = 0; turn < 60; ++turn) {
        std::vector<std::unique_ptr<Bench::Asked>> asked;
        for (int i = 0; i < 5; ++i) {
          asked.push_back(std::make_unique<Bench::Asked>());
          auto work = [text = std::make_shared<std::string>("x")] {
            text->append("y");
            return 0;
          };
          asked.back()->task = run(*queue, bench.loop, client, work, asked.back()->error);
          asked.back()->task.start();
        }
        bench.settle();
        if (turn % 2 == 0) {
          CHECK(bench.until(
              [&] { return std::ranges::all_of(asked, [](auto& one) { return one->error.has_value(); }); }));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
}
