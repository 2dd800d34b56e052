#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "admin/page.h"
#include "async/event.h"

namespace weir::admin {

/// A thread of its own, of low priority, that renders the pages of the admin API one after another: with thousands of
/// routes that takes longer than a worker may stop. Begins with the first page. Where the system refuses the thread,
/// the worker renders: a page that comes late tells an operator more than an error.
class Renderer {
 public:
  Renderer() = default;
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  ~Renderer() { stop(); }

  /// What `work` returns, on the exchange's loop. `work` runs on the renderer's thread, if the exchange still waits
  /// then; an exception of it is thrown here.
  Task<RenderedPage> render(Exchange& exchange, std::function<Page()> work);
  /// Ends the thread. Whoever waits still isn't answered any more. Before the loops of those who ask go.
  void stop();

 private:
  struct Answer;
  struct Job {
    std::shared_ptr<Answer> answer;  // two owners: who asked, and may be gone, and the job
    Loop* asker;
    std::function<Page()> work;
  };
  bool has_thread();
  void add(Job job);
  void run();

  std::mutex mutex_;
  std::condition_variable is_wanted_;
  std::deque<Job> jobs_;
  bool is_stopped_ = false;
  std::thread thread_;
};

}  // namespace weir::admin
