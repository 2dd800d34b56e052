#include "store/redis_shared.h"

#include "base/log.h"

namespace weir::store {

void RedisShared::tell_breach(std::string_view server, std::string_view breach, Time now) {
  observer.protocol_broken();
  if (const auto turn = breaches.turn(now))
    log::warn("store_protocol_broken", {{"server", server}, {"breach", breach}, {"untold", turn->untold}});
}

void RedisShared::tell_nonsense(std::string_view server, std::string_view command, Time now) {
  observer.failed(Fault::unexpected);
  if (const auto turn = nonsense.turn(now))
    log::warn("store_answer_not_understood", {{"server", server}, {"command", command}, {"untold", turn->untold}});
}

void RedisShared::tell_scarce(std::string_view server) {
  log::warn("store_short_of_memory", {{"server", server},
                                      {"consequence", "new keys of limits are counted by each instance for itself"},
                                      {"remedy", "more maxmemory, or limits whose keys clients cannot invent"}});
}

}  // namespace weir::store
