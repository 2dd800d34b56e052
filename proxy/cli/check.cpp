#include <cstdio>

#include "async/clock.h"
#include "cli/cli.h"
#include "runtime/machine_check.h"
#include "runtime/snapshot.h"
#include "upstream/name_watch.h"

namespace weir::cli {

namespace {

/// Looks up the names of endpoints, all at once, and warns of those without an address. A machine that checks
/// configurations may know other names than the one that serves them.
void look_up_names(const runtime::Snapshot& snapshot, const Clock& clock, config::Problems& problems) {
  Loop loop(clock);
  net::Resolver resolver(loop, snapshot.configuration().resolver.settings());
  std::vector<std::unique_ptr<upstream::NameWatch>> watches;
  for (const auto& upstream : snapshot.upstreams())
    watches.push_back(std::make_unique<upstream::NameWatch>(loop, resolver, *upstream));
  auto all = [](auto& watches, config::Problems& problems, Loop& loop) -> Task<> {
    config::Problems refused;
    for (const auto& watch : watches) {
      co_await watch->ready(refused);
      watch->warn(problems);
    }
    loop.stop();
  }(watches, problems, loop);
  loop.post([&all] { all.start(); });
  loop.run();
}

void look_at_machine(const runtime::Configuration& configuration, const CheckArguments& arguments,
                     config::Problems& problems) {
  config::Problems found;
  runtime::check_machine(configuration, found);
  for (const auto& [at, message, hint, severity] : found.all()) {
    if (arguments.is_here) problems.add(at, message, hint);
    else problems.warn(at, message, hint);
  }
}

}  // namespace

int check(const CheckArguments& arguments) {
  config::Problems problems;
  auto loaded = runtime::load(arguments.file, problems);
  // Building finds what reading can't: a filter that refuses its settings, a file that isn't there.
  const SteadyClock clock;
  const auto configuration = loaded.configuration;
  const bool is_read = problems.empty();
  look_at_machine(configuration, arguments, problems);
  if (!is_read) {
    runtime::Snapshot::find_more_problems(loaded, clock, problems);
  } else {
    runtime::Lasting lasting(clock);
    const auto snapshot = runtime::Snapshot::build(std::move(loaded), lasting, 1, nullptr, problems);
    if (snapshot) look_up_names(*snapshot, clock, problems);
  }
  if (arguments.format == "json") {
    std::printf("%s\n", problems.json().c_str());
  } else {
    std::fputs(problems.warnings_text().c_str(), stderr);
    std::fputs(problems.text().c_str(), stderr);
    if (problems.empty()) std::printf("%s: ok\n", arguments.file.c_str());
  }
  return problems.empty() ? 0 : 1;
}

}  // namespace weir::cli
