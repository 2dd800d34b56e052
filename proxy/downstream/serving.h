#pragma once

#include <utility>

#include "downstream/policy.h"
#include "exchange/exchange.h"
#include "net/tls_session.h"

namespace weir::downstream {

/// Told about the exchanges of a worker: metrics and the access log.
class ExchangeObserver {
 public:
  virtual ~ExchangeObserver() = default;
  virtual void exchange_started() = 0;
  /// Just before the exchange is destroyed, however it ended.
  virtual void exchange_finished(Exchange& exchange) = 0;
};

/// Told about the connections of one listener on one worker.
class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  virtual void connection_opened() = 0;
  virtual void connection_closed() = 0;
  /// Over a limit: on all connections, or on those of one client address.
  enum class Limit : uint8_t { all, client };
  virtual void connection_refused(Limit limit) = 0;
  /// An open one whose client would not get in any more.
  virtual void connection_barred() = 0;
  /// It goes gracefully: of the streams of a trusted proxy's clients too many were wasted.
  virtual void connection_worn() = 0;
  /// The PROXY header that had to come didn't, or came from a stranger.
  virtual void proxy_header_refused() = 0;
  /// The client's TLS handshake came to nothing; its connection closes.
  virtual void handshake_failed(net::TlsFault fault) = 0;
};

/// One snapshot as one worker serves it. Exchanges hold a reference.
struct Serving : KeptSnapshot {
  const Policy* policy = nullptr;
  const RouteTable* routes = nullptr;
  ExchangeObserver* observer = nullptr;
};

class ServingRef {
 public:
  ServingRef() = default;
  explicit ServingRef(Serving* serving) : serving_(serving) {
    if (serving_) ++serving_->references;
  }
  ServingRef(const ServingRef& other) : ServingRef(other.serving_) {}
  ServingRef(ServingRef&& other) noexcept : serving_(std::exchange(other.serving_, nullptr)) {}
  ServingRef& operator=(ServingRef other) noexcept {
    std::swap(serving_, other.serving_);
    return *this;
  }
  ~ServingRef() {
    if (serving_ && --serving_->references == 0) serving_->release(*serving_);
  }
  const Serving* operator->() const { return serving_; }
  const Serving& operator*() const { return *serving_; }
  explicit operator bool() const { return serving_ != nullptr; }
  Serving* get() const { return serving_; }

 private:
  Serving* serving_ = nullptr;
};

}  // namespace weir::downstream
