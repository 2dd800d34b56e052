#include "store/log_writer.h"

#include "async/sleep.h"
#include "base/log.h"

namespace weir::store {

namespace {

constexpr Duration kPause = std::chrono::seconds(1);

}  // namespace

void LogWriter::add(std::string log, std::string text, size_t most) {
  if (waiting_.size() == kMostWaiting)
    return log::warn("store_log_entry_lost", {{"log", log}, {"waiting", kMostWaiting}});
  waiting_.push_back({std::move(log), std::move(text), most});
  has_work_.set();
}

void LogWriter::use(Store& store) {
  task_ = work(store);
  task_.start();
}

Task<> LogWriter::work(Store& store) {
  for (;;) {
    while (waiting_.empty()) {
      has_work_.clear();
      co_await has_work_.wait();
    }
    const Order& next = waiting_.front();
    Arena arena(blocks_);
    const bool is_in = (co_await store.append({arena}, next.log, next.text, next.most)).has_value();
    if (!is_in) {
      co_await sleep_for(loop_, kPause);
      continue;
    }
    const auto log = std::move(waiting_.front().log);
    waiting_.pop_front();
    (void)co_await store.publish({arena}, log, "");
  }
}

}  // namespace weir::store
