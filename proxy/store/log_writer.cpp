#include "store/log_writer.h"

#include <algorithm>

#include "async/sleep.h"
#include "base/log.h"

namespace weir::store {

namespace {

constexpr Duration kPause = std::chrono::seconds(1);
constexpr size_t kWords = 64;  // at least, while a whole log is written anew

}  // namespace

void LogWriter::add(std::string log, std::string text, size_t most, std::string instead) {
  if (waiting_.size() >= kMostWaiting) {
    log::warn("store_log_entries_replaced", {{"log", log}, {"waiting", waiting_.size()}});
    drop_waiting(log);
    text = std::move(instead);
  }
  waiting_.push_back({std::move(log), std::move(text), most});
  has_work_.set();
}

/// What is under way may be in already.
void LogWriter::drop_waiting(const std::string& log) {
  const auto first = waiting_.begin() + (is_under_way_ ? 1 : 0);
  waiting_.erase(std::remove_if(first, waiting_.end(), [&](const Order& order) { return order.log == log; }),
                 waiting_.end());
}

void LogWriter::use(Store& store) {
  is_under_way_ = false;
  task_ = work(store);
  task_.start();
}

Task<> LogWriter::work(Store& store) {
  size_t untold = 0;
  for (;;) {
    while (waiting_.empty()) {
      has_work_.clear();
      co_await has_work_.wait();
    }
    const Order& next = waiting_.front();
    Arena arena(blocks_);
    is_under_way_ = true;
    const bool is_in = (co_await store.append({arena}, next.log, next.text, next.most)).has_value();
    is_under_way_ = false;
    if (!is_in) {
      co_await sleep_for(loop_, kPause);
      continue;
    }
    const auto log = std::move(waiting_.front().log);
    const auto most = waiting_.front().most;
    waiting_.pop_front();
    ++untold;
    if (untold < most / kWords && !waiting_.empty() && waiting_.front().log == log) continue;
    untold = 0;
    (void)co_await store.publish({arena}, log, "");
  }
}

}  // namespace weir::store
