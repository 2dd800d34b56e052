#pragma once

#include <unordered_map>
#include <vector>

#include "plugins/cache/storage/fill.h"
#include "plugins/cache/storage/selection_forms.h"

namespace weir::plugins {

/// The fills of one key that run, and those of them that may be joined, by what they are chosen by: before the response
/// by what is expected, then by the response's own. However many run, a request looks at a few. Not thread-safe.
class FillTable {
 public:
  static constexpr size_t kMostAlike = 16;  // that may be joined, of those chosen by the same: the newest

  void add(const FillPtr& fill);
  /// It has an outcome now.
  void settled(const FillPtr& fill);
  void end(const FillPtr& fill);
  bool is_empty() const { return fills_.empty(); }
  /// What they bring isn't to be kept.
  void outdate_all();

  /// Calls `visit` with those that the request may choose, newest last, until it returns false. Nothing certain while
  /// `request.is_incomplete()`.
  template <class Visit>
  void visit_choosable(RequestValues& request, Visit visit) const {
    Choices choices;
    expected_.choose(request, choices);
    answered_.choose(request, choices);
    if (request.is_incomplete()) return;
    for (const auto choice : choices.all()) {
      const auto found = choosable_.find(choice);
      if (found == choosable_.end()) continue;
      for (const auto& fill : found->second) {
        if (!visit(fill)) return;
      }
    }
  }
  /// Adds the names of fields by which responses are chosen that are on their way.
  void add_names(std::vector<std::string_view>& names) const { answered_.add_names(names); }

 private:
  /// How a fill may be chosen: by a selection that lives as long as the fill.
  struct Place {
    SelectionForms* forms = nullptr;  // null: it may not
    const Selection* selection = nullptr;
    Choice choice = 0;
    ObjectPtr object{};  // whose selection it is
  };
  void list(const FillPtr& fill, Place& place, SelectionForms& forms, const Selection& selection);
  void unlist(const FillPtr& fill, Place& place);

  std::unordered_map<FillPtr, Place> fills_;
  std::unordered_map<Choice, std::vector<FillPtr>> choosable_;
  SelectionForms expected_;  // of those without a response
  SelectionForms answered_;
};

}  // namespace weir::plugins
