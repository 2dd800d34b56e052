#include "plugins/cache/use.h"

#include <cmath>

namespace weir::plugins {

namespace {

Duration seconds(uint32_t count) { return std::chrono::seconds(count); }

/// RFC 9111 section 5.2.1: as old, and as fresh, as the client will have it.
bool suits(const Object& object, const RequestDirectives& asked, Time now) {
  if (asked.max_age && object.age(now) > seconds(*asked.max_age)) return false;
  return !asked.min_fresh || object.time_left(now) >= seconds(*asked.min_fresh);
}

}  // namespace

Use use_of(const Object& object, const RequestDirectives& asked, Time now) {
  if (object.terms.always_revalidate || asked.no_cache || !suits(object, asked, now)) return Use::after_validation;
  const auto left = object.time_left(now);
  if (left > Duration{}) return Use::as_it_is;
  if (object.terms.must_revalidate || asked.min_fresh) return Use::after_validation;
  if (asked.max_stale && -left <= seconds(*asked.max_stale)) return Use::as_it_is;
  return -left < object.terms.while_revalidate ? Use::while_revalidating : Use::after_validation;
}

bool may_stand_in(const Object& object, const RequestDirectives& asked, Time now) {
  if (object.terms.must_revalidate) return false;
  const auto left = object.time_left(now);
  if (left > Duration{}) return true;
  const auto allowed = asked.stale_if_error ? seconds(*asked.stale_if_error) : object.terms.if_error;
  return -left < allowed;
}

bool is_due_early(const Object& object, double beta, double chance, Time now) {
  if (beta == 0) return false;
  const auto earlier = std::chrono::duration<double>(object.took) * beta * -std::log(chance);
  return earlier >= std::chrono::duration<double>(object.time_left(now));
}

}  // namespace weir::plugins
