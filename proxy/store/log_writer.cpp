#include "store/log_writer.h"

#include <algorithm>

#include "async/sleep.h"
#include "base/log.h"

namespace weir::store {

namespace {

constexpr Duration kPause = std::chrono::seconds(1);         // while the store is gone
constexpr Duration kBreath = std::chrono::milliseconds(20);  // between two calls for one log

/// So that those who follow the log keep up, though it keeps few entries only.
size_t most_at_once(size_t kept) { return std::clamp<size_t>(kept / 16, 1, LogWriter::kMostAtOnce); }

}  // namespace

void LogWriter::add(const std::string& log, std::string text, size_t most, std::string instead) {
  Named& named = *queues_.try_emplace(log).first;
  Queue& queue = named.second;
  queue.most = most;
  const auto waiting = queue.texts.size();
  if (waiting >= kMostOfLog || (waiting >= kFew && waiting_ >= kMostWaiting)) {
    replace(named, std::move(instead));
  } else {
    queue.texts.push_back(std::move(text));
    ++waiting_;
  }
  take_turn(named);
}

/// What is under way may be in already.
void LogWriter::replace(Named& named, std::string instead) {
  auto& [log, queue] = named;
  if (const auto turn = replaced_.turn(loop_.now())) {
    log::warn("store_log_entries_replaced", {{"log", log}, {"waiting", queue.texts.size()}, {"untold", turn->untold}});
  }
  waiting_ -= queue.texts.size() - queue.under_way;
  queue.texts.resize(queue.under_way);
  queue.texts.push_back(std::move(instead));
  ++waiting_;
}

void LogWriter::take_turn(Named& named) {
  Queue& queue = named.second;
  if (queue.state != Queue::State::idle || queue.texts.empty()) return;
  queue.state = Queue::State::in_turn;
  turns_.push_back(&named);
  has_work_.set();
}

void LogWriter::use(Store& store) {
  lanes_.clear();
  for (auto& named : queues_) {
    Queue& queue = named.second;
    queue.under_way = 0;
    if (queue.state == Queue::State::in_work) queue.state = Queue::State::idle;
    take_turn(named);
  }
  for (size_t i = 0; i < kLanes; ++i) lanes_.push_back(work(store));
  for (auto& lane : lanes_) lane.start();
}

Task<> LogWriter::work(Store& store) {
  for (;;) {
    while (turns_.empty()) {
      has_work_.clear();
      co_await has_work_.wait();
    }
    Named& named = *turns_.front();
    turns_.pop_front();
    Queue& queue = named.second;
    queue.state = Queue::State::in_work;
    const bool is_in = co_await write(store, named);
    queue.under_way = 0;
    if (!is_in) co_await sleep_for(loop_, kPause);
    else if (!queue.texts.empty()) co_await sleep_for(loop_, kBreath);
    queue.state = Queue::State::idle;
    if (queue.texts.empty()) queues_.erase(queues_.find(named.first));
    else take_turn(named);
  }
}

/// The first entries, as many as go in one call. They stay there until they are in.
Task<bool> LogWriter::write(Store& store, Named& named) {
  auto& [log, queue] = named;
  Arena arena(blocks_);
  const auto count = std::min(queue.texts.size(), most_at_once(queue.most));
  const auto values = arena.make_list<std::string_view>(count);
  std::ranges::copy_n(queue.texts.begin(), static_cast<ptrdiff_t>(count), values.begin());
  queue.under_way = count;
  const bool is_in = (co_await store.append_all({arena}, log, values, queue.most)).has_value();
  if (!is_in) co_return false;
  queue.texts.erase(queue.texts.begin(), queue.texts.begin() + static_cast<ptrdiff_t>(count));
  queue.under_way = 0;
  waiting_ -= count;
  (void)co_await store.publish({arena}, log, "");
  co_return true;
}

}  // namespace weir::store
