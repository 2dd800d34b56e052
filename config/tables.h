#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <vector>

namespace weir::config {

class Reader;

/// One kind of block among several: its name, and the function that reads (and, as any other, describes) it.
/// `config::tag<Settings, X>(name, about, make)` writes the function.
template <class X>
struct Tag {
  std::string name;
  std::string about;
  std::function<X(Reader&)> read;
};

/// All kinds of a thing: the filters, the balancers. Made by the caller in the open; there is no global registry.
template <class X>
using Tags = std::vector<Tag<X>>;

/// The Tags that the program hands to its Readers, by what they make, so that a room can read the blocks of
/// rooms that it doesn't know. The tables outlive this, this the reading.
class Tables {
 public:
  template <class X>
  void add(const Tags<X>& tags) {
    tables_[typeid(X)] = &tags;
  }
  template <class X>
  const Tags<X>& find() const {
    static const Tags<X> none;
    const auto found = tables_.find(typeid(X));
    return found == tables_.end() ? none : *static_cast<const Tags<X>*>(found->second);
  }

 private:
  std::map<std::type_index, const void*> tables_;
};

}  // namespace weir::config
