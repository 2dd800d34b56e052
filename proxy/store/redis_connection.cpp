#include "store/redis_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "store/redis_command.h"

// Invariants. The connection is open while `socket_` has a value; every resumption checks that first. A reply schedules
// the waiting call for the loop, so no call ends within `take_replies`, and only `hear` runs foreign code.

namespace weir::store {

namespace {

constexpr ReplyBounds kMessage{1 << 20, 64};
constexpr size_t kTold = 200;  // bytes of an error text in the log

/// Detects a vanished server within half a minute.
void keep_alive(int fd) {
  const auto set = [&](int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

RedisConnection::RedisConnection(Loop& loop, const net::Address& to) : loop_(loop), closed_(loop) {
  flush_.connection = this;
  flush_.run = [](Ready& self) { static_cast<Flush&>(static_cast<EndOfTick&>(self)).connection->flush(); };
  const auto begun = net::start_connect(to);
  if (!begun) {
    why_closed_ = begun.error().detail;
    closed_.set();
    return;
  }
  if (to.is_ip()) keep_alive(begun->fd);
  socket_.emplace(loop, begun->fd);
  is_connected_ = begun->is_connected;
  if (is_connected_) {
    receiving_ = read_all();
    receiving_.start();
  } else {
    sending_ = write_all();
    sending_.start();
  }
}

RedisConnection::~RedisConnection() { close("not needed any more"); }

void RedisConnection::close(std::string_view why) {
  if (!socket_) return;
  why_closed_ = why;
  socket_.reset();
  flush_.unlink();
  while (!due_.is_empty()) {
    if (RedisCall* const call = due_.pop()) call->answered(std::unexpected(Fault::connection_lost));
  }
  closed_.set();
}

void RedisConnection::break_off(std::string_view breach) {
  has_broken_protocol_ = true;
  close(breach);
}

// --- commands

RedisCall RedisConnection::call(Arena& arena, std::string_view command, Time deadline, ReplyBounds bounds) {
  return {*this, arena, command, deadline, bounds};
}

void RedisConnection::write(std::string_view command) {
  output_.append(command);
  if (is_connected_ && (!sending_ || sending_.is_done())) loop_.at_end_of_tick(flush_);
}

void RedisConnection::flush() {
  const auto sent = socket_->send(output_);
  if (sent.state == net::Transfer::State::moved) return;
  if (sent.state == net::Transfer::State::failed) return close(std::strerror(sent.error));
  sending_ = write_all();
  sending_.start();
}

Task<> RedisConnection::write_all() {
  if (!is_connected_) {
    co_await socket_->writable();
    if (!socket_) co_return;
    if (const auto connected = net::finish_connect(socket_->fd()); !connected) {
      close(connected.error().detail);
      co_return;
    }
    is_connected_ = true;
    receiving_ = read_all();
    receiving_.start();
  }
  while (socket_ && !output_.is_empty()) {
    const auto sent = socket_->send(output_);
    if (sent.state == net::Transfer::State::blocked) co_await socket_->writable();
    if (sent.state == net::Transfer::State::failed) close(std::strerror(sent.error));
  }
}

// --- replies

Task<> RedisConnection::read_all() {
  while (socket_) {
    co_await socket_->readable();
    if (socket_) read_some();  // the writer may have closed in the same turn
  }
}

void RedisConnection::read_some() {
  std::array<char, 16 * 1024> room;
  const auto received = socket_->receive(room);
  switch (received.state) {
    case net::Transfer::State::blocked: return;
    case net::Transfer::State::ended: return close("the server closed the connection");
    case net::Transfer::State::failed: return close(std::strerror(received.error));
    case net::Transfer::State::moved: break;
  }
  reader_.feed({room.data(), received.bytes});
  take_replies();
}

void RedisConnection::take_replies() {
  while (socket_ && reader_.has_unread()) {
    if (!(subscription_ ? take_message() : take_reply())) break;
  }
  if (socket_ && !reader_.problem().empty()) break_off(reader_.problem());
}

/// False: no whole reply is available.
bool RedisConnection::take_reply() {
  if (due_.is_empty()) {
    break_off("bytes that no command has asked for");
    return false;
  }
  RedisCall* const call = due_.front();
  const auto reply = call ? reader_.next(&call->arena_, call->bounds_) : reader_.next(nullptr);
  if (!reply) return false;
  due_.pop();
  if (call) call->answered(*reply);
  return true;
}

// --- subscriptions

bool RedisConnection::subscribe(std::string_view pattern, Hear& hear) {
  if (!can_send() || !due_.is_empty()) return false;
  subscription_.emplace(std::string(pattern), hear);
  Arena arena(blocks_);
  write(redis_command(arena, {"PSUBSCRIBE", pattern}));
  return true;
}

bool RedisConnection::ping() {
  if (!socket_ || !subscription_ || !subscription_->is_confirmed || subscription_->owes_pong) return false;
  subscription_->owes_pong = true;
  write("*1\r\n$4\r\nPING\r\n");
  return true;
}

bool RedisConnection::take_message() {
  auto& arena = subscription_->message;
  if (!arena) arena.emplace(blocks_);
  const auto message = reader_.next(&*arena, kMessage);
  if (!message) return false;
  if (message->is_error())
    close(std::string("the server refuses the subscription: ").append(message->text.substr(0, kTold)));
  else if (!understand(*message)) break_off("a message that no subscription has asked for");
  arena.reset();
  return true;
}

/// Accepts one confirmation of the subscription, one pong for each PING, and messages; false for anything else.
bool RedisConnection::understand(const Reply& message) {
  auto& [pattern, hear, is_confirmed, owes_pong, arena] = *subscription_;
  const auto is_text = [](const Reply& item) { return item.type == Reply::Type::text; };
  const auto items = message.items;
  if (!is_confirmed) {
    is_confirmed = items.size() == 3 && message[0].text == "psubscribe" && message[1].text == pattern;
    return is_confirmed;
  }
  if (!std::ranges::all_of(items, is_text)) return false;
  if (items.size() == 2 && message[0].text == "pong") return std::exchange(owes_pong, false);
  if (items.size() != 4 || message[0].text != "pmessage" || message[1].text != pattern) return false;
  hear(message[2].text, message[3].text);
  return true;
}

// --- the awaiter

RedisCall::RedisCall(RedisConnection& connection, Arena& arena, std::string_view command, Time deadline,
                     ReplyBounds bounds)
    : connection_(connection),
      arena_(arena),
      command_(command),
      deadline_(deadline),
      bounds_(bounds),
      alarm_(connection.loop_, *this) {}

RedisCall::~RedisCall() {
  if (is_due_) connection_.due_.drop(ticket_);
}

bool RedisCall::await_suspend(std::coroutine_handle<> awaiter) {
  coroutine = awaiter;
  if (!connection_.can_send() || connection_.output_.bytes() > RedisConnection::kMostUnsent) {
    answer_ = std::unexpected(connection_.is_open() ? Fault::overloaded : Fault::not_connected);
    return false;
  }
  ticket_ = connection_.due_.push(*this);
  is_due_ = true;
  connection_.write(command_);
  alarm_.start_at(deadline_);
  return true;
}

void RedisCall::answered(Answer answer) {
  is_due_ = false;
  answer_ = answer;
  alarm_.stop();
  connection_.loop_.wake(*this);
}

/// A loop that was held up fires its timers before it reads: the answer may have come in time, and then a timeout would
/// count against a server that is well.
void RedisCall::too_late() {
  constexpr Duration kHeldUp = std::chrono::milliseconds(20);
  if (!is_due_) return;  // answered in the same turn
  if (connection_.loop_.now() - deadline_ > kHeldUp && !std::exchange(has_been_read_for_, true)) {
    return alarm_.start(std::chrono::milliseconds(1));
  }
  is_due_ = false;
  connection_.due_.drop(ticket_);
  answer_ = std::unexpected(Fault::timeout);
  coroutine.resume();
}

}  // namespace weir::store
