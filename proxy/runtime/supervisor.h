#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin.h"
#include "async/event.h"
#include "async/shared_runs.h"
#include "async/signals.h"
#include "async/task_group.h"
#include "runtime/privileges.h"
#include "runtime/socket_set.h"
#include "runtime/workers.h"
#include "store/announcer.h"
#include "store/redis_heartbeat.h"
#include "store/redis_subscriber.h"
#include "upstream/connection_pool.h"
#include "upstream/health_watch.h"
#include "upstream/name_watch.h"

namespace weir::runtime {

struct RunOptions {
  std::string file;
  SocketSet::Join join = SocketSet::Join::no;
};

/// The main thread: reads the configuration, keeps the sockets, starts the workers, hands them snapshots, and answers
/// signals: HUP reloads, USR1 reopens the logs, TERM, INT and QUIT drain (a second one ends at once).
class Supervisor final : public admin::Console {
 public:
  explicit Supervisor(RunOptions options);
  ~Supervisor() override;

  /// Until it is told to stop. The exit code: 0, or 1 when the start failed (then all problems are on stderr).
  int run();

 private:
  /// A snapshot with what keeps it up to date, and the new sockets that it brings.
  struct Reign {
    std::shared_ptr<Snapshot> snapshot;
    SocketSet::Bound sockets;
    std::vector<std::unique_ptr<upstream::NameWatch>> watches;
    std::unique_ptr<net::Resolver> resolver;
    std::vector<std::unique_ptr<upstream::HealthWatch>> health;
    std::shared_ptr<const Adoption> adoption;  // kept, so that no worker destroys it
  };
  /// What health checks are made with: a worker's means on this thread's loop.
  struct Checking {
    Checking(Loop& loop, Lasting& lasting)
        : context{.loop = loop,
                  .blocks = blocks,
                  .buffers = buffers,
                  .store = lasting.store,
                  .local_store = lasting.store} {
      context.connections = &connections;
    }
    BlockPool blocks{8 * 1024, 64};
    BlockPool buffers{64 * 1024, 4};
    WorkerContext context;
    upstream::ConnectionPool connections{context};
  };
  struct LastReload {
    bool ok;
    Time at;
    std::string text;
  };
  enum class State : uint8_t { starting, serving, draining, stopped };

  Task<> begin();
  /// Takes all steps that may fail: loads, checks, builds, binds, resolves, starts threads, drops privileges, listens.
  /// Null, and nothing that serves has changed, when one does. What a step throws is a Problem.
  Task<std::unique_ptr<Reign>> prepare(config::Problems& problems);
  Task<std::unique_ptr<Reign>> build(config::Problems& problems);
  /// Threads and their readiness to accept.
  Task<> staff(const Reign& reign, config::Problems& problems);
  void begin_listening(Reign& reign, config::Problems& problems);
  /// Takes back what `staff` and `begin_listening` did.
  Task<> dismiss(size_t workers_before);
  void watch_store(const std::shared_ptr<store::RedisShared>& redis);
  Task<> publish(std::unique_ptr<Reign> reign);
  /// One at a time; whoever asks meanwhile shares the next one.
  Task<admin::ReloadOutcome> reload_now();
  Task<admin::ReloadOutcome> reload_and_remember();
  Task<admin::ReloadOutcome> reload_once();
  Task<> reload_on_signal();
  std::set<int> admin_sockets() const;
  Task<> stop();
  /// `becoming`: the user who has to be able to open the log again.
  std::shared_ptr<observe::AccessLog> open_log(const Configuration& configuration,
                                               const std::optional<Identity>& becoming, config::Problems& problems);
  void on_signal(int number);
  void trim_heap();
  std::shared_ptr<const Snapshot> current() const;
  // Any thread:
  std::optional<LastReload> last_reload() const;
  void remember(const admin::ReloadOutcome& outcome);

  // What the admin API asks, on a worker's thread …
  admin::Readiness readiness() const override;
  std::string version_json() const override;
  bool order(std::string_view upstream, std::string_view endpoint, admin::EndpointOrder order) override;
  Task<admin::ReloadOutcome> reload(Exchange& exchange) override;
  std::string other_than(const admin::ServedFile& file) const override;
  // … and on the renderer's.
  admin::Page metrics(std::string_view accept) const override;
  std::string status_json() const override;
  std::string upstreams_json() const override;
  std::string config_json() const override;

  RunOptions options_;
  SteadyClock clock_;
  const Time begun_ = clock_.now();
  Lasting lasting_;
  Loop loop_;
  Teardown teardown_;
  admin::Renderer renderer_;
  Checking checking_;
  store::Announcer announcer_;
  SocketSet sockets_;
  std::optional<Identity> becoming_;  // while starting: the user that the process is about to become
  std::atomic<State> state_{State::starting};
  std::atomic<bool> is_trim_due_ = false;
  int exit_code_ = 0;
  std::unique_ptr<Reign> reign_;
  std::unique_ptr<store::RedisHeartbeat> heartbeat_;  // none while the store is embedded
  std::unique_ptr<store::RedisSubscriber> subscriber_;
  mutable std::mutex current_mutex_;
  std::shared_ptr<const Snapshot> current_;
  std::optional<LastReload> last_reload_;  // guarded by the same mutex
  SharedRuns<admin::ReloadOutcome> reloads_;
  TaskGroup tasks_;
  std::unique_ptr<Signals> signals_;
  Workers workers_;
};

}  // namespace weir::runtime
