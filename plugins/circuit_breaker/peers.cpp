#include "plugins/circuit_breaker/peers.h"

#include <fmt/format.h>

#include <random>

#include "base/text.h"
#include "plugins/circuit_breaker/breaker.h"

namespace weir::plugins {

namespace {

std::string random_id() {
  std::random_device dice;
  return fmt::format("{:08x}{:08x}", dice(), dice());
}

}  // namespace

Peers::Peers(const Settings& settings)
    : announcer_(*settings.announcer),
      breaker_(settings.breaker),
      channel_("circuit/" + breaker_->identity()),
      id_(random_id()),
      subscription_(announcer_.listen(channel_, [this](std::string_view text) { hear(text); })) {}

/// "ID MILLISECONDS".
void Peers::tell_opened(After after, Duration rest) {
  const auto length = std::chrono::ceil<std::chrono::milliseconds>(rest);
  auto text = fmt::format("{} {}", id_, length.count());
  announcer_.put(channel_, text, length);
  if (after == After::closed) announcer_.publish(channel_, std::move(text));
}

void Peers::hear(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || text.substr(0, space) == id_) return;
  const auto length = parse_decimal(text.substr(space + 1));
  const auto now = announcer_.clock().now();
  if (length && doubts_.turn(now))
    breaker_->doubt(now, fmt::format("another instance opened its own for {} ms", *length));
}

}  // namespace weir::plugins
