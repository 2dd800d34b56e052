#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "async/race.h"

namespace weir {

namespace detail {

/// Results of the tasks of one `first_of` so far.
template <class T>
struct Findings {
  explicit Findings(Loop& loop) : changed(loop) {}
  std::optional<T> value;
  size_t ended = 0;
  Event changed;
};

template <class T>
Task<> find_for(Task<std::optional<T>> task, Findings<T>& findings) {
  auto value = co_await std::move(task);
  ++findings.ended;
  if (!findings.value) findings.value = std::move(value);
  findings.changed.set();
}

inline Task<bool> until_set(Event& event) {
  co_await event.wait();
  co_return true;
}

}  // namespace detail

/// The first value of any of `tasks`; nothing after `deadline`, or when all tasks ended without a value. Tasks start
/// `apart` from each other, and at once after another task ended without a value. Running tasks are destroyed before
/// the return. Tasks must not throw.
template <class T>
Task<std::optional<T>> first_of(Loop& loop, Time deadline, Duration apart, std::vector<Task<std::optional<T>>> tasks) {
  detail::Findings<T> findings(loop);
  std::vector<Task<>> running;
  Time next_start = loop.now();
  for (;;) {
    findings.changed.clear();
    const size_t ended = findings.ended;
    while (running.size() < tasks.size() && !findings.value && (next_start <= loop.now() || findings.ended > ended)) {
      running.push_back(detail::find_for(std::move(tasks[running.size()]), findings));
      running.back().start();
      next_start = loop.now() + apart;
    }
    if (findings.value || findings.ended == tasks.size() || loop.now() >= deadline) break;
    const bool all_run = running.size() == tasks.size();
    const auto changed =
        co_await before(loop, all_run ? deadline : std::min(next_start, deadline), detail::until_set(findings.changed));
    if (changed) next_start = std::min(next_start, loop.now());
  }
  co_return std::move(findings.value);
}

}  // namespace weir
