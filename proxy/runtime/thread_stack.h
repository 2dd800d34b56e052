#pragma once

#include <sys/types.h>

#include <string>

#include "base/units.h"

namespace weir::runtime {

/// Once, before any `stack_of`: loads what the unwinder needs, which may take memory, and installs a handler for
/// SIGURG, a signal that nothing else in the process uses and that does nothing otherwise.
void prepare_stacks();

/// The stack of another thread of this process, innermost frame first: "weir::Loop::drain()+0x12 < libuv.so.1+0x1f0a0".
/// A frame without a known function is module and offset, for `addr2line -Cfie MODULE OFFSET`. Empty when the thread
/// takes no signals for longer than `patience`. One caller at a time.
std::string stack_of(pid_t thread, Duration patience);

/// The state of a thread as one letter of proc(5); '?' when there is no such thread.
std::string thread_state(pid_t thread);

}  // namespace weir::runtime
