#include "runtime/worker.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/errno_name.h"
#include "base/log.h"
#include "base/thread.h"

namespace weir::runtime {

namespace {

constexpr Duration kTrimming = std::chrono::seconds(2);
constexpr size_t kWorthTrimming = 1 << 20;  // bytes that were freed
constexpr size_t kOfConnection = 2 * 1024;  // what a connection that closes frees, or more

void report_escaped(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    log::error("background_failed", {{"what", error.what()}});
  }
}

}  // namespace

/// One listening socket of this worker, and where its connections go once the door is open.
class Door final : public net::Listener::Acceptor {
 public:
  Door(Loop& loop, const Assignment& assignment, observe::WorkerMetrics& metrics, Paced& failures)
      : loop_(loop),
        assignment_(assignment),
        metrics_(metrics),
        failures_(failures),
        listener_(loop, assignment.fd, *this) {}

  const Assignment& assignment() const { return assignment_; }
  int error() const { return listener_.error(); }
  void open(downstream::Gateway& gateway) {
    gateway_ = &gateway;
    listener_.start();
  }
  void finish() { listener_.finish(); }

 private:
  void accepted(int fd, const net::Address& peer) override { gateway_->open(fd, peer); }
  void accept_failed(int error) override {
    metrics_.refused(observe::Refusal::out_of_files);
    const auto turn = failures_.turn(loop_.now());
    if (!turn) return;
    log::error("accept_failed",
               {{"listener", assignment_.listener}, {"error", errno_name(error)}, {"untold", turn->untold}});
  }

  Loop& loop_;
  Assignment assignment_;
  downstream::Gateway* gateway_ = nullptr;
  observe::WorkerMetrics& metrics_;
  Paced& failures_;  // log lines, of all listeners and workers
  net::Listener listener_;
};

/// A gateway and the cells that its connections are counted in.
struct Worker::Counted final : downstream::ConnectionObserver {
  Counted(Worker& worker, WorkerContext& context, Lasting& lasting, observe::WorkerMetrics& metrics,
          const Assignment& assignment)
      : worker(worker),
        metrics(metrics),
        gateway(context, assignment.is_admin() ? lasting.admin_clients : lasting.clients, *this, assignment.listener,
                assignment.port) {}

  void connection_opened() override {
    worker.watch_memory();
    if (!cells) return;
    cells->accepted.add();
    cells->open.add(1);
  }
  void connection_closed() override {
    worker.freed_ += kOfConnection;
    if (cells) cells->open.add(-1);
  }
  void connection_refused(Limit limit) override {
    metrics.refused(limit == Limit::all ? observe::Refusal::limit : observe::Refusal::limit_per_address);
  }

  void connection_barred() override { metrics.refused(observe::Refusal::client_certificate); }
  void connection_worn() override { metrics.worn_connections.add(); }
  void proxy_header_refused() override { metrics.refused(observe::Refusal::proxy_header); }
  void handshake_failed(net::TlsFault fault) override {
    metrics.refused(observe::Refusal::tls_handshake);
    if (cells) cells->handshake_failures[static_cast<size_t>(fault)].add();
  }

  Worker& worker;
  observe::WorkerMetrics& metrics;
  observe::ListenerCells* cells = nullptr;  // none for the admin listener
  bool is_admin = false;
  downstream::Gateway gateway;
};

/// The admin API as a gateway serves it: one route, no filters, nothing counted.
class Worker::AdminSite final : public RouteTable, downstream::ExchangeObserver {
 public:
  AdminSite(admin::Console& console, admin::Renderer& renderer, Lasting& lasting, admin::Surface surface)
      : origin_(std::make_shared<admin::AdminOrigin>(console, renderer, lasting.filter_metrics, lasting.admin_pages,
                                                     surface)) {
    route_.name = "admin";
    route_.chain = Chain({}, origin_);
    route_.max_body = 64 * 1024;
    serving_.policy = &policy_;
    serving_.routes = this;
    serving_.observer = this;
    serving_.release = [](KeptSnapshot&) {};
  }
  downstream::ServingRef serving() { return downstream::ServingRef(&serving_); }
  void use(const std::shared_ptr<const admin::Access>& access) { origin_->use(access); }

 private:
  const Route* find(Exchange&) const override { return &route_; }
  void exchange_started() override {}
  void exchange_finished(Exchange&) override {}

  downstream::Policy policy_;
  std::shared_ptr<admin::AdminOrigin> origin_;
  Route route_;
  downstream::Serving serving_;
};

Worker::Worker(unsigned index, Lasting& lasting, admin::Console& console, admin::Renderer& renderer)
    : index_(index),
      lasting_(lasting),
      loop_(lasting.clock),
      background_(loop_, report_escaped),
      metrics_(lasting.metrics.worker(index)),
      access_log_(loop_),
      store_(lasting.store),
      context_{.loop = loop_,
               .blocks = blocks_,
               .buffers = buffers_,
               .store = store_,
               .local_store = lasting.store,
               .index = index,
               .background = &background_},
      connections_(std::make_unique<upstream::ConnectionPool>(context_)),
      admin_(std::make_unique<AdminSite>(console, renderer, lasting, admin::Surface::everything)),
      admin_metrics_(std::make_unique<AdminSite>(console, renderer, lasting, admin::Surface::metrics)),
      trimming_(loop_, *this) {
  context_.connections = connections_.get();
  loop_.measure(metrics_.turns);
}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  loop_.post([this] { loop_.stop(); });
  thread_.join();
}

void Worker::start() {
  thread_ = start_thread("weir-" + std::to_string(index_), TakesSignals::yes, [this] { run(); });
}

void Worker::run() {
  thread_id_ = ::gettid();
  loop_.run();
  prepared_.clear();
  doors_.clear();
  gateways_.clear();
  background_.cancel();
  serving_ = {};
  connections_.reset();
  access_log_.flush();
  context_.reading = {};
}

void Worker::adopt(std::shared_ptr<const Adoption> adoption, std::vector<Assignment> assignments, Done done) {
  loop_.post([this, adoption = std::move(adoption), assignments = std::move(assignments), done = std::move(done)] {
    do_adopt(adoption, assignments);
    done();
  });
}

void Worker::prepare(std::vector<Assignment> assignments, std::function<void(int)> tell) {
  loop_.post([this, assignments = std::move(assignments), tell = std::move(tell)] { tell(do_prepare(assignments)); });
}

void Worker::forget(Done done) {
  loop_.post([this, done = std::move(done)] {
    prepared_.clear();
    done();
  });
}

void Worker::drain(Done done) {
  loop_.post([this, done = std::move(done)] {
    do_drain();
    done();
  });
}

void Worker::close_idle(Done done) {
  loop_.post([this, done = std::move(done)] {
    for (auto& [name, counted] : gateways_) {
      if (!counted->is_admin) counted->gateway.close_idle();
    }
    done();
  });
}

void Worker::cut(Done done) {
  loop_.post([this, done = std::move(done)] {
    for (auto& [name, counted] : gateways_) {
      if (!counted->is_admin) counted->gateway.cut();
    }
    background_.cancel();
    done();
  });
}

void Worker::report(std::function<void(Load)> tell) {
  loop_.post([this, tell = std::move(tell)] { tell(load()); });
}

Load Worker::load() const {
  Load load;
  for (const auto& [name, counted] : gateways_) {
    if (!counted->is_admin) load.connections += counted->gateway.size();
  }
  load.exchanges = metrics_.in_flight.value();
  load.background = background_.size();
  return load;
}

void Worker::watch_memory() {
  if (!trimming_.is_running()) trimming_.start(kTrimming);
}

/// Twice without use, and free blocks go: within 10 s after a flood the system has what isn't kept. Goes on until
/// there is nothing left that could go.
void Worker::trim() {
  const size_t keep = served_ ? served_->snapshot().configuration().memory.keep.count / 2 : 0;
  freed_ += blocks_.trim(keep) + buffers_.trim(keep);
  if (freed_ >= kWorthTrimming) {
    freed_ = 0;
    lasting_.trim_heap();
  }
  metrics_.blocks.set(static_cast<int64_t>(blocks_.in_use() + buffers_.in_use()));
  const bool is_over =
      std::ranges::all_of(gateways_, [](const auto& entry) { return entry.second->gateway.size() == 0; });
  const bool is_kept = blocks_.free_bytes() <= keep && buffers_.free_bytes() <= keep;
  if (!is_over || !is_kept) trimming_.start(kTrimming);
}

void Worker::do_adopt(const std::shared_ptr<const Adoption>& adoption, const std::vector<Assignment>& assignments) {
  auto* served = new ServedSnapshot(adoption->snapshot, metrics_, access_log_, lasting_.teardown);
  served->use_store(loop_, served_);
  store_.use(served->store() ? static_cast<store::Store&>(*served->store()) : lasting_.store);
  serving_ = downstream::ServingRef(served);
  served_ = served;
  access_log_.use(served->snapshot().access_log());
  admin_->use(served->snapshot().admin_access());
  admin_metrics_->use(served->snapshot().admin_access());
  std::unordered_map<int, const Assignment*> assigned;  // a descriptor once
  for (const auto& assignment : assignments) assigned.emplace(assignment.fd, &assignment);
  close_doors(adoption->kept, [&](const Door& door) {
    const auto found = assigned.find(door.assignment().fd);
    return found == assigned.end() || *found->second != door.assignment();
  });
  open_doors(assignments);
  // A listener that is gone, or that other workers have now, answers what it has and closes.
  std::unordered_map<std::string_view, size_t> places;  // in the configuration
  for (const auto& name : served->snapshot().labels().listeners) places.emplace(name, places.size());
  std::unordered_set<std::string_view> open;
  for (const auto& door : doors_) open.insert(door->assignment().listener);
  for (auto& [name, counted] : gateways_) {
    if (counted->is_admin) continue;
    const auto place = places.find(name);
    const bool is_gone = place == places.end();
    counted->gateway.serve(serving_);
    counted->gateway.drain(!open.contains(name));
    counted->gateway.part_strays_after(served->snapshot().configuration().stream_grace);
    counted->gateway.cut_after(is_gone ? std::optional(served->snapshot().configuration().stream_grace) : std::nullopt);
    counted->gateway.expect_proxy_header(nullptr);
    if (is_gone) continue;
    const size_t index = place->second;
    counted->cells = &served->listener(index);
    const auto& proxy_protocol = served->snapshot().configuration().listeners[index].proxy_protocol;
    if (proxy_protocol) counted->gateway.expect_proxy_header(&*proxy_protocol);
    counted->gateway.use_tls(served->snapshot().tls(index), served->snapshot().configuration().stream_grace);
  }
  connections_->keep_only(
      [adoption](const upstream::EndpointState& state) { return adoption->endpoints.contains(&state); });
}

int Worker::do_prepare(const std::vector<Assignment>& assignments) {
  std::unordered_set<int> open;  // a loop watches a descriptor once
  for (const auto& door : doors_) open.insert(door->assignment().fd);
  for (const auto& assignment : assignments) {
    if (!open.insert(assignment.fd).second) continue;
    auto door = std::make_unique<Door>(loop_, assignment, metrics_, lasting_.accept_failures);
    if (door->error() != 0) return door->error();
    prepared_.emplace(assignment.fd, std::move(door));
  }
  return 0;
}

void Worker::open_doors(const std::vector<Assignment>& assignments) {
  std::unordered_set<int> open;
  for (const auto& door : doors_) open.insert(door->assignment().fd);
  for (const auto& assignment : assignments) {
    auto& home = gateway(assignment);
    home.serve(serving_for(assignment.purpose));
    if (!open.insert(assignment.fd).second) continue;
    doors_.push_back(take_prepared(assignment));
    doors_.back()->open(home);
  }
  prepared_.clear();
}

std::unique_ptr<Door> Worker::take_prepared(const Assignment& assignment) {
  auto found = prepared_.extract(assignment.fd);
  if (found && found.mapped()->assignment() == assignment) return std::move(found.mapped());
  return std::make_unique<Door>(loop_, assignment, metrics_, lasting_.accept_failures);
}

downstream::ServingRef Worker::serving_for(Purpose purpose) {
  switch (purpose) {
    case Purpose::admin: return admin_->serving();
    case Purpose::metrics: return admin_metrics_->serving();
    default: return serving_;
  }
}

downstream::Gateway& Worker::gateway(const Assignment& assignment) {
  auto& counted = gateways_[assignment.is_admin() ? "admin " + assignment.listener : assignment.listener];
  if (!counted) counted = std::make_unique<Counted>(*this, context_, lasting_, metrics_, assignment);
  counted->is_admin = assignment.is_admin();
  counted->gateway.use_port(assignment.port);
  return counted->gateway;
}

void Worker::close_doors(const std::set<int>& kept, const std::function<bool(const Door&)>& goes) {
  for (auto& door : doors_) {
    if (!goes(*door)) continue;
    if (!kept.contains(door->assignment().fd)) door->finish();  // else it goes on under another name, or elsewhere
    door.reset();
  }
  std::erase(doors_, nullptr);
}

void Worker::do_drain() {
  for (auto& [name, counted] : gateways_) {
    if (!counted->is_admin) counted->gateway.drain();
  }
  close_doors({}, [](const Door& door) { return !door.assignment().is_admin(); });
}

}  // namespace weir::runtime
