#include "plugins/cache/storage/fill_table.h"

#include <algorithm>
#include <utility>

namespace weir::plugins {

void FillTable::add(const FillPtr& fill) {
  auto& place = fills_[fill];
  if (fill->company == Fill::Company::yes) list(fill, place, expected_, fill->expected);
}

void FillTable::settled(const FillPtr& fill) {
  const auto found = fills_.find(fill);
  if (found == fills_.end() || fill->company == Fill::Company::no) return;
  auto& place = found->second;
  unlist(fill, place);
  const auto outcome = fill->outcome();
  if (!outcome || !outcome->object) return;
  place.object = outcome->object;
  list(fill, place, answered_, place.object->selection);
}

void FillTable::end(const FillPtr& fill) {
  const auto found = fills_.find(fill);
  if (found == fills_.end()) return;
  unlist(fill, found->second);
  fills_.erase(found);
}

void FillTable::outdate_all() {
  for (const auto& [fill, place] : fills_) fill->is_outdated = true;
}

void FillTable::list(const FillPtr& fill, Place& place, SelectionForms& forms, const Selection& selection) {
  if (!forms.has_room_for(selection)) return;
  forms.add(selection);
  place.forms = &forms;
  place.selection = &selection;
  place.choice = choice_of(selection);
  auto& alike = choosable_[place.choice];
  alike.push_back(fill);
  if (alike.size() <= kMostAlike) return;
  const auto oldest = alike.front();
  unlist(oldest, fills_.at(oldest));
}

void FillTable::unlist(const FillPtr& fill, Place& place) {
  auto* const forms = std::exchange(place.forms, nullptr);
  if (!forms) return;
  forms->remove(*place.selection);
  const auto alike = choosable_.find(place.choice);
  std::erase(alike->second, fill);
  if (alike->second.empty()) choosable_.erase(alike);
}

}  // namespace weir::plugins
