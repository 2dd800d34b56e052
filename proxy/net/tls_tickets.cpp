#include "net/tls_tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <new>

namespace weir::net {

namespace {

TicketKeys::Key new_key(Time now) {
  TicketKeys::Key key;
  key.made = now;
  const bool is_random = RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
                         RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1 &&
                         RAND_priv_bytes(key.authentication.data(), static_cast<int>(key.authentication.size())) == 1;
  if (!is_random) throw std::bad_alloc();  // the kernel's generator doesn't fail
  return key;
}

}  // namespace

TicketKeys::~TicketKeys() {
  if (current_) OPENSSL_cleanse(&*current_, sizeof *current_);
  if (previous_) OPENSSL_cleanse(&*previous_, sizeof *previous_);
}

void TicketKeys::rotate() {
  const Time now = clock_.now();
  if (!current_) current_ = new_key(now);
  if (now - current_->made < kRotation) return;
  previous_ = now - current_->made < 2 * kRotation ? current_ : std::nullopt;
  current_ = new_key(now);
}

TicketKeys::Key TicketKeys::current() {
  const std::lock_guard lock(mutex_);
  rotate();
  return *current_;
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name) {
  const std::lock_guard lock(mutex_);
  rotate();
  if (std::equal(current_->name.begin(), current_->name.end(), name)) return Found{*current_, true};
  const bool is_previous = previous_ && std::equal(previous_->name.begin(), previous_->name.end(), name);
  const bool is_fresh = is_previous && clock_.now() - previous_->made < 2 * kRotation;
  return is_fresh ? std::optional(Found{*previous_, false}) : std::nullopt;
}

}  // namespace weir::net
