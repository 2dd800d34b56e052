#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace weir::config {

inline constexpr std::string_view kNameHint = "a name is printable and contains no '/'";

/// The names that settings may refer to, in the order of the file. Looked up by hash: every route asks.
class NameSet {
 public:
  NameSet() = default;
  NameSet(std::initializer_list<std::string> names) {
    for (const auto& name : names) add(name);
  }
  void add(const std::string& name) {
    if (known_.insert(name).second) all_.push_back(name);
  }
  bool has(const std::string& name) const { return known_.contains(name); }
  const std::vector<std::string>& all() const { return all_; }

 private:
  std::vector<std::string> all_;
  std::unordered_set<std::string> known_;
};

}  // namespace weir::config
