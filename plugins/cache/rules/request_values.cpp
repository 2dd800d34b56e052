#include "plugins/cache/rules/request_values.h"

#include "base/hash.h"

namespace weir::plugins {

namespace {

constexpr size_t kSmallestIndex = 8;  // places; at most half of them are taken

}  // namespace

/// The place of that name, or the free one where it belongs.
uint32_t* RequestValues::place_of(uint64_t hash, std::string_view name) {
  const size_t mask = index_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    if (index_[at] == 0) return &index_[at];
    const Known& value = values_[index_[at] - 1];
    if (value.hash == hash && value.name == name) return &index_[at];
  }
}

void RequestValues::index_all() {
  index_ = arena_.make_list<uint32_t>(index_.empty() ? kSmallestIndex : 2 * index_.size());
  for (uint32_t i = 0; i < values_.size(); ++i) *place_of(values_[i].hash, values_[i].name) = i + 1;
}

RequestValues::Known& RequestValues::known(std::string_view name) {
  if (2 * values_.size() >= index_.size()) index_all();
  const auto number = hash(name);
  uint32_t& place = *place_of(number, name);
  if (place != 0) return values_[place - 1];
  Known value;
  value.name = arena_.copy(name);
  value.hash = number;
  auto& added = values_.add(value);
  place = static_cast<uint32_t>(values_.size());
  return added;
}

RequestValues::Match RequestValues::compare(const Selection& selection) {
  auto match = Match::yes;
  for (const auto& member : selection.members) {
    const auto* const value = value_of(member.name);
    if (!value) match = Match::unknown;
    else if (value->is_absent != member.is_absent || value->text != member.value) return Match::no;
  }
  return match;
}

const RequestValues::Value* RequestValues::value_of(std::string_view name) {
  auto& value = known(name);
  if (value.is_learned) return &value;
  is_incomplete_ = true;
  return nullptr;
}

void RequestValues::learn() {
  for (auto& value : values_) {
    if (value.is_learned) continue;
    const auto text = request_.joined(value.name);
    value.is_absent = !text;
    if (text) value.text = normalized(value.name, *text, arena_);
    value.is_learned = true;
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
  if (!value_of(name)) learn();
  return *value_of(name);
}

}  // namespace weir::plugins
