#pragma once

#include <coroutine>

#include "base/list.h"

namespace weir {

/// Something that its loop runs soon, never inside the call that asked for it. Destroyed before its turn, it
/// isn't run.
struct Ready : ListNode {
  void (*run)(Ready&) = nullptr;
};

/// A coroutine that waits for the loop to resume it; the part that all leaf awaitables share.
struct Waiter : Ready {
  std::coroutine_handle<> coroutine;

  Waiter() {
    run = [](Ready& self) { static_cast<Waiter&>(self).coroutine.resume(); };
  }
};

}  // namespace weir
