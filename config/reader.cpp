#include "config/reader.h"

#include <algorithm>

#include "config/node.h"
#include "config/suggest.h"

namespace weir::config {

namespace {

constexpr int kDeepestDescribed = 12;  // blocks may contain themselves

}  // namespace

Reader::Reader(Pass& pass, const Node* root, Shape* shape, Value* written)
    : pass_(&pass),
      node_(root),
      enclosing_(root),
      shape_(shape),
      written_(written),
      problems_before_(pass.problems->size()) {}

Reader::Reader(const Reader& parent, const Node* node, std::string path)
    : pass_(parent.pass_),
      node_(node),
      enclosing_(parent.node_ ? (parent.name_ ? parent.name_ : parent.node_) : parent.enclosing_),
      path_(std::move(path)),
      problems_before_(parent.pass_->problems->size()),
      depth_(parent.depth_ + 1),
      is_in_secret_(parent.is_secret()) {}

// --- where

Location Reader::locate(const Node* node, std::string path) const {
  const uint32_t file = pass_->document ? pass_->document->file() : 0;
  if (!node) return {file, 0, 0, 1, std::move(path)};
  return {file, node->line, node->column, node->length, std::move(path)};
}

Location Reader::location() const {
  const bool has_place = node_ && node_->line > 0;
  return locate(has_place ? node_ : name_ ? name_ : enclosing_, path_);
}

Location Reader::name_location() const { return name_ ? locate(name_, path_) : location(); }

Location Reader::location_of(std::string_view key) const {
  const Node* value = find(key);
  return value ? locate(value, child_path(key)) : name_location();
}

void Reader::problem(std::string message, std::string hint) {
  pass_->problems->add(location(), std::move(message), std::move(hint));
}

void Reader::problem_at(std::string_view key, std::string message, std::string hint) {
  pass_->problems->add(location_of(key), std::move(message), std::move(hint));
}

// --- blocks

bool Reader::begin_block() {
  describe(Shape::Kind::block);
  if (written_) *written_ = Value::map();
  return !is_describing() || depth_ < 2 * kDeepestDescribed;
}

void Reader::shorthand(std::string_view key, Shorthand takes) {
  shorthand_ = key;
  shorthand_takes_ = takes;
  if (!shape_) return;
  shape_->shorthand = key;
  shape_->shorthand_takes_lists = takes == Shorthand::scalar_or_list;
}

bool Reader::takes_bare_value() const {
  if (!node_ || shorthand_.empty()) return false;
  return node_->kind == Node::Kind::scalar ||
         (node_->kind == Node::Kind::list && shorthand_takes_ == Shorthand::scalar_or_list);
}

const Node* Reader::find(std::string_view key) const {
  if (takes_bare_value()) return key == shorthand_ ? node_ : nullptr;
  if (!node_ || node_->kind != Node::Kind::map) return nullptr;
  for (const auto& [name, value] : node_->entries) {
    if (name->text == key) return value;
  }
  return nullptr;
}

const Node* Reader::find_name(std::string_view key) const {
  if (!node_ || node_->kind != Node::Kind::map) return nullptr;
  for (const auto& [name, value] : node_->entries) {
    if (name->text == key) return name;
  }
  return nullptr;
}

std::string Reader::child_path(std::string_view key) const {
  if (takes_bare_value()) return path_;
  return path_ + (path_.empty() ? "" : ".") + std::string(key);
}

Reader Reader::enter(std::string_view key, std::string_view about, Need need, Rules rules) {
  const Node* node = find(key);
  Reader child(*this, node, child_path(key));
  child.name_ = takes_bare_value() ? name_ : find_name(key);
  child.rules_ = std::move(rules);
  child.written_ = written_entry(std::string(key));
  known_.emplace_back(key);
  if (!node && need == Need::required) missing_.emplace_back(key, about);
  if (shape_) {
    child.shape_ = &shape_->fields.emplace_back(std::string(key), Shape{}).shape;
    child.shape_->about = about;
    child.shape_->required = need == Need::required;
    child.shape_->rules = child.rules_;
  }
  return child;
}

void Reader::leave(Reader& child) {
  if (child.shape_ && child.written_ && !child.shape_->required) {
    const bool is_worth_showing =
        child.written_->entries.empty() && (!child.written_->items.empty() || !child.written_->scalar.empty());
    if (is_worth_showing) child.shape_->fallback = *child.written_;
  }
  if (written_ && child.written_ && child.written_->is_absent()) written_->entries.pop_back();
}

Value* Reader::written_entry(const std::string& name) {
  return written_ ? &written_->entries.emplace_back(name, Value{}).value : nullptr;
}

void Reader::exactly_one_of(std::initializer_list<std::string_view> keys) {
  const std::vector<std::string> names(keys.begin(), keys.end());
  if (shape_) shape_->exactly_one.push_back(names);
  const auto given = std::count_if(names.begin(), names.end(), [&](const auto& name) { return has(name); });
  if (given == 0) one_of_missing_ = names;
  if (given > 1) refuse_together(names);
}

void Reader::at_most_one_of(std::initializer_list<std::string_view> keys) {
  const std::vector<std::string> names(keys.begin(), keys.end());
  if (shape_) shape_->at_most_one.push_back(names);
  refuse_together(names);
}

/// Points at the later ones of settings that exclude each other, in the order in which they are written.
void Reader::refuse_together(const std::vector<std::string>& names) {
  if (!node_ || node_->kind != Node::Kind::map) return;
  const Node* first = nullptr;
  for (const auto& [name, value] : node_->entries) {
    if (std::find(names.begin(), names.end(), name->text) == names.end()) continue;
    if (first) {
      pass_->problems->add(locate(name, path_), "'" + name->text + "' and '" + first->text + "' exclude each other",
                           "write one of: " + join(names));
    } else {
      first = name;
    }
  }
}

std::string Reader::takes() const {
  const auto dot = path_.rfind('.');
  auto name = dot == std::string::npos ? path_ : path_.substr(dot + 1);
  if (name.empty()) name = "the file";
  return known_.empty() ? name + " takes no settings" : name + " takes: " + join(known_);
}

void Reader::end_block() {
  if (!node_ || takes_bare_value()) return;
  if (node_->kind == Node::Kind::scalar || node_->kind == Node::Kind::list)
    return expected("a block of settings", takes());
  refuse_unknown();
  for (const auto& [key, about] : missing_) {
    pass_->problems->add(name_location(), "'" + key + "' is missing", key + ": " + about);
  }
  if (!one_of_missing_.empty()) {
    pass_->problems->add(name_location(), "one of these is missing: " + join(one_of_missing_));
  }
}

void Reader::refuse_unknown() {
  for (const auto& [name, value] : node_->entries) {
    if (std::find(known_.begin(), known_.end(), name->text) != known_.end()) continue;
    auto hint = pass_->problems->is_full() ? "" : did_you_mean(name->text, known_) + takes();
    pass_->problems->add(locate(name, path_), "unknown setting " + shown(name->text), std::move(hint));
  }
}

}  // namespace weir::config
