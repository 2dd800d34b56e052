#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>

#include "unit/store/fake_redis.h"
#include "unit/store/redis_bench.h"

namespace weir::store {
namespace {

using namespace std::chrono_literals;

constexpr int kMasters = 400;

/// Listens on all addresses of this machine, and never answers.
struct Everywhere {
  Everywhere() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_ANY)}};
    socklen_t size = sizeof at;
    REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(socket, 4096) == 0);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
  }
  Everywhere(const Everywhere&) = delete;
  Everywhere& operator=(const Everywhere&) = delete;
  ~Everywhere() { ::close(socket); }
  int socket;
  uint16_t port;
};

std::string text(const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }

/// Another address for each master whenever it is asked for.
std::string map(int number, uint16_t port) {
  std::string slots = "*" + std::to_string(kMasters) + "\r\n";
  for (int i = 0; i < kMasters; ++i) {
    const auto host =
        "127." + std::to_string(number) + "." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1);
    slots += "*3\r\n:" + std::to_string(i * 40) + "\r\n:" + std::to_string(i * 40 + 39) + "\r\n*3\r\n" + text(host) +
             ":" + std::to_string(port) + "\r\n" + text("id" + std::to_string(i));
  }
  return slots;
}

long open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

}  // namespace

TEST_CASE("redis cluster: the nodes of a large map are connected to, and let go, a few in each turn of the loop") {
  const Everywhere everywhere;
  int maps = 0;
  FakeRedis server([&](std::string_view command) -> std::string {
    return command.contains("CLUSTER") ? map(++maps % 250 + 1, everywhere.port) : "+PONG\r\n";
  });
  auto settings = RedisWorker::settings(server.address(), 200ms);
  settings.is_cluster = true;
  const long before = open_descriptors();
  RedisWorker worker(std::move(settings));
  long most_opened = 0;
  long most_closed = 0;
  long seen = before;
  const auto watch = [&](auto is_so) {
    return worker.until([&] {
      server.serve();
      const long now = open_descriptors();
      most_opened = std::max(most_opened, now - seen);
      most_closed = std::max(most_closed, seen - now);
      seen = now;
      return is_so();
    });
  };
  REQUIRE(watch([&] { return seen - before >= kMasters; }));
  auto call = worker.store->get(worker.caller(), "key", 100);  // fails, so the map is read again
  call.start();
  int turns = 0;
  REQUIRE(watch([&] { return maps >= 2 && ++turns > 300; }));
  CHECK(seen - before >= kMasters);
  // Other timers open and close some at a time, too.
  CHECK(most_opened < kMasters / 2);
  CHECK(most_closed < kMasters / 2);
}

}  // namespace weir::store
