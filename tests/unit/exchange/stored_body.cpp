#include "exchange/stored_body.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "exchange/child.h"
#include "unit/exchange_bench.h"

using namespace weir;

namespace {

/// A body that comes in pieces, with a trailer.
struct Pieces : Body {
  Pieces(Arena& arena, std::vector<std::string> pieces) : Body(arena), pieces(std::move(pieces)), trailers(arena) {
    trailers.add("x-sum", "7");
  }
  Task<Result<Chunk>> read() override {
    if (error) co_return std::unexpected(*error);
    if (next == pieces.size()) co_return Chunk::end(&trailers);
    co_return Chunk{Slice::literal(pieces[next++])};
  }
  http::BodySize size() const override { return http::BodySize::unknown(); }
  bool is_exact() const override { return true; }

  std::vector<std::string> pieces;
  size_t next = 0;
  http::Headers trailers;
  std::optional<Error> error;
};

struct Bench : ExchangeBench {
  /// Work on other threads ends in its own time.
  template <class T>
  T finished(Task<T> task) {
    if (task.start()) return task.take();
    return ended(task);
  }
  template <class T>
  T ended(Task<T>& task) {
    while (!task.is_done()) {
      loop.poll();
      std::this_thread::yield();
    }
    return task.take();
  }
  std::shared_ptr<StoredBody> stored(std::vector<std::string> pieces, std::string_view client = "10.0.0.1") {
    auto body = std::make_shared<StoredBody>(worker, std::make_shared<const BodyStorage>(storage), client);
    Pieces source(arena, std::move(pieces));
    filled = finished(body->fill(source));
    return body;
  }
  /// Files are closed by other threads.
  bool bytes_are_free() {
    for (int i = 0; i < 5000 && bytes->taken() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return bytes->taken() == 0;
  }
  std::string read(Body& body) { return std::string(finished(body.whole(10 << 20)).value()); }

  std::vector<std::string> faults;
  SharedCount file_bytes, disk_calls;
  std::shared_ptr<FairShare> files = std::make_shared<FairShare>();
  std::shared_ptr<FairShare> bytes = std::make_shared<FairShare>();
  BodyStorage storage{.memory = 1000,
                      .folder = std::filesystem::temp_directory_path(),
                      .disk = std::make_shared<DiskQueue>(DiskQueue::Settings{}),
                      .files = files,
                      .bytes = bytes,
                      .file_bytes = &file_bytes,
                      .disk_calls = &disk_calls,
                      .report = [this](const BodyStorage::Fault& fault) { faults.emplace_back(fault.step); }};
  Result<> filled;
};

std::string large(size_t size) {
  std::string text(size, ' ');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

}  // namespace

TEST_CASE("stored body: up to the bound it is in memory, beyond it in a file") {
  Bench bench;
  for (const size_t size : {0, 1, 999, 1000, 1001, 9000, 500'000}) {
    CAPTURE(size);
    const auto whole = large(size);
    const auto stored = bench.stored({whole.substr(0, size / 3), whole.substr(size / 3)});
    REQUIRE(bench.filled);
    CHECK(stored->size() == size);
    CHECK(stored->is_in_file() == (size > 1000));
    CHECK(bench.file_bytes.value() == (size > 1000 ? static_cast<int64_t>(size) : 0));
    StoredBodyReader reader(bench.arena, stored);
    CHECK(reader.size() == http::BodySize::known(size));
    CHECK(bench.read(reader) == whole);
  }
  CHECK(bench.file_bytes.value() == 0);
}

TEST_CASE("stored body: pieces of any size come back in order, in memory and from a file") {
  Bench bench;
  for (const size_t memory : {0, 100'000}) {
    bench.storage.memory = memory;
    std::vector<std::string> pieces;
    std::string whole;
    for (size_t i = 1; i < 400; ++i) {
      pieces.push_back(large(i));
      whole += pieces.back();
    }
    StoredBodyReader reader(bench.arena, bench.stored(std::move(pieces)));
    CHECK(bench.read(reader) == whole);
  }
}

TEST_CASE("stored body: each reader reads all of it, from the start, and again after a rewind") {
  Bench bench;
  for (const size_t memory : {0, 100'000}) {
    bench.storage.memory = memory;
    const auto whole = large(70'000);
    const auto stored = bench.stored({whole});
    StoredBodyReader one(bench.arena, stored);
    StoredBodyReader other(bench.arena, stored);
    (void)bench.finished(one.read());
    CHECK(bench.read(other) == whole);
    CHECK(one.rewind());
    CHECK(bench.read(one) == whole);
  }
}

TEST_CASE("stored body: trailers come with each end") {
  Bench bench;
  const auto stored = bench.stored({"abc"});
  for (int i = 0; i < 2; ++i) {
    StoredBodyReader reader(bench.arena, stored);
    (void)bench.finished(reader.read());
    const auto end = bench.finished(reader.read());
    REQUIRE(end);
    REQUIRE(end->trailers);
    CHECK(end->trailers->get("x-sum") == "7");
  }
}

TEST_CASE("stored body: a folder that takes no file is an error of Weir's own, and is reported") {
  Bench bench;
  bench.storage.folder = "/no/such/folder";
  (void)bench.stored({large(500), large(600)});
  REQUIRE_FALSE(bench.filled);
  CHECK(bench.filled.error().code == ErrorCode::body_not_stored);
  CHECK(bench.filled.error().side == Side::self);
  CHECK(bench.faults == std::vector<std::string>{"open"});
}

TEST_CASE("stored body: what the client does wrong stays the client's error") {
  Bench bench;
  StoredBody stored(bench.worker, std::make_shared<const BodyStorage>(bench.storage), "10.0.0.1");
  Pieces source(bench.arena, {});
  source.error = Error{ErrorCode::client_gone, Side::client, "gone"};
  const auto filled = bench.finished(stored.fill(source));
  REQUIRE_FALSE(filled);
  CHECK(filled.error().code == ErrorCode::client_gone);
  CHECK(bench.faults.empty());
}

TEST_CASE("stored body: an exchange is rewound to it, however large it is") {
  Bench bench;
  const auto whole = large(300'000);
  bench.exchange.request_body = make_in<StoredBodyReader>(bench.arena, bench.arena, bench.stored({whole}));
  const auto mark = bench.exchange.mark(10);
  CHECK(bench.exchange.is_whole(mark));
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.read(*bench.exchange.request_body) == whole);
    CHECK(bench.exchange.can_rewind(mark));
    REQUIRE(bench.exchange.rewind(mark));
  }
}

TEST_CASE("stored body: forks and detached children have it, too, and it lives as long as the last of them") {
  Bench bench;
  const auto whole = large(300'000);
  Exchange::ChildPtr detached;
  {
    Arena arena(bench.blocks);
    Exchange parent(arena, bench.worker, nullptr);
    parent.request_body = make_in<StoredBodyReader>(arena, arena, bench.stored({whole}));
    const auto outer = parent.mark(10);
    const auto inner = parent.mark(10);
    auto fork = parent.fork(inner);
    detached = parent.detach(outer);
    REQUIRE(fork);
    REQUIRE(detached);
    CHECK(bench.read(*fork->exchange.request_body) == whole);
  }
  CHECK(bench.read(*detached->exchange.request_body) == whole);
  CHECK(bench.file_bytes.value() == 300'000);
  detached.reset();
  CHECK(bench.file_bytes.value() == 0);
}

TEST_CASE("stored body: a client has half of the files at most, and others find room") {
  Bench bench;
  bench.storage.most_files = 4;
  const auto first = bench.stored({large(2000)}, "greedy");
  const auto second = bench.stored({large(2000)}, "greedy");
  REQUIRE(bench.filled);
  (void)bench.stored({large(2000)}, "greedy");
  REQUIRE_FALSE(bench.filled);
  CHECK(bench.filled.error().code == ErrorCode::body_not_stored);
  CHECK(bench.faults == std::vector<std::string>{"files"});
  (void)bench.stored({large(900)}, "greedy");  // in memory
  CHECK(bench.filled);
  (void)bench.stored({large(2000)}, "modest");
  CHECK(bench.filled);
}

TEST_CASE("stored body: a client has half of max_size at most, and gives it back") {
  Bench bench;
  bench.storage.max_size = 1 << 20;
  auto first = bench.stored({large(400'000)}, "greedy");
  REQUIRE(bench.filled);
  (void)bench.stored({large(100'000), large(100'000)}, "greedy");
  REQUIRE_FALSE(bench.filled);
  CHECK(bench.filled.error().code == ErrorCode::body_not_stored);
  CHECK(bench.faults == std::vector<std::string>{"bytes"});
  (void)bench.stored({large(200'000)}, "modest");
  CHECK(bench.filled);
  first.reset();
  CHECK(bench.bytes_are_free());
  (void)bench.stored({large(500'000)}, "greedy");
  CHECK(bench.filled);
}

TEST_CASE("stored body: it goes when the response begins and no attempt sends it any more") {
  Bench bench;
  const auto whole = large(300'000);
  SUBCASE("as it is") {}
  SUBCASE("behind a replay") {
    bench.exchange.request_body = make_in<StoredBodyReader>(bench.arena, bench.arena, bench.stored({whole}));
    (void)bench.exchange.mark(10);
    (void)bench.exchange.mark(10);
  }
  if (bench.file_bytes.value() == 0)
    bench.exchange.request_body = make_in<StoredBodyReader>(bench.arena, bench.arena, bench.stored({whole}));
  {
    const Exchange::Upload upload(bench.exchange);
    bench.exchange.commit();
    CHECK(bench.file_bytes.value() == 300'000);
    CHECK(bench.read(*bench.exchange.request_body) == whole);
  }
  CHECK(bench.file_bytes.value() == 0);
  CHECK(bench.exchange.request_body->size() == http::BodySize::known(300'000));
}

TEST_CASE("stored body: an adopted child's goes when the response begins") {
  Bench bench;
  bench.exchange.request_body = make_in<StoredBodyReader>(bench.arena, bench.arena, bench.stored({large(300'000)}));
  const auto mark = bench.exchange.mark(10);
  auto child = bench.exchange.fork(mark);
  child->exchange.respond(200);
  bench.exchange.adopt(std::move(child));
  CHECK(bench.file_bytes.value() == 300'000);
  bench.exchange.commit();
  CHECK(bench.file_bytes.value() == 0);
}

TEST_CASE("stored body: one that is given up before its file is opened leaves nothing to a disk that hangs") {
  Bench bench;
  const auto hangs = std::make_shared<std::atomic<bool>>(true);
  bench.storage.disk = std::make_shared<DiskQueue>(DiskQueue::Settings{.threads = 1});
  bench.storage.disk->run_unattended("other", [hangs] {
    hangs->wait(true);
    return 0;
  });
  while (bench.storage.disk->waiting() > 0) std::this_thread::yield();
  {
    StoredBody stored(bench.worker, std::make_shared<const BodyStorage>(bench.storage), "10.0.0.1");
    Pieces source(bench.arena, {large(2000)});
    auto filling = stored.fill(source);
    filling.start();
    CHECK(bench.storage.disk->waiting() == 1);
    CHECK(bench.files->taken() == 1);
  }
  CHECK(bench.storage.disk->waiting() == 0);
  CHECK(bench.files->taken() == 0);
  *hangs = false;
  hangs->notify_all();
}

TEST_CASE("stored body: a wait for the disk is told apart from a wait for the client") {
  Bench bench;
  const auto hangs = std::make_shared<std::atomic<bool>>(true);
  bench.storage.disk = std::make_shared<DiskQueue>(DiskQueue::Settings{.threads = 1});
  bench.storage.disk->run_unattended("other", [hangs] {
    hangs->wait(true);
    return 0;
  });
  StoredBody stored(bench.worker, std::make_shared<const BodyStorage>(bench.storage), "10.0.0.1");
  CHECK_FALSE(stored.overdue());
  Pieces source(bench.arena, {large(2000)});
  auto filling = stored.fill(source);
  filling.start();
  CHECK(bench.disk_calls.value() == 1);
  REQUIRE(stored.overdue());
  CHECK(stored.overdue()->code == ErrorCode::body_not_stored);
  CHECK(stored.overdue()->side == Side::self);
  *hangs = false;
  hangs->notify_all();
  CHECK(bench.ended(filling));
  CHECK_FALSE(stored.overdue());
  CHECK(bench.disk_calls.value() == 0);
}
