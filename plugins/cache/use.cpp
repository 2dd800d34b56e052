#include "plugins/cache/use.h"

#include <algorithm>
#include <cmath>

namespace weir::plugins {

namespace {

std::string_view date_of(const Object& object) {
  const auto field = std::ranges::find(object.fields(), http::Field::date, &http::Header::field);
  return field == object.fields().end() ? std::string_view() : field->value;
}

Duration seconds(uint32_t count) { return std::chrono::seconds(count); }

/// RFC 9111 section 5.2.1: as old, and as fresh, as the client will have it.
bool suits(const Object& object, const RequestDirectives& asked, Time now) {
  if (asked.max_age && object.age(now) > seconds(*asked.max_age)) return false;
  return !asked.min_fresh || object.time_left(now) >= seconds(*asked.min_fresh);
}

}  // namespace

Use use_of(const Object& object, const RequestDirectives& asked, Time now) {
  const bool is_first_validated =
      object.terms.always_revalidate || asked.no_cache || object.is_doubtful.load(std::memory_order_relaxed);
  if (is_first_validated || !suits(object, asked, now)) return Use::after_validation;
  const auto left = object.time_left(now);
  if (left > Duration{}) return Use::as_it_is;
  if (object.terms.must_revalidate || asked.min_fresh) return Use::after_validation;
  if (asked.max_stale && -left <= seconds(*asked.max_stale)) return Use::as_it_is;
  return -left < object.terms.while_revalidate ? Use::while_revalidating : Use::after_validation;
}

bool may_stand_in(const Object& object, const RequestDirectives& asked, Time now) {
  const auto allowed = asked.stale_if_error ? seconds(*asked.stale_if_error) : object.terms.if_error;
  return may_stand_in(object, asked, allowed, now);
}

bool may_stand_in(const Object& object, const RequestDirectives& asked, Duration within, Time now) {
  if (object.terms.must_revalidate) return false;
  const auto left = object.time_left(now);
  if (left > Duration{}) return true;
  return -left < (asked.stale_if_error ? std::min(within, seconds(*asked.stale_if_error)) : within);
}

bool is_newer(const Object& object, const Object& other) {
  if (object.terms.born <= other.terms.born + std::chrono::seconds(1)) return false;
  const auto& one = object.validators();
  const auto& two = other.validators();
  const bool is_same = one.etag == two.etag && one.last_modified == two.last_modified && !date_of(object).empty() &&
                       date_of(object) == date_of(other);
  return !is_same;
}

bool is_due_early(const Object& object, double beta, double chance, Time now) {
  if (beta == 0) return false;
  const auto earlier = std::chrono::duration<double>(object.took) * beta * -std::log(chance);
  return earlier >= std::chrono::duration<double>(object.time_left(now));
}

}  // namespace weir::plugins
