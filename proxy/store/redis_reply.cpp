#include "store/redis_reply.h"

#include <array>
#include <utility>

namespace weir::store {

const Reply& Reply::operator[](size_t index) const {
  static const Reply none;
  return index < items.size() ? items[index] : none;
}

std::string_view name_of(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames{
      "timeout", "not_connected", "connection_lost", "auth",       "oom",       "readonly",
      "loading", "misconf",       "clusterdown",     "overloaded", "unexpected"};
  return kNames[static_cast<size_t>(fault)];
}

Fault fault_of(const Reply& error) {
  static constexpr std::pair<std::string_view, Fault> kWords[] = {
      {"OOM", Fault::out_of_memory},
      {"READONLY", Fault::read_only},
      {"LOADING", Fault::loading},
      {"MISCONF", Fault::cannot_persist},
      {"NOREPLICAS", Fault::cannot_persist},
      {"MASTERDOWN", Fault::read_only},
      {"CLUSTERDOWN", Fault::cluster_down},
      {"TRYAGAIN", Fault::cluster_down},
      {"NOAUTH", Fault::auth},
      {"WRONGPASS", Fault::auth},
      {"NOPERM", Fault::auth},
      {"ERR invalid password", Fault::auth},
      {"ERR Client sent AUTH", Fault::auth},
      {"ERR AUTH", Fault::auth},
      {"ERR max number of clients", Fault::overloaded},
  };
  // Before Redis 7 a script passes on what a command in it said behind words of its own and a dash.
  const auto said = [&](std::string_view word) {
    if (error.text.starts_with(word)) return true;
    const auto at = error.text.find(word);
    return at != std::string_view::npos && error.text[at - 1] == '-';
  };
  for (const auto& [word, fault] : kWords) {
    if (said(word)) return fault;
  }
  return Fault::unexpected;
}

}  // namespace weir::store
