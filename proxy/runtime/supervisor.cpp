#include "runtime/supervisor.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "async/sleep.h"
#include "base/log.h"
#include "runtime/last_resort.h"
#include "runtime/log_ownership.h"
#include "runtime/machine_check.h"
#include "runtime/notify.h"
#include "runtime/privileges.h"
#include "runtime/started_event.h"

namespace weir::runtime {

namespace {

constexpr std::initializer_list<int> kSignals = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT};
constexpr Duration kDrainStep = std::chrono::milliseconds(20);
constexpr Duration kPatience = std::chrono::seconds(5);   // beyond the drain, with a worker that hangs
constexpr Duration kIdleGrace = std::chrono::seconds(1);  // for requests that were on their way when the drain began

constexpr Duration kHandshake = std::chrono::milliseconds(200);  // a round trip to most clients

/// Every connection takes a descriptor: as many as the machine allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// One heap for all threads. With one for each, as glibc has it, what a thread has freed is no other's to use: a cache,
/// whose bodies come on one worker and go on another, would take its bytes several times. Requests need no heap.
void share_heap() { ::mallopt(M_ARENA_MAX, 1); }

/// For the end of the process, which is soon: without handlers, one signal more would cost the last lines of the logs
/// and leave the files of sockets behind.
void ignore_signals() {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : kSignals) sigaddset(&handled, number);
  pthread_sigmask(SIG_BLOCK, &handled, nullptr);
}

/// One event for each problem of a configuration.
void log_problems(const config::Problems& problems) {
  problems.for_each([](const config::Problem& problem, std::string_view place) {
    log::error("configuration_problem",
               {{"at", place}, {"setting", problem.at.path}, {"problem", problem.message}, {"hint", problem.hint}});
  });
}

void log_warnings(const config::Problems& problems) {
  problems.for_each_warning([](const config::Problem& warning, std::string_view place) {
    log::warn("configuration_warning",
              {{"at", place}, {"setting", warning.at.path}, {"warning", warning.message}, {"hint", warning.hint}});
  });
}

/// A process gives up its privileges once.
void warn_of_other_user(const Configuration& before, const Configuration& now) {
  if (*before.user == *now.user && *before.group == *now.group) return;
  log::warn("user_not_changed",
            {{"user", *before.user}, {"wanted", *now.user}, {"hint", "restart, or start a second weir with --join"}});
}

void log_exception(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    log::error("task_failed", {{"what", error.what()}});
  }
}

}  // namespace

Supervisor::Supervisor(RunOptions options)
    : options_(std::move(options)),
      lasting_(clock_),
      loop_(clock_),
      teardown_(loop_),
      checking_(loop_, lasting_),
      announcer_(loop_, lasting_.store.channels()),
      sockets_(options_.join),
      reloads_(loop_),
      tasks_(loop_, log_exception),
      workers_(loop_, lasting_, *this, renderer_) {
  lasting_.announcer = &announcer_;
  lasting_.trim_heap = [this] {
    if (!is_trim_due_.exchange(true)) loop_.post([this] { trim_heap(); });
  };
  lasting_.teardown = &teardown_;
}

Supervisor::~Supervisor() {
  tasks_.cancel();
  renderer_.stop();
  workers_.end();
  teardown_.empty();
}

int Supervisor::run() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // the write fails, as on a full disk
  raise_descriptor_limit();
  share_heap();
  signals_ = std::make_unique<Signals>(loop_, kSignals, [this](int number) { on_signal(number); });
  const LastResort last_resort({SIGTERM, SIGINT, SIGQUIT});
  tasks_.spawn(begin());
  loop_.run();
  tasks_.cancel();
  renderer_.stop();
  workers_.end();
  teardown_.empty();
  if (reign_) {
    reign_->health.clear();
    reign_->watches.clear();
  }
  announcer_.use(lasting_.store);
  heartbeat_.reset();
  subscriber_.reset();
  ignore_signals();
  signals_.reset();
  LastResort::call_off();  // not before: a worker that hangs would be waited for
  return exit_code_;
}

Task<> Supervisor::begin() {
  config::Problems problems;
  auto reign = co_await prepare(problems);
  if (!reign) {
    if (log::format() == log::Format::json) {
      log_problems(problems);
    } else {
      log::text(problems.text("weir was not started"));
    }
    exit_code_ = 1;
    loop_.stop();
    co_return;
  }
  log_warnings(problems);
  try {
    co_await publish(std::move(reign));
  } catch (const std::exception& error) {
    log::error("start_failed", {{"reason", error.what()}});
    exit_code_ = 1;
    loop_.stop();
    co_return;
  }
  state_ = State::serving;
  lasting_.metrics.loaded(clock_.wall());
  log_started(*reign_->snapshot, options_.file, workers_.size());
  warn_of_few_descriptors(reign_->snapshot->configuration());
  notify_service_manager("READY=1");
}

std::shared_ptr<observe::AccessLog> Supervisor::open_log(const Configuration& configuration,
                                                         const std::optional<Identity>& becoming,
                                                         config::Problems& problems) {
  if (reign_) {
    const auto& before = reign_->snapshot->configuration().access_log;
    const auto& now = configuration.access_log;
    if (*before.path == *now.path && *before.format == *now.format) return reign_->snapshot->access_log();
  }
  std::optional<FilesAs> as_user;
  if (becoming && ::geteuid() == 0) {
    if (const auto file = configuration.access_log.file(); !file.empty())
      give_log_to(file, options_.file, becoming->user, becoming->group);
    as_user.emplace(becoming->user, becoming->group);
  }
  try {
    return observe::AccessLog::open(configuration.access_log, problems, lasting_.metrics.dropped_access_lines());
  } catch (const std::system_error& error) {
    problems.add(configuration.access_log.path.at, std::string("the log's thread can't be started: ") + error.what());
    return nullptr;
  }
}

Task<std::unique_ptr<Supervisor::Reign>> Supervisor::prepare(config::Problems& problems) {
  const size_t workers_before = workers_.size();
  std::unique_ptr<Reign> reign;
  try {
    reign = co_await build(problems);
    if (reign) co_await staff(*reign, problems);
    if (problems.empty()) begin_listening(*reign, problems);
    // Last, since only root can undo what came before.
    if (problems.empty() && becoming_) drop_privileges(reign->snapshot->configuration(), *becoming_, problems);
    becoming_.reset();
  } catch (const std::exception& error) {
    problems.add({}, error.what());
  }
  if (problems.empty()) co_return reign;
  co_await dismiss(workers_before);
  co_return nullptr;
}

Task<std::unique_ptr<Supervisor::Reign>> Supervisor::build(config::Problems& problems) {
  auto loaded = load(options_.file, problems);
  if (state_ == State::starting) observe::use_process_log(loaded.configuration.process_log, nullptr);
  if (!problems.empty()) {
    Snapshot::find_more_problems(loaded, clock_, problems);
    if (state_ == State::starting) check_machine(loaded.configuration, problems);
    co_return nullptr;
  }
  if (state_ == State::starting) becoming_ = wanted_identity(loaded.configuration, problems);
  const unsigned workers = loaded.configuration.worker_count();
  auto log = open_log(loaded.configuration, becoming_, problems);
  auto reign = std::make_unique<Reign>();
  const auto threads = std::max<size_t>(workers, workers_.size());
  reign->snapshot =
      Snapshot::build(std::move(loaded), lasting_, static_cast<unsigned>(threads), std::move(log), problems);
  if (!reign->snapshot) co_return nullptr;
  const auto& configuration = reign->snapshot->configuration();
  reign->resolver = std::make_unique<net::Resolver>(loop_, configuration.resolver.settings());
  // All ask at once: a DNS server that is silent delays a start by one lookup.
  for (const auto& upstream : reign->snapshot->upstreams())
    reign->watches.push_back(std::make_unique<upstream::NameWatch>(loop_, *reign->resolver, *upstream));
  for (const auto& watch : reign->watches) co_await watch->ready(problems);
  if (!problems.empty()) co_return nullptr;
  const auto owner = becoming_ ? std::optional(becoming_->user) : std::nullopt;
  auto bound = sockets_.bind(configuration, workers, owner, problems);
  if (!bound) co_return nullptr;
  reign->sockets = std::move(*bound);
  co_return reign;
}

Task<> Supervisor::staff(const Reign& reign, config::Problems& problems) {
  const auto& configuration = reign.snapshot->configuration();
  const unsigned count = configuration.worker_count();
  workers_.start(count, problems);
  if (!problems.empty()) co_return;
  auto assignments = sockets_.assign(configuration, count, reign.sockets);
  assignments.resize(workers_.size());
  const auto refusal = std::make_shared<std::atomic<int>>(0);
  co_await workers_.ask([&](Worker& worker, Worker::Done done) {
    worker.prepare(assignments[worker.index()], [refusal, done](int error) {
      if (error != 0) *refusal = error;
      done();
    });
  });
  if (*refusal != 0) problems.add({}, std::string("can't watch the listening sockets: ") + std::strerror(*refusal));
}

void Supervisor::begin_listening(Reign& reign, config::Problems& problems) {
  // While the workers made ready, the process may have been told to stop.
  if (state_ != State::starting && state_ != State::serving) return problems.add({}, "shutting down");
  const auto& configuration = reign.snapshot->configuration();
  if (!sockets_.change_access(configuration, problems) || !sockets_.take_over(reign.sockets, problems)) return;
  sockets_.listen(reign.sockets, problems);
}

Task<> Supervisor::dismiss(size_t workers_before) {
  co_await workers_.ask([](Worker& worker, Worker::Done done) { worker.forget(std::move(done)); });
  workers_.keep_first(workers_before);
  sockets_.give_back();
  sockets_.keep_only(reign_ ? reign_->adoption->kept : std::set<int>());
}

Task<> Supervisor::publish(std::unique_ptr<Reign> reign) {
  const auto& configuration = reign->snapshot->configuration();
  const unsigned count = configuration.worker_count();
  auto assignments = sockets_.assign(configuration, count);
  assignments.resize(workers_.size());
  {
    const std::lock_guard lock(current_mutex_);
    current_ = reign->snapshot;
  }
  auto adoption = std::make_shared<Adoption>(reign->snapshot);
  for (const auto& worker : assignments) {
    for (const auto& assignment : worker) adoption->kept.insert(assignment.fd);
  }
  for (const auto& upstream : reign->snapshot->upstreams()) {
    const auto set = upstream->endpoints();
    for (const auto& endpoint : set->all()) adoption->endpoints.insert(endpoint.state.get());
  }
  reign->adoption = adoption;
  if (sockets_.leave_to_others(adoption->kept)) co_await sleep_for(loop_, kHandshake);
  co_await workers_.ask(
      [&](Worker& worker, Worker::Done done) { worker.adopt(adoption, assignments[worker.index()], std::move(done)); });
  sockets_.settle();
  sockets_.keep_only(adoption->kept);
  workers_.watch(configuration.watchdog);
  observe::use_process_log(configuration.process_log,
                           reign_ ? &reign_->snapshot->configuration().process_log : nullptr);
  lasting_.store.bound_quotas(reign->snapshot->configuration().store.max_size);
  watch_store(reign->snapshot->redis());
  if (reign_) {
    reign_->health.clear();
    reign_->watches.clear();
  }
  reign_ = std::move(reign);
  for (const auto& upstream : reign_->snapshot->upstreams())
    reign_->health.push_back(std::make_unique<upstream::HealthWatch>(checking_.context, *upstream));
}

void Supervisor::watch_store(const std::shared_ptr<store::RedisShared>& redis) {
  lasting_.redis = redis;
  if (heartbeat_ && heartbeat_->shared() == redis) return;
  auto heartbeat = redis ? std::make_unique<store::RedisHeartbeat>(loop_, redis) : nullptr;
  announcer_.use(heartbeat ? static_cast<store::Store&>(heartbeat->store()) : lasting_.store);
  heartbeat_ = std::move(heartbeat);
  subscriber_ = redis ? std::make_unique<store::RedisSubscriber>(loop_, redis, lasting_.store.channels()) : nullptr;
}

Task<admin::ReloadOutcome> Supervisor::reload_now() {
  return reloads_.run([this] { return reload_and_remember(); });
}

Task<admin::ReloadOutcome> Supervisor::reload_and_remember() {
  auto outcome = co_await reload_once();
  if (state_ == State::serving) remember(outcome);
  co_return outcome;
}

Task<admin::ReloadOutcome> Supervisor::reload_once() {
  if (state_ != State::serving) co_return admin::ReloadOutcome{false, "not serving\n"};
  notify_reloading();
  config::Problems problems;
  auto reign = co_await prepare(problems);
  if (!reign) {
    lasting_.metrics.reload_failed();
    log_problems(problems);
    log::error("reload_failed", {{"file", options_.file}, {"problems", problems.size()}});
    notify_service_manager("READY=1\nSTATUS=the last reload failed: the configuration before it is served");
    co_return admin::ReloadOutcome{false, problems.text("nothing was changed")};
  }
  log_warnings(problems);
  warn_of_other_user(reign_->snapshot->configuration(), reign->snapshot->configuration());
  const auto connections_before = reign_->snapshot->configuration().policy.limits.connections;
  try {
    co_await publish(std::move(reign));
  } catch (const std::exception& error) {  // of memory: whatever can be refused was asked for before
    lasting_.metrics.reload_failed();
    log::error("reload_broken_off", {{"file", options_.file}, {"reason", error.what()}});
    notify_service_manager("READY=1\nSTATUS=the last reload was broken off");
    co_return admin::ReloadOutcome{false, std::string("broken off: ") + error.what() + "\n"};
  }
  lasting_.metrics.reload_succeeded(clock_.wall());
  log::info("reloaded", {{"file", options_.file}});
  if (reign_->snapshot->configuration().policy.limits.connections != connections_before)
    warn_of_few_descriptors(reign_->snapshot->configuration());
  notify_service_manager("READY=1\nSTATUS=");
  co_return admin::ReloadOutcome{true, "reloaded\n"};
}

Task<> Supervisor::reload_on_signal() { (void)co_await reload_now(); }

void Supervisor::on_signal(int number) {
  switch (number) {
    case SIGHUP:
      if (state_ != State::serving)
        return log::warn("reload_ignored", {{"why", state_ == State::starting ? "starting" : "shutting down"}});
      if (reloads_.is_one_to_come()) return log::debug("reload_awaited");  // and that one has not read the file yet
      return tasks_.spawn(reload_on_signal());
    case SIGUSR1:
      if (reign_ && reign_->snapshot->access_log()) return reign_->snapshot->access_log()->reopen();
      return log::info("access_log_not_reopened", {{"why", "there is none"}});
    default: break;
  }
  if (state_ == State::serving) {
    state_ = State::draining;
    tasks_.spawn(stop());
    return;
  }
  log::warn("stopped_at_once", {{"signal", number}});
  exit_code_ = state_ == State::draining ? 128 + number : 0;
  loop_.stop();
}

/// Freed memory lies between what is in use: only this gives it back. No worker waits, unless it needs the heap.
void Supervisor::trim_heap() {
  is_trim_due_ = false;
  ::malloc_trim(0);
}

/// They are served until the end.
std::set<int> Supervisor::admin_sockets() const {
  std::set<int> sockets;
  for (const auto& worker : sockets_.assign(reign_->snapshot->configuration(), 1)) {
    for (const auto& assignment : worker) {
      if (assignment.is_admin()) sockets.insert(assignment.fd);
    }
  }
  return sockets;
}

/// Readiness is 503 already. Then the delay, no more accepting, and what is in flight finishes.
Task<> Supervisor::stop() {
  notify_service_manager("STOPPING=1");
  const auto settings = reign_->snapshot->configuration().shutdown;
  LastResort::end_after(settings.delay + settings.drain_timeout + kPatience);
  log::info(
      "draining",
      {{"delay_ms",
        std::chrono::milliseconds(std::chrono::duration_cast<std::chrono::milliseconds>(settings.delay)).count()}});
  if (settings.delay > Duration{}) co_await sleep_for(loop_, settings.delay);
  if (sockets_.leave_to_others(admin_sockets())) co_await sleep_for(loop_, kHandshake);
  co_await workers_.ask([](Worker& worker, Worker::Done done) { worker.drain(std::move(done)); });
  const Time begun = loop_.now();
  for (;;) {
    const Load load = co_await workers_.total_load();
    const Duration passed = loop_.now() - begun;
    if (load.connections == 0 && load.background == 0) break;
    if (passed >= settings.drain_timeout) {
      log::warn("drain_timed_out", {{"connections", load.connections}, {"requests", load.exchanges}});
      co_await workers_.ask([](Worker& worker, Worker::Done done) { worker.cut(std::move(done)); });
      while ((co_await workers_.total_load()).connections > 0) co_await sleep_for(loop_, kDrainStep);
      break;
    }
    if (passed >= kIdleGrace)
      co_await workers_.ask([](Worker& worker, Worker::Done done) { worker.close_idle(std::move(done)); });
    co_await sleep_for(loop_, kDrainStep);
  }
  state_ = State::stopped;
  log::info("stopped");
  loop_.stop();
}

}  // namespace weir::runtime
