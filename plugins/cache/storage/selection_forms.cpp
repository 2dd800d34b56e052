#include "plugins/cache/storage/selection_forms.h"

#include <algorithm>

#include "base/hash.h"
#include "plugins/cache/rules/own_seed.h"

namespace weir::plugins {

namespace {

constexpr Choice kOfNothing = 1;

Choice with(Choice choice, std::string_view name, bool is_absent, std::string_view value) {
  const auto number = hash(name, own_seed()) ^ mix(is_absent ? 0 : hash(value, own_seed()) | 1);
  return mix(choice ^ number) | 1;
}

}  // namespace

Choice choice_of(const Selection& selection) {
  Choice choice = kOfNothing;
  for (const auto& member : selection.members) choice = with(choice, member.name, member.is_absent, member.value);
  return choice;
}

bool SelectionForms::Form::has_names_of(const Selection& selection) const {
  return std::ranges::equal(names, selection.members, {}, {}, &Selection::Member::name);
}

std::vector<SelectionForms::Form>::iterator SelectionForms::find(const Selection& selection) {
  return std::ranges::find_if(forms_, [&](const Form& form) { return form.has_names_of(selection); });
}

bool SelectionForms::has_room_for(const Selection& selection) const {
  if (selection.members.empty() || forms_.size() < kMost) return true;
  return std::ranges::any_of(forms_, [&](const Form& form) { return form.has_names_of(selection); });
}

void SelectionForms::add(const Selection& selection) {
  if (selection.members.empty()) return;
  auto form = find(selection);
  if (form == forms_.end()) {
    form = forms_.emplace(forms_.end());
    for (const auto& member : selection.members) form->names.push_back(member.name);
  }
  ++form->responses;
}

void SelectionForms::remove(const Selection& selection) {
  if (selection.members.empty()) return;
  const auto form = find(selection);
  if (--form->responses == 0) forms_.erase(form);
}

void SelectionForms::choose(RequestValues& request, Choices& choices) const {
  choices.add(kOfNothing);
  for (const auto& form : forms_) {
    Choice choice = kOfNothing;
    for (const auto& name : form.names) {
      if (const auto* const value = request.value_of(name)) choice = with(choice, name, value->is_absent, value->text);
    }
    choices.add(choice);
  }
}

void SelectionForms::add_names(std::vector<std::string_view>& names) const {
  for (const auto& form : forms_) names.insert(names.end(), form.names.begin(), form.names.end());
}

}  // namespace weir::plugins
