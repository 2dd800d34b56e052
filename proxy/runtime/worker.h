#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "admin/admin.h"
#include "async/sleep.h"
#include "downstream/gateway.h"
#include "net/listener.h"
#include "runtime/served_snapshot.h"
#include "store/current_store.h"
#include "upstream/connection_pool.h"

namespace weir::runtime {

class Door;

/// What connections of a listening descriptor are for.
enum class Purpose : uint8_t { clients, admin, metrics };

/// A listening descriptor that a worker is to accept on.
struct Assignment {
  std::string listener;  // its name
  uint16_t port = 0;
  int fd = -1;
  Purpose purpose = Purpose::clients;
  /// Of the admin API, or a part of it.
  bool is_admin() const { return purpose != Purpose::clients; }
  bool operator==(const Assignment&) const = default;
};

/// What a worker has at one moment, read by the supervisor.
struct Load {
  size_t connections = 0;
  int64_t exchanges = 0;
  size_t background = 0;  // what runs without a client
};

/// What all workers are told when a snapshot is published.
struct Adoption {
  std::shared_ptr<const Snapshot> snapshot;
  std::set<int> kept;                                            // sockets that some worker listens on
  std::unordered_set<const upstream::EndpointState*> endpoints;  // of the snapshot: connections to others are closed
};

/// One thread, one loop, its own accept sockets and idle upstream connections. Lives from its first snapshot to the
/// end of the process; a reload to fewer workers leaves it without listeners. The supervisor talks to it by mail.
class Worker {
 public:
  /// Throws std::system_error when the kernel refuses what a loop needs.
  Worker(unsigned index, Lasting& lasting, admin::Console& console, admin::Renderer& renderer);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Ends the thread; what is still in flight is cut off.
  ~Worker();

  /// Throws std::system_error when the kernel refuses a thread.
  void start();
  unsigned index() const { return index_; }
  /// The kernel's id of the thread, once the thread has answered anything.
  pid_t thread_id() const { return thread_id_; }
  const TurnMeter& turns() const { return metrics_.turns; }
  Counter& stuck_turns() { return metrics_.stuck_turns; }

  // Any thread: done on the worker's own, then `done` is called there.
  using Done = std::function<void()>;
  /// Makes ready to accept on listeners that the worker does not have yet, and tells the errno of the first that the
  /// kernel refuses to watch, or 0. The sockets stay open until `adopt` or `forget` is done.
  void prepare(std::vector<Assignment> assignments, std::function<void(int)> tell);
  /// Undoes `prepare`.
  void forget(Done done);
  /// Serves its snapshot on these listeners and no others. Sockets that aren't `kept`, by this worker or another, stop
  /// listening; connections of listeners that are gone are drained, and cut after `stream_grace`. Takes no longer for
  /// a large configuration.
  void adopt(std::shared_ptr<const Adoption> adoption, std::vector<Assignment> assignments, Done done);
  /// Accepts what waits, then no more; but for the admin listener.
  void drain(Done done);
  void close_idle(Done done);
  /// Ends all connections; WebSockets have a moment to say so.
  void cut(Done done);
  void report(std::function<void(Load)> tell);

 private:
  void run();
  int do_prepare(const std::vector<Assignment>& assignments);
  void do_adopt(const std::shared_ptr<const Adoption>& adoption, const std::vector<Assignment>& assignments);
  void do_drain();
  void open_doors(const std::vector<Assignment>& assignments);
  std::unique_ptr<Door> take_prepared(const Assignment& assignment);
  void close_doors(const std::set<int>& kept, const std::function<bool(const Door&)>& goes);
  downstream::Gateway& gateway(const Assignment& assignment);
  downstream::ServingRef serving_for(Purpose purpose);
  Load load() const;
  void watch_memory();
  void trim();

  unsigned index_;
  Lasting& lasting_;
  Loop loop_;
  TaskGroup background_;
  BlockPool blocks_{8 * 1024, 4096};
  BlockPool buffers_{64 * 1024, 64};
  observe::WorkerMetrics& metrics_;
  observe::WorkerAccessLog access_log_;
  store::CurrentStore store_;
  WorkerContext context_;
  std::unique_ptr<upstream::ConnectionPool> connections_;
  class AdminSite;
  std::unique_ptr<AdminSite> admin_;
  std::unique_ptr<AdminSite> admin_metrics_;
  downstream::ServingRef serving_;
  ServedSnapshot* served_ = nullptr;  // what `serving_` refers to
  struct Counted;
  std::map<std::string, std::unique_ptr<Counted>> gateways_;  // by listener
  std::vector<std::unique_ptr<Door>> doors_;
  std::unordered_map<int, std::unique_ptr<Door>> prepared_;  // not open yet, by descriptor
  Alarm<Worker, &Worker::trim> trimming_;
  size_t freed_ = 0;  // bytes, or so, since the heap was last trimmed
  std::atomic<pid_t> thread_id_ = 0;
  std::thread thread_;
};

}  // namespace weir::runtime
