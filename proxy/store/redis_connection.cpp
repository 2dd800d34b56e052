#include "store/redis_connection.h"

#include <hiredis/async.h>
#include <sys/socket.h>

#include <array>
#include <cassert>

// Invariants. hiredis frees its context itself, in any of the calls below, when the connection has ended: it says so by
// the `cleanup` hook, after which `context_` is null. Its callbacks resume nobody: they put an answer where the loop
// finds it. A slot belongs to hiredis from `send` to its callback, which comes once, at the latest with the end.

namespace weir::store {

/// A command on its way. `call` is null when nobody waits any more.
struct RedisConnection::Slot {
  RedisConnection* connection = nullptr;
  RedisCall* call = nullptr;
  Slot* next_free = nullptr;
};

/// What hiredis calls.
struct RedisConnection::Hooks {
  static RedisConnection& owner(void* data) { return *static_cast<RedisConnection*>(data); }
  static void nothing(void*) noexcept {}
  static void add_write(void* data) noexcept { owner(data).want_write(); }
  static void cleanup(void* data) noexcept { owner(data).ended(); }
  static void connected(const redisAsyncContext* context, int status) noexcept {
    if (status != REDIS_OK) owner(context->data).why_closed_ = context->c.errstr;
  }
  static void disconnected(const redisAsyncContext* context, int status) noexcept {
    if (status != REDIS_OK) owner(context->data).why_closed_ = context->errstr;
  }
  static void answered(redisAsyncContext*, void* reply, void* data) noexcept {
    auto& slot = *static_cast<Slot*>(data);
    RedisConnection& connection = *slot.connection;
    if (RedisCall* const call = std::exchange(slot.call, nullptr)) {
      call->slot_ = nullptr;
      if (reply) call->answered(Reply::copy(*static_cast<redisReply*>(reply), call->arena_));
      else call->answered(std::unexpected(Fault::connection_lost));
    }
    slot.next_free = std::exchange(connection.free_slots_, &slot);
    --connection.unanswered_;
  }
  static void heard(redisAsyncContext*, void* data, void* hear) noexcept {
    const auto* reply = static_cast<redisReply*>(data);
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 4) return;
    const auto text = [&](size_t index) {
      const redisReply& item = *reply->element[index];
      return item.str ? std::string_view(item.str, item.len) : std::string_view();
    };
    if (text(0) == "pmessage") (*static_cast<Hear*>(hear))(text(2), text(3));
  }
};

RedisConnection::RedisConnection(Loop& loop, const net::Address& to) : loop_(loop), closed_(loop) {
  flush_.connection = this;
  flush_.run = [](Ready& self) { static_cast<Flush&>(static_cast<EndOfTick&>(self)).connection->flush(); };
  std::array<char, 64> ip;
  redisAsyncContext* context = nullptr;
  if (to.is_unix()) {
    context = ::redisAsyncConnectUnix(reinterpret_cast<const sockaddr_un*>(to.get())->sun_path);
  } else {
    const auto text = to.ip(std::span(ip).first(ip.size() - 1));
    ip[text.size()] = '\0';
    context = ::redisAsyncConnect(ip.data(), to.port());
  }
  if (!context || context->err) {
    why_closed_ = context ? context->errstr : "out of memory";
    if (context) ::redisAsyncFree(context);
    closed_.set();
    return;
  }
  context_ = context;
  if (!to.is_unix()) ::redisEnableKeepAlive(&context->c);
  watch_.emplace(loop, context->c.fd);
  replies_.serve(*context->c.reader);
  context->data = context->ev.data = this;
  context->ev.addRead = context->ev.delRead = context->ev.delWrite = Hooks::nothing;
  context->ev.addWrite = Hooks::add_write;
  context->ev.cleanup = Hooks::cleanup;
  ::redisAsyncSetConnectCallback(context, Hooks::connected);
  ::redisAsyncSetDisconnectCallback(context, Hooks::disconnected);
  writer_ = write_rest();
  writer_.start();
  reader_ = read_all();
  reader_.start();
}

RedisConnection::~RedisConnection() { close("not needed any more"); }

void RedisConnection::close(std::string_view why) {
  if (!context_) return;
  why_closed_ = why;
  ::redisAsyncFree(context_);
  assert(!context_);
}

void RedisConnection::ended() {
  context_ = nullptr;
  watch_->release();  // hiredis closes the descriptor next
  flush_.unlink();
  closed_.set();
}

// --- commands

void RedisConnection::add_slots() {
  constexpr size_t kMore = 64;
  auto& more = slots_.emplace_back(std::make_unique<Slot[]>(kMore));
  for (size_t i = 0; i < kMore; ++i) {
    more[i].connection = this;
    more[i].next_free = std::exchange(free_slots_, &more[i]);
  }
}

RedisConnection::Slot* RedisConnection::send(RedisCall& call, std::string_view command) {
  if (!context_ || unanswered_ >= kMostUnanswered) return nullptr;
  if (!free_slots_) add_slots();
  Slot* const slot = std::exchange(free_slots_, free_slots_->next_free);
  slot->call = &call;
  ++unanswered_;
  if (::redisAsyncFormattedCommand(context_, Hooks::answered, slot, command.data(), command.size()) == REDIS_OK)
    return slot;
  slot->call = nullptr;
  slot->next_free = std::exchange(free_slots_, slot);
  --unanswered_;
  return nullptr;
}

RedisCall RedisConnection::call(Arena& arena, std::string_view command, Time deadline) {
  return {*this, arena, command, deadline};
}

bool RedisConnection::subscribe(std::string_view pattern, Hear& hear) {
  const char* words[] = {"PSUBSCRIBE", pattern.data()};
  const size_t sizes[] = {10, pattern.size()};
  is_subscriber_ = true;
  return context_ && ::redisAsyncCommandArgv(context_, Hooks::heard, &hear, 2, words, sizes) == REDIS_OK;
}

// --- the socket

void RedisConnection::want_write() {
  if (writer_ && !writer_.is_done()) return;
  loop_.at_end_of_tick(flush_);
}

void RedisConnection::flush() {
  if (!context_) return;
  ::redisAsyncHandleWrite(context_);
  if (!context_ || ::sdslen(context_->c.obuf) == 0) return;
  flush_.unlink();
  writer_ = write_rest();
  writer_.start();
}

/// Until it is connected, and until all that was called is written.
Task<> RedisConnection::write_rest() {
  do {
    co_await watch_->writable();
    if (context_) ::redisAsyncHandleWrite(context_);  // the reader, woken in the same turn, may have seen the end
  } while (context_ && (!(context_->c.flags & REDIS_CONNECTED) || ::sdslen(context_->c.obuf) > 0));
}

Task<> RedisConnection::read_all() {
  while (context_) {
    co_await watch_->readable();
    if (context_ && is_unasked()) close("the server spoke without being asked");
    if (context_) ::redisAsyncHandleRead(context_);
  }
}

/// hiredis takes an answer to nothing for a mistake of ours, and aborts.
bool RedisConnection::is_unasked() const {
  char byte;
  return unanswered_ == 0 && !is_subscriber_ && ::recv(context_->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

// --- the awaiter

RedisCall::RedisCall(RedisConnection& connection, Arena& arena, std::string_view command, Time deadline)
    : connection_(connection), arena_(arena), command_(command), deadline_(deadline), alarm_(connection.loop_, *this) {}

RedisCall::~RedisCall() {
  if (slot_) slot_->call = nullptr;
}

bool RedisCall::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  slot_ = connection_.send(*this, command_);
  if (!slot_) {
    answer_ = std::unexpected(connection_.is_open() ? Fault::overloaded : Fault::not_connected);
    return false;
  }
  alarm_.start_at(deadline_);
  return true;
}

void RedisCall::answered(Answer answer) {
  answer_ = answer;
  alarm_.stop();
  connection_.loop_.wake(*this);
}

void RedisCall::too_late() {
  if (!slot_) return;  // the answer came in the same turn
  std::exchange(slot_, nullptr)->call = nullptr;
  answer_ = std::unexpected(Fault::timeout);
  coroutine.resume();
}

}  // namespace weir::store
