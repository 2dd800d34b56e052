#pragma once

#include <array>

#include "config/reader.h"
#include "store/on_failure.h"

namespace weir::store {

/// The words of every `on_store_failure`, and of `store.on_failure`, which is its default:
///   r.optional("on_store_failure", out.on_store_failure, kOnStoreFailure);   // out: std::optional<store::OnFailure>
constexpr auto choices(OnFailure*) {
  using enum OnFailure;
  return std::array<config::Choice<OnFailure>, 3>{{{"allow", allow}, {"deny", deny}, {"local", local}}};
}

inline constexpr std::string_view kOnStoreFailure =
    "while the store is gone: allow all, deny all (503), or local, this process' share; left out: store.on_failure";

}  // namespace weir::store
