#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "base/arena.h"

namespace weir {

/// Anything that lends its arena to the frames of coroutines that take it as an argument (or as `*this`).
template <class T>
concept LendsFrames = requires(const T& owner) {
  { owner.frame_arena() } -> std::convertible_to<Arena*>;
};

namespace detail {

/// Frames come from the arena of the first argument that lends one, else from the heap.
class FrameAllocation {
 public:
  static void* operator new(size_t size) { return allocate(nullptr, size); }
  template <class... Args>
  static void* operator new(size_t size, Args&... args) {
    return allocate(find(args...), size);
  }
  static void operator delete(void* frame, size_t size) noexcept {
    auto* header = static_cast<Header*>(frame) - 1;
    if (Arena* arena = header->arena) {
      arena->give(header, size + sizeof(Header));
    } else {
      ::operator delete(header);
    }
  }

 private:
  struct alignas(std::max_align_t) Header {
    Arena* arena;
  };

  static Arena* find() { return nullptr; }
  template <class First, class... Rest>
  static Arena* find(First& first, Rest&... rest) {
    if constexpr (LendsFrames<First>) {
      return first.frame_arena();
    } else {
      return find(rest...);
    }
  }
  static void* allocate(Arena* arena, size_t size) {
    size += sizeof(Header);
    auto* header = static_cast<Header*>(arena ? arena->take(size) : ::operator new(size));
    header->arena = arena;
    return header + 1;
  }
};

struct PromiseBase : FrameAllocation {
  std::coroutine_handle<> awaiter;
  std::exception_ptr exception;

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      auto awaiter = self.promise().awaiter;
      return awaiter ? awaiter : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;

  auto get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  auto get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
  void return_void() const noexcept {}
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

/// A lazy coroutine with one owner and one awaiter: it starts when awaited (or by `start`), gives its result
/// to the awaiter by symmetric transfer, and rethrows what it threw. Destroying a Task destroys its frame and
/// every frame below it: that is cancellation. Only a suspended task may be destroyed. One thread.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task() = default;
  Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~Task() { reset(); }

  explicit operator bool() const { return frame_ != nullptr; }
  bool is_done() const { return frame_.done(); }

  /// Runs up to the first wait. True when the task is done already: `take` its result, or co_await it. Only
  /// on a task that hasn't started.
  bool start() {
    frame_.resume();
    return frame_.done();
  }
  /// The result of a task that is done.
  T take() { return frame_.promise().take(); }
  /// Cancels.
  void reset() {
    if (auto frame = std::exchange(frame_, nullptr)) frame.destroy();
  }

  /// Until a task that `start` has begun is done; `take` its result then.
  auto settled() {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return frame.done(); }
      void await_suspend(std::coroutine_handle<> awaiter) noexcept { frame.promise().awaiter = awaiter; }
      void await_resume() const noexcept {}
    };
    return Awaiter{frame_};
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
        frame.promise().awaiter = awaiter;
        return frame;
      }
      T await_resume() { return frame.promise().take(); }
    };
    return Awaiter{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

}  // namespace weir
