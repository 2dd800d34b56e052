#include "async/signals.h"

namespace weir {

Signals::Signals(Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal)
    : loop_(loop), on_signal_(std::move(on_signal)) {
  for (const int number : numbers) {
    auto* handle = new uv_signal_t;
    uv_signal_init(loop.uv(), handle);
    handle->data = this;
    uv_signal_start(
        handle,
        [](uv_signal_t* handle, int number) {
          auto* signals = static_cast<Signals*>(handle->data);
          if (!signals) return;
          const Loop::Dispatch dispatch(signals->loop_);
          signals->on_signal_(number);
        },
        number);
    handles_.push_back(handle);
  }
}

Signals::~Signals() {
  for (auto* handle : handles_) {
    handle->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_signal_t*>(closed); });
  }
}

}  // namespace weir
