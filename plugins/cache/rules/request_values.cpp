#include "plugins/cache/rules/request_values.h"

#include <algorithm>
#include <utility>

namespace weir::plugins {

namespace {

/// The lines of that name, up to two: joining more than one costs a copy.
size_t count_lines(const http::Headers& request, std::string_view name, std::string_view& first) {
  size_t lines = 0;
  for (const auto& header : request) {
    if (!equals_ignoring_case(header.name, name)) continue;
    if (++lines == 2) break;
    first = header.value;
  }
  return lines;
}

}  // namespace

RequestValues::Known& RequestValues::known(std::string_view name) {
  const auto found = std::ranges::find(values_, name, &Known::name);
  if (found != values_.end()) return *found;
  Known value;
  const auto lines = count_lines(request_, name, value.text);
  value.name = arena_.copy(name);
  value.is_absent = lines == 0;
  value.state = lines == 0 ? State::normalised : lines == 1 ? State::raw : State::unread;
  return values_.add(value);
}

void RequestValues::want(Known& value) { is_incomplete_ = value.is_wanted = true; }

RequestValues::Match RequestValues::compare(const Selection& selection) {
  bool is_certain = true;
  for (const auto& member : selection.members) {
    auto& value = known(member.name);
    if (value.is_absent || member.is_absent) {
      if (value.is_absent != member.is_absent) return Match::no;
      continue;
    }
    if (value.state != State::unread && value.text == member.value) continue;  // what is normalised stays as it is
    if (value.state == State::normalised) return Match::no;
    want(value);
    is_certain = false;
  }
  return is_certain ? Match::yes : Match::unknown;
}

const RequestValues::Value* RequestValues::value_of(std::string_view name) {
  auto& value = known(name);
  if (value.state == State::normalised) return &value;
  want(value);
  return nullptr;
}

void RequestValues::learn() {
  for (auto& value : values_) {
    if (!std::exchange(value.is_wanted, false) || value.state == State::normalised) continue;
    if (value.state == State::unread) value.text = *request_.joined(value.name);
    value.text = normalized(value.name, value.text, arena_);
    value.state = State::normalised;
  }
  is_incomplete_ = false;
}

bool RequestValues::matches(const Selection& selection) {
  auto match = compare(selection);
  if (match == Match::unknown) {
    learn();
    match = compare(selection);
  }
  return match == Match::yes;
}

const RequestValues::Value& RequestValues::learned(std::string_view name) {
  want(known(name));
  learn();
  return *value_of(name);
}

}  // namespace weir::plugins
