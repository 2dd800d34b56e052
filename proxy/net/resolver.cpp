#include "net/resolver.h"

#include <ares.h>
#include <sys/time.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "async/fd_watch.h"
#include "async/sleep.h"
#include "net/resolver_srv.h"

namespace weir::net {

namespace {

constexpr Duration kShortest = std::chrono::seconds(1);
constexpr Duration kLongest = std::chrono::minutes(5);
constexpr Duration kHostsFile = std::chrono::seconds(30);
constexpr Duration kAgain = std::chrono::seconds(5);  // after an SRV target got no answer
constexpr int kInternet = 1;                          // the class IN
constexpr int kSrv = 33;

std::unexpected<Error> failure(int status) {
  const bool is_answer = status == ARES_ENOTFOUND || status == ARES_ENODATA;
  return fail(ErrorCode::dns_error, is_answer ? Side::upstream : Side::self, ares_strerror(status), RetrySafe::yes);
}

/// In an order that doesn't change with the server's mood, each once.
void put_in_order(Resolution& resolution) {
  const auto key = [](const Resolution::Record& r) {
    return std::tuple(r.priority, r.address.text(), r.weight, r.target);
  };
  std::ranges::sort(resolution.records, {}, key);
  const auto rest = std::ranges::unique(resolution.records);
  resolution.records.erase(rest.begin(), rest.end());
}

/// What one query waits for. c-ares holds a Slot, not this: a destroyed wait leaves its late answer nowhere to go.
class Answer : Waiter {
 public:
  explicit Answer(Loop& loop) : loop_(loop), slot_(new Slot{this}) {}
  ~Answer() {
    if (slot_) slot_->answer = nullptr;
  }
  struct Slot {
    Answer* answer;
  };
  Slot* slot() { return slot_; }

  bool await_ready() const noexcept { return !slot_; }
  void await_suspend(std::coroutine_handle<> awaiter) { coroutine = awaiter; }
  void await_resume() const noexcept {}

  /// Called once by c-ares, perhaps before anybody waits.
  template <class Read>
  static void arrive(void* argument, Read read) {
    const std::unique_ptr<Slot> slot(static_cast<Slot*>(argument));
    Answer* answer = slot->answer;
    if (!answer) return;
    read(*answer);
    answer->slot_ = nullptr;
    if (answer->coroutine) answer->loop_.wake(*answer);
  }

  int status = ARES_ECANCELLED;
  Resolution resolution;  // of addresses
  std::vector<SrvRecord> srv;

 private:
  Loop& loop_;
  Slot* slot_;  // null once it has come
};

Duration ttl_of(const ares_addrinfo& info) {
  Duration least = kLongest;
  for (const auto* node = info.nodes; node; node = node->ai_next) {
    least = std::min<Duration>(least, std::chrono::seconds(node->ai_ttl));
  }
  for (const auto* alias = info.cnames; alias; alias = alias->next) {
    least = std::min<Duration>(least, std::chrono::seconds(alias->ttl));
  }
  return std::max(least, Duration{});
}

/// The records of one target, as the record for it says.
void add_target(std::vector<Resolution::Record>& all, const SrvRecord& record, const Address& address) {
  all.push_back({address.with_port(record.port), record.priority, record.weight, record.target});
}

void on_addresses(void* argument, int status, int, ares_addrinfo* info) noexcept {
  Answer::arrive(argument, [&](Answer& answer) {
    answer.status = status;
    if (status != ARES_SUCCESS) return;
    for (const auto* node = info->nodes; node; node = node->ai_next) {
      answer.resolution.records.push_back({Address(node->ai_addr, node->ai_addrlen)});
    }
    answer.resolution.ttl = ttl_of(*info);
  });
  ares_freeaddrinfo(info);
}

void on_srv(void* argument, int status, int, unsigned char* bytes, int size) noexcept {
  Answer::arrive(argument, [&](Answer& answer) {
    answer.status = status;
    if (status != ARES_SUCCESS) return;
    auto records = parse_srv({bytes, static_cast<size_t>(size)});
    if (!records) answer.status = ARES_EBADRESP;
    if (records) answer.srv = std::move(*records);
  });
}

int family_of(RecordType type) {
  if (type == RecordType::a) return AF_INET;
  return type == RecordType::aaaa ? AF_INET6 : AF_UNSPEC;
}

}  // namespace

/// c-ares on a loop. Its callbacks about sockets come from within its own functions, and those are called by
/// coroutines of the sockets; so a socket that goes is only put aside and destroyed on the next turn.
class Resolver::Channel {
 public:
  Channel(Loop& loop, ResolverSettings settings) : loop_(loop), settings_(std::move(settings)), alarm_(loop, *this) {
    sweep_.run = [](Ready& self) { static_cast<Sweep&>(self).channel->gone_.clear(); };
    sweep_.channel = this;
  }
  ~Channel() {
    if (ares_) ares_destroy(ares_);
  }

  Task<Result<Resolution>> addresses(std::string name, RecordType type) {
    if (const int status = open(); status != ARES_SUCCESS) co_return failure(status);
    Answer answer(loop_);
    const ares_addrinfo_hints hints{.ai_flags = ARES_AI_NOSORT, .ai_family = family_of(type)};
    ares_getaddrinfo(ares_, name.c_str(), nullptr, &hints, on_addresses, answer.slot());
    set_alarm();
    co_await answer;
    if (answer.status != ARES_SUCCESS) co_return failure(answer.status);
    if (answer.resolution.records.empty()) co_return failure(ARES_ENODATA);
    auto& ttl = answer.resolution.ttl;
    if (ttl == Duration{}) ttl = is_of_hosts_file(name) ? kHostsFile : kShortest;
    put_in_order(answer.resolution);
    co_return std::move(answer.resolution);
  }

  Task<Result<Resolution>> services(std::string name, std::vector<Resolution::Record> last) {
    if (const int status = open(); status != ARES_SUCCESS) co_return failure(status);
    Answer answer(loop_);
    ares_query(ares_, name.c_str(), kInternet, kSrv, on_srv, answer.slot());
    set_alarm();
    co_await answer;
    if (answer.status != ARES_SUCCESS) co_return failure(answer.status);
    Resolution all{.ttl = kLongest};
    Error missing = failure(ARES_ENODATA).error();
    bool has_target = answer.srv.empty();
    for (const auto& record : answer.srv) {
      all.ttl = std::clamp<Duration>(std::chrono::seconds(record.ttl), kShortest, all.ttl);
      if (record.target.empty()) continue;  // ".": no service (RFC 2782)
      has_target = true;
      const auto hosts = co_await addresses(record.target, RecordType::any);
      if (hosts) {
        all.ttl = std::min(all.ttl, hosts->ttl);
        for (const auto& host : hosts->records) add_target(all.records, record, host.address);
      } else if (hosts.error().side == Side::self) {
        all.ttl = std::min(all.ttl, kAgain);
        missing = hosts.error();
        for (const auto& known : last) {
          if (known.target == record.target) add_target(all.records, record, known.address);
        }
      }
    }
    if (all.records.empty() && has_target) co_return std::unexpected(missing);
    put_in_order(all);
    co_return all;
  }

 private:
  /// c-ares tells a TTL of 0 for whatever did not come by DNS, and for a DNS answer of TTL 0 alike.
  bool is_of_hosts_file(const std::string& name) {
    if (Address::parse_ip(name, 0)) return true;
    const auto has_label = [&](std::string_view label) {
      return name.size() > label.size() && name.ends_with(label) && name[name.size() - label.size() - 1] == '.';
    };
    if (name == "localhost" || has_label("localhost")) return true;
    for (const int family : {AF_INET, AF_INET6}) {
      hostent* host = nullptr;
      if (ares_gethostbyname_file(ares_, name.c_str(), family, &host) != ARES_SUCCESS) continue;
      ares_free_hostent(host);
      return true;
    }
    return false;
  }

  struct Socket {
    Socket(Loop& loop, int fd) : watch(std::in_place, loop, fd) {}
    std::optional<FdWatch> watch;
    Task<> reader;
    Task<> writer;
  };
  struct Sweep : Ready {
    Channel* channel;
  };

  /// With the first question; a failure (c-ares reads files) answers that question alone, and the next tries again.
  int open() {
    if (ares_) return ARES_SUCCESS;
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    (void)library;
    ares_options options{};
    options.timeout = static_cast<int>(settings_.timeout / std::chrono::milliseconds(1));
    options.tries = static_cast<int>(settings_.tries);
    options.sock_state_cb = [](void* self, ares_socket_t fd, int reads, int writes) noexcept {
      static_cast<Channel*>(self)->watch(fd, reads != 0, writes != 0);
    };
    options.sock_state_cb_data = this;
    const int status =
        ares_init_options(&ares_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
      ares_ = nullptr;
      return status;
    }
    std::string servers;
    for (const auto& server : settings_.servers) servers += (servers.empty() ? "" : ",") + server.text();
    if (!servers.empty()) ares_set_servers_ports_csv(ares_, servers.c_str());
    return ARES_SUCCESS;
  }

  void watch(ares_socket_t fd, bool reads, bool writes) {
    const auto found = sockets_.find(fd);
    if (!reads && !writes) {
      if (found == sockets_.end()) return;
      found->second->watch.reset();  // now: c-ares closes the descriptor next
      gone_.push_back(std::move(found->second));
      sockets_.erase(found);
      loop_.wake(sweep_);
      return;
    }
    auto& socket = found == sockets_.end() ? sockets_[fd] : found->second;
    if (!socket) socket = std::make_unique<Socket>(loop_, fd);
    if (reads && !socket->reader) begin(socket->reader, read(*socket, fd));
    if (writes && (!socket->writer || socket->writer.is_done())) begin(socket->writer, write(*socket, fd));
  }
  static void begin(Task<>& place, Task<> task) {
    place = std::move(task);
    place.start();
  }
  Task<> read(Socket& socket, ares_socket_t fd) {
    while (socket.watch) {
      co_await socket.watch->readable();
      process(fd, ARES_SOCKET_BAD);
    }
  }
  Task<> write(Socket& socket, ares_socket_t fd) {
    co_await socket.watch->writable();
    process(ARES_SOCKET_BAD, fd);
  }

  void process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(ares_, readable, writable);
    set_alarm();
  }
  void time_is_up() { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }
  void set_alarm() {
    timeval left{};
    if (!ares_timeout(ares_, nullptr, &left)) return alarm_.stop();
    alarm_.start(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
  }

  Loop& loop_;
  const ResolverSettings settings_;
  ares_channel ares_ = nullptr;
  std::map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
  std::vector<std::unique_ptr<Socket>> gone_;
  Sweep sweep_;
  Alarm<Channel, &Channel::time_is_up> alarm_;
};

Resolver::Resolver(Loop& loop, const ResolverSettings& settings)
    : channel_(std::make_unique<Channel>(loop, settings)) {}

Resolver::~Resolver() = default;

Task<Result<Resolution>> Resolver::resolve(std::string name, RecordType type, std::vector<Resolution::Record> last) {
  if (type == RecordType::srv) return channel_->services(std::move(name), std::move(last));
  return channel_->addresses(std::move(name), type);
}

}  // namespace weir::net
