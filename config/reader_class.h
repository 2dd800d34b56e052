#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/located.h"
#include "config/problems.h"
#include "config/rules.h"
#include "config/shape.h"
#include "config/tables.h"
#include "config/value.h"

namespace weir::config {

struct Node;
class Document;

/// How values of type T are read, described and written: types.h has the scalars and the containers; any other
/// T is a block with a free function `void decode(config::Reader&, T&)` beside it. An enum has
/// `choices(E*)`, which returns a std::array of config::Choice.
template <class T>
struct Type;

template <class E>
struct Choice {
  std::string_view name;
  E value;
};

enum class Shorthand : uint8_t { scalar, scalar_or_list };

/// A view on one place of the configuration. A `decode` function names each setting once; that one call reads
/// it, describes it (when the Reader describes) and writes the effective value. A setting that is wrong becomes a
/// Problem and leaves its default. Lives on the stack, during the reading only. One thread.
class Reader {
 public:
  /// What all Readers of one pass share. Without a document they describe.
  struct Pass {
    const Document* document = nullptr;
    Problems* problems = nullptr;
    const Tables* tables = nullptr;
    // Values that came from the environment, and how they are shown: for settings whose default is another's value.
    std::map<std::string, std::string> masked{};
  };
  Reader(Pass& pass, const Node* root, Shape* shape, Value* written);

  // The settings of a block. `about` is a phrase for the reference; rules: at_least, in_range, one_of, non_empty,
  // secret…
  template <class T, class... R>
  void required(std::string_view key, T& out, std::string_view about, const R&... rules) {
    setting(key, out, about, Need::required, merged(rules...));
  }
  /// The default is what `out` holds on entry.
  template <class T, class... R>
  void optional(std::string_view key, T& out, std::string_view about, const R&... rules) {
    setting(key, out, about, Need::optional, merged(rules...));
  }

  /// `- request_id`, or `- rate_limit: {…}`: a list whose elements name their kind. Optional. A plain
  /// `optional(key, vector<Tagged<X>>)` does the same with the program's Tables.
  template <class X>
  void tagged_list(std::string_view key, std::vector<Tagged<X>>& out, const Tags<X>& tags, std::string_view about);
  /// `balance: round_robin`, or `balance: { hash: header.x-user }`. Optional: absent leaves `out`.
  template <class X>
  void tagged(std::string_view key, Tagged<X>& out, const Tags<X>& tags, std::string_view about);
  /// Settings of this very block that belong to other rooms: one optional key for each tag.
  template <class X>
  void extensions(std::vector<Tagged<X>>& out, const Tags<X>& tags);
  /// The table that the program handed in for X; empty when there is none.
  template <class X>
  const Tags<X>& tags() const {
    return pass_->tables->template find<X>();
  }

  /// Before any setting: a bare value (or list) in place of the block stands for this setting.
  void shorthand(std::string_view key, Shorthand takes = Shorthand::scalar);
  /// These settings are declared as optional ones, too.
  void exactly_one_of(std::initializer_list<std::string_view> keys);
  void at_most_one_of(std::initializer_list<std::string_view> keys);

  // For checks between settings: was it written, where, and what is wrong with it.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  Location location() const;                         // of this value; of its block when it was left out
  Location location_of(std::string_view key) const;  // of a setting's value
  void problem(std::string message, std::string hint = "");
  void problem_at(std::string_view key, std::string message, std::string hint = "");
  Problems& problems() { return *pass_->problems; }

  /// True while no configuration is read: values are blanks, only names matter.
  bool is_describing() const { return !pass_->document; }
  /// Did this value, or anything in it, turn out wrong?
  bool failed() const { return problems_before_ != pass_->problems->size(); }
  const std::string& path() const { return path_; }

  // What Type<T> is made of (types.h).
  bool is_present() const { return node_ != nullptr; }
  Location name_location() const;  // of the key that leads here, else of the value
  /// The scalar here with its environment put in; nothing (and a Problem, if something else is written) otherwise.
  std::optional<std::string> scalar(std::string_view expected, std::string_view hint);
  bool says_nothing() const;
  void refuse(const std::string& text, std::string_view expected, std::string_view hint);
  bool allows(double number, const std::string& shown);
  bool allows_text(const std::string& text);
  bool is_among(const std::string& text, const std::vector<std::string>& words);
  void describe(Shape::Kind kind);
  void describe_words(const std::vector<std::string>& words);
  void write(Value value);
  void write_nothing();

  bool begin_block();
  void end_block();
  void begin_list();
  void begin_named();
  /// After begin_list: one value alone is a list of one, whatever the setting's rules say.
  void take_one_alone();
  std::optional<size_t> list_size();  // nothing when absent or (a Problem) no list
  std::optional<size_t> map_size();
  Reader item(size_t index);
  Reader entry(size_t index);
  std::string entry_name(size_t index) const;
  Reader default_item();
  Reader default_entry(const std::string& name);
  Reader described_item();
  template <class X>
  void read_tagged(Tagged<X>& out, const Tags<X>& tags);

 private:
  enum class Need : uint8_t { optional, required };

  template <class T>
  void setting(std::string_view key, T& out, std::string_view about, Need need, Rules rules) {
    Reader child = enter(key, about, need, std::move(rules));
    Type<T>::read(child, out);
    leave(child);
  }
  template <class... R>
  static Rules merged(const R&... rules) {
    Rules all;
    ((all += rules), ...);
    return all;
  }

  Reader(const Reader& parent, const Node* node, std::string path);
  Reader enter(std::string_view key, std::string_view about, Need need, Rules rules);
  void leave(Reader& child);
  bool takes_bare_value() const;
  const Node* find(std::string_view key) const;
  const Node* find_name(std::string_view key) const;
  std::string child_path(std::string_view key) const;
  std::string shown(const std::string& text) const;
  std::string takes() const;
  void refuse_unknown();
  void refuse_together(const std::vector<std::string>& names);
  void expected(std::string_view what, std::string_view hint);
  void limit_size(size_t size);
  Value* written_entry(const std::string& name);

  std::optional<size_t> choose(const std::vector<std::string>& names);
  Reader tag_body(const std::string& name);
  Reader described_tag(const std::string& name, const std::string& about);
  void leave_tag();
  void write_to_blank();
  Location locate(const Node* node, std::string path) const;
  bool is_secret() const { return rules_.secret || is_in_secret_; }
  std::string mask_of(const Value& value) const;

  Pass* pass_;
  const Node* node_ = nullptr;       // nullptr: nothing is written here
  const Node* name_ = nullptr;       // the key that leads here
  const Node* enclosing_ = nullptr;  // where to point when there is nothing here
  std::string path_;
  Rules rules_;
  Shape* shape_ = nullptr;
  Value* written_ = nullptr;
  std::string shorthand_;
  Shorthand shorthand_takes_ = Shorthand::scalar;
  std::vector<std::string> known_;                            // settings of this block, in order
  std::vector<std::pair<std::string, std::string>> missing_;  // and what they are about
  std::vector<std::string> one_of_missing_;
  std::unique_ptr<Value> blank_;  // where a described element, which is nowhere yet, writes its defaults
  size_t problems_before_ = 0;
  int depth_ = 0;
  bool is_in_secret_ = false;  // a block, list or name around this one is secret
  std::string masked_;         // how the scalar here is shown, when a part of it came from the environment
};

/// A Tag whose block is read into Settings; `make(Settings, Location)` gives the X, and isn't called when the
/// block was wrong or is only described (X{} then).
template <class Settings, class X, class Make>
Tag<X> tag(std::string name, std::string about, Make make) {
  return {std::move(name), std::move(about), [make = std::move(make)](Reader& r) -> X {
            Settings settings{};
            Type<Settings>::read(r, settings);
            if (r.is_describing() || r.failed()) return X{};
            return make(std::move(settings), r.name_location());
          }};
}

}  // namespace weir::config
