#pragma once

#include "plugins/cache/rules/directives.h"
#include "plugins/cache/storage/object.h"

namespace weir::plugins {

/// What a stored response is good for, for one request at one time.
enum class Use : uint8_t {
  as_it_is,            // fresh, or as stale as the client says it may be
  while_revalidating,  // stale: now, and it is asked for anew behind the client's back (RFC 5861 section 3)
  after_validation,    // the origin must be asked first
};
Use use_of(const Object& object, const RequestDirectives& asked, Time now);

/// May it stand in for an answer that the origin fails to give (RFC 5861 section 4)?
bool may_stand_in(const Object& object, const RequestDirectives& asked, Time now);

/// The same where the configuration says how far past its freshness it may be, whatever the response says. Never what
/// RFC 9111 section 4.2.4 forbids; a client may forbid more.
bool may_stand_in(const Object& object, const RequestDirectives& asked, Duration within, Time now);

/// RFC 5861 section 4.
constexpr bool is_origin_error(uint16_t status) { return status == 500 || (status >= 502 && status <= 504); }

/// Came later than the other, of which it may be a copy that went through another clock (so within 1 s they are one).
bool is_newer(const Object& object, const Object& other);

/// Whether it is time to ask anew before the time is over (Vattani et al., "Optimal probabilistic cache stampede
/// prevention", VLDB 2015). `chance`: above 0, at most 1.
bool is_due_early(const Object& object, double beta, double chance, Time now);

}  // namespace weir::plugins
