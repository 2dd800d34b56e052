#include <cstdio>

#include "async/clock.h"
#include "cli/cli.h"
#include "runtime/snapshot.h"

namespace weir::cli {

int check(const CheckArguments& arguments) {
  config::Problems problems;
  auto loaded = runtime::load(arguments.file, problems);
  if (problems.empty()) {
    // Building finds what reading can't: a filter that refuses its settings, a file that isn't there.
    const SteadyClock clock;
    runtime::Lasting lasting(clock);
    runtime::Snapshot::build(std::move(loaded), lasting, 1, nullptr, problems);
  }
  if (arguments.format == "json") {
    std::printf("%s\n", problems.json().c_str());
  } else if (problems.empty()) {
    std::printf("%s: ok\n", arguments.file.c_str());
  } else {
    std::fputs(problems.text().c_str(), stderr);
  }
  return problems.empty() ? 0 : 1;
}

}  // namespace weir::cli
