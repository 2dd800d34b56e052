#pragma once

#include <optional>
#include <variant>

#include "async/event.h"
#include "async/sleep.h"
#include "async/task.h"

namespace weir {

namespace detail {

template <class T>
Task<> run_racer(Task<T> task, std::optional<T>& into, Signal& finish) {
  try {
    into.emplace(co_await std::move(task));
  } catch (...) {
    finish.notify();
    throw;
  }
  finish.notify();
}

}  // namespace detail

/// Runs both; the result of the first that ends (the left one when both end at once). The loser is destroyed
/// before this returns.
template <class A, class B>
Task<std::variant<A, B>> race(Loop& loop, Task<A> left, Task<B> right) {
  Signal finish(loop);
  std::optional<A> a;
  std::optional<B> b;
  auto first = detail::run_racer(std::move(left), a, finish);
  if (first.start()) {
    first.take();
    co_return std::variant<A, B>(std::in_place_index<0>, std::move(*a));
  }
  auto second = detail::run_racer(std::move(right), b, finish);
  if (!second.start()) co_await finish.wait();
  if (first.is_done()) {
    first.take();
    co_return std::variant<A, B>(std::in_place_index<0>, std::move(*a));
  }
  second.take();
  co_return std::variant<A, B>(std::in_place_index<1>, std::move(*b));
}

/// The task's result, or nothing when `deadline` comes first; the task is destroyed then.
template <class T>
Task<std::optional<T>> before(Loop& loop, Time deadline, Task<T> task) {
  Signal finish(loop);
  std::optional<T> result;
  auto racer = detail::run_racer(std::move(task), result, finish);
  if (racer.start()) {
    racer.take();
    co_return std::move(result);
  }
  struct Alert : TimerNode {
    Signal* finish;
  } alert;
  alert.finish = &finish;
  alert.run = [](Ready& self) { static_cast<Alert&>(static_cast<TimerNode&>(self)).finish->notify(); };
  loop.start_timer_at(alert, deadline);
  co_await finish.wait();
  if (racer.is_done()) racer.take();
  co_return std::move(result);
}

}  // namespace weir
