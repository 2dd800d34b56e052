// The part of Reader that looks at lists, blocks whose keys are names, and blocks that name their kind.

#include <algorithm>

#include "config/environment.h"
#include "config/node.h"
#include "config/reader.h"
#include "config/suggest.h"
#include "config/utf8.h"

namespace weir::config {

namespace {

const Node kEmpty{};  // a block that is named and has no settings: `- request_id`

}  // namespace

void Reader::begin_list() {
  describe(Shape::Kind::list);
  if (written_) *written_ = Value::list();
}

void Reader::take_one_alone() {
  rules_.list_of_one = true;
  if (shape_) shape_->rules.list_of_one = true;
}

void Reader::begin_named() {
  describe(Shape::Kind::named);
  if (written_) *written_ = Value::map();
}

void Reader::limit_size(size_t size) {
  if (rules_.non_empty && size == 0) problem("is empty", "write at least one");
}

std::optional<size_t> Reader::list_size() {
  if (!node_) return std::nullopt;
  const bool is_one = rules_.list_of_one && (node_->kind == Node::Kind::scalar || node_->kind == Node::Kind::map);
  if (!is_one && node_->kind != Node::Kind::list && node_->kind != Node::Kind::null) {
    expected("a list", "");
    return std::nullopt;
  }
  const size_t size = is_one ? 1 : node_->items.size();
  limit_size(size);
  return size;
}

std::optional<size_t> Reader::map_size() {
  if (!node_) return std::nullopt;
  if (node_->kind != Node::Kind::map && node_->kind != Node::Kind::null) {
    expected("a block of names", "");
    return std::nullopt;
  }
  limit_size(node_->entries.size());
  return node_->entries.size();
}

Reader Reader::item(size_t index) {
  const bool is_one = node_->kind != Node::Kind::list;
  Reader item(*this, is_one ? node_ : node_->items[index], is_one ? path_ : path_ + "[" + std::to_string(index) + "]");
  item.rules_ = rules_;
  item.rules_.non_empty = item.rules_.list_of_one = false;
  if (written_) item.written_ = &written_->items.emplace_back();
  return item;
}

Reader Reader::entry(size_t index) {
  const auto& [name, value] = node_->entries[index];
  Reader entry(*this, value, path_ + (path_.empty() ? "" : ".") + name->text);
  entry.name_ = name;
  entry.rules_ = rules_;
  entry.rules_.non_empty = entry.rules_.fields = entry.rules_.names = false;
  if (rules_.names && !is_printable_name(name->text))
    pass_->problems->add(locate(name, path_), shown(name->text) + " is not a name", std::string(kNameHint));
  if (rules_.fields && is_secret_name(name->text)) entry.rules_.secret = true;
  entry.written_ = written_entry(name->text);
  return entry;
}

void Reader::write_to_blank() {
  blank_ = std::make_unique<Value>();
  written_ = blank_.get();
}

std::string Reader::entry_name(size_t index) const { return node_->entries[index].first->text; }

Reader Reader::default_item() {
  Reader item(*this, nullptr, path_);
  item.rules_ = rules_;
  if (written_) item.written_ = &written_->items.emplace_back();
  return item;
}

Reader Reader::default_entry(const std::string& name) {
  Reader entry(*this, nullptr, path_);
  entry.rules_ = rules_;
  entry.written_ = written_entry(name);
  return entry;
}

Reader Reader::described_item() {
  Reader item(*this, nullptr, path_);
  item.rules_ = rules_;
  item.write_to_blank();
  if (shape_) {
    item.shape_ = &shape_->item.emplace_back();
    item.shape_->rules = rules_;
    item.shape_->rules.non_empty = item.shape_->rules.list_of_one = false;
  }
  return item;
}

// --- blocks that name their kind

std::optional<size_t> Reader::choose(const std::vector<std::string>& names) {
  if (!node_) return std::nullopt;
  if (node_->kind == Node::Kind::map && node_->entries.size() > 1) {
    const auto& first = node_->entries.front().first->text;
    pass_->problems->add(locate(node_->entries[1].first, path_), "a second name beside " + shown(first),
                         "indent the settings of '" + first + "' below it, and begin each block of a list with '- '");
    return std::nullopt;
  }
  const bool is_named = node_->kind == Node::Kind::map && !node_->entries.empty();
  if (!is_named && node_->kind != Node::Kind::scalar) {
    expected("a name", "write one of: " + join(names));
    return std::nullopt;
  }
  const Node* name = is_named ? node_->entries.front().first : node_;
  const auto found = std::find(names.begin(), names.end(), name->text);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  pass_->problems->add(locate(name, path_), "unknown name " + shown(name->text),
                       did_you_mean(name->text, names) + "write one of: " + join(names));
  return std::nullopt;
}

Reader Reader::tag_body(const std::string& name) {
  const bool is_bare = node_->kind == Node::Kind::scalar;
  Reader body(*this, is_bare ? &kEmpty : node_->entries.front().second, path_ + "." + name);
  body.name_ = is_bare ? node_ : node_->entries.front().first;
  if (written_) *written_ = Value::map();
  body.written_ = written_entry(name);
  return body;
}

/// A block without settings is written as its name alone, as one would by hand.
void Reader::leave_tag() {
  if (!written_) return;
  const auto& [name, body] = written_->entries.front();
  if (body.items.empty() && body.entries.empty() && body.scalar.empty()) *written_ = Value::text(std::string(name));
}

Reader Reader::described_tag(const std::string& name, const std::string& about) {
  Reader body(*this, nullptr, path_);
  body.write_to_blank();
  if (shape_) {
    body.shape_ = &shape_->fields.emplace_back(name, Shape{}).shape;
    body.shape_->about = about;
  }
  return body;
}

}  // namespace weir::config
