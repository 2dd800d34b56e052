#pragma once

#include "async/loop.h"

namespace weir {

/// `co_await next_turn(loop)`: resumed once the loop has served what else is ready. For work that comes in slices.
class NextTurn : EndOfTick {
 public:
  explicit NextTurn(Loop& loop) : loop_(loop) {
    run = [](Ready& self) { static_cast<NextTurn&>(static_cast<EndOfTick&>(self)).awaiter_.resume(); };
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiter) {
    awaiter_ = awaiter;
    loop_.at_end_of_tick(*this);
  }
  void await_resume() const noexcept {}

 private:
  Loop& loop_;
  std::coroutine_handle<> awaiter_;
};

inline NextTurn next_turn(Loop& loop) { return NextTurn(loop); }

}  // namespace weir
