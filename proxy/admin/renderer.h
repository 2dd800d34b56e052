#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "admin/page.h"
#include "async/event.h"
#include "base/paced.h"

namespace weir::admin {

/// A thread of its own, of low priority, that renders the pages of the admin API one after another, and frees them when
/// the last client has read or left them: with thousands of routes either takes longer than a worker may stop. Requests
/// for the same page share a rendering that has yet to begin. Begins with the first page. Where the system refuses the
/// thread, the worker renders: a page that comes late tells an operator more than an error.
class Renderer {
 public:
  static constexpr size_t kMostJobs = 16;        // pages that wait to be rendered
  static constexpr size_t kMostHeld = 64 << 20;  // bytes of one path's pages that clients have yet to read

  Renderer();
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  ~Renderer() { stop(); }

  /// Which page a request asks for: equal ones get the same rendering.
  struct Name {
    std::string path;
    std::string accept;
    bool operator==(const Name&) const = default;
  };
  /// What `work` returns, on the exchange's loop. `work` runs on the renderer's thread, if an exchange still waits
  /// then; an exception of it is thrown here. `admin_busy` while too many pages wait, or are held.
  Task<Result<PagePtr>> render(Exchange& exchange, Name name, std::function<Page()> work);
  /// Ends the thread. Whoever waits still isn't answered any more. Before the loops of those who ask go.
  void stop();

 private:
  struct Answer;
  struct Asker;
  struct Job;
  struct Desk;
  bool has_thread();
  void run();
  void work_off(Job job);

  const std::shared_ptr<Desk> desk_;  // other owners: the pages, which come back there
  Paced refused_;                     // log lines
  std::thread thread_;
};

}  // namespace weir::admin
