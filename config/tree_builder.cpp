#include "config/tree_builder.h"

#include <algorithm>

namespace weir::config {

namespace {

constexpr size_t kDeepest = 64;
constexpr size_t kMostNodes = 1'000'000;
constexpr size_t kLongestMarked = 1024;  // bytes looked at behind a value's start, or a long line would cost n²

/// The bytes from an anchor or a tag (`&name value`) to the value itself, when both are on one line.
size_t properties_size(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    at = std::min(text.find_first_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_not_of(" \t", at), text.size());
    if (at == text.size() || text[at] == '\n' || text[at] == '\r') return 0;
  }
  return at;
}

size_t quoted_size(std::string_view line) {
  const char quote = line.front();
  for (size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '\\' && quote == '"') ++i;
    else if (line[i] == quote) return i + 1;
  }
  return line.size();
}

/// How much of the source, on its first line, is this scalar.
size_t scalar_size(std::string_view text, std::string_view value) {
  if (!value.empty() && text.starts_with(value)) return value.size();
  text = text.substr(0, kLongestMarked);
  const auto line = text.substr(0, text.find_first_of("\r\n"));
  if (line.empty()) return 1;
  if (line.front() == '"' || line.front() == '\'') return quoted_size(line);
  return std::max<size_t>(line.find_last_not_of(" \t") + 1, 1);
}

bool is_null_word(std::string_view text) {
  for (const std::string_view word : {"~", "null", "Null", "NULL"}) {
    if (text.starts_with(word)) return true;
  }
  return false;
}

}  // namespace

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (has_document_) throw Refused{mark, "a second document begins here; a configuration is one"};
  has_document_ = true;
}

Node& TreeBuilder::make(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (nodes_.all.size() >= kMostNodes) throw Refused{mark, "the configuration has too many parts"};
  Node& node = nodes_.all.emplace_back();
  const auto rest = source_.substr(std::min<size_t>(static_cast<size_t>(mark.pos), source_.size()));
  const auto properties = properties_size(rest);
  node.kind = kind;
  node.line = static_cast<uint32_t>(mark.line + 1);
  node.column = static_cast<uint32_t>(static_cast<size_t>(mark.column) + properties + 1);
  if (anchor != 0) anchors_[anchor] = &node;
  return node;
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  Node& node = make(Node::Kind::null, mark, anchor);
  const auto rest = source_.substr(std::min<size_t>(static_cast<size_t>(mark.pos), source_.size()));
  if (is_null_word(rest)) {
    node.length = static_cast<uint32_t>(scalar_size(rest, rest.starts_with('~') ? "~" : rest.substr(0, 4)));
  } else if (!open_.empty() && open_.back().key) {  // nothing at all: point at the key
    node.line = open_.back().key->line;
    node.column = open_.back().key->column;
    node.length = open_.back().key->length;
  }
  add(node, mark);
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const Node* node = anchors_[anchor];
  const bool is_open = std::any_of(open_.begin(), open_.end(), [&](const Frame& frame) { return frame.node == node; });
  if (!node || is_open) throw Refused{mark, "an alias stands inside its own anchor"};
  add(*node, mark);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& value) {
  Node& node = make(Node::Kind::scalar, mark, anchor);
  const auto rest = source_.substr(std::min<size_t>(static_cast<size_t>(mark.pos), source_.size()));
  node.text = value;
  node.length = static_cast<uint32_t>(scalar_size(rest.substr(properties_size(rest)), value));
  const bool is_quoted = tag == "!";
  add(node, mark, value == "<<" && !is_quoted);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value) {
  open(Node::Kind::list, mark, anchor);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
  open(Node::Kind::map, mark, anchor);
}

void TreeBuilder::open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (open_.size() >= kDeepest) throw Refused{mark, "nested more than 64 deep"};
  open_.push_back({&make(kind, mark, anchor)});
}

void TreeBuilder::OnMapEnd() {
  merge_into(open_.back());
  close();
}

void TreeBuilder::close() {
  const Node& node = *open_.back().node;
  open_.pop_back();
  add(node, {});
}

void TreeBuilder::add(const Node& node, const YAML::Mark& mark, bool is_merge_key) {
  if (open_.empty()) {
    nodes_.root = &node;
    return;
  }
  Frame& parent = open_.back();
  parent.node->weight += node.weight;
  if (parent.node->weight > kMostNodes)
    throw Refused{mark, "the configuration has too many parts, with its aliases put in"};
  if (parent.node->kind == Node::Kind::list) parent.node->items.push_back(&node);
  else if (!parent.key) add_key(parent, node, is_merge_key);
  else add_entry(parent, node);
}

void TreeBuilder::add_key(Frame& map, const Node& key, bool is_merge_key) {
  if (map.node->entries.empty() && key.line == map.node->line && key.column == map.node->column) {
    map.node->length = key.length;
  }
  map.key = &key;
  map.key_merges = is_merge_key;
}

void TreeBuilder::add_entry(Frame& map, const Node& value) {
  const Node& key = *map.key;
  if (map.key_merges) {
    map.merges.push_back(&value);
  } else if (key.kind != Node::Kind::scalar) {
    map.key = nullptr;
    problem(key, "a setting's name must be a word", "");
  } else if (const auto [first, is_new] = map.keys.emplace(key.text, &key); is_new) {
    map.node->entries.emplace_back(&key, &value);
  } else {
    problem(key, "given twice", "the first one is on line " + std::to_string(first->second->line));
  }
  map.key = nullptr;
}

void TreeBuilder::merge_into(Frame& map) {
  for (const Node* source : map.merges) {
    if (source->kind == Node::Kind::list) {
      for (const Node* item : source->items) merge(map, *item);
    } else {
      merge(map, *source);
    }
  }
}

// What the map says itself wins, then the earlier source (yaml.org/type/merge.html).
void TreeBuilder::merge(Frame& map, const Node& source) {
  if (source.kind != Node::Kind::map) {
    return problem(source, "only blocks can be merged", "write <<: *anchor, or a list of such");
  }
  merged_ += source.entries.size();
  for (const auto& [key, value] : source.entries) {
    if (!map.keys.emplace(key->text, key).second) continue;
    map.node->entries.emplace_back(key, value);
    map.node->weight += key->weight + value->weight;
  }
  if (merged_ > kMostNodes || map.node->weight > kMostNodes) {
    throw Refused{YAML::Mark::null_mark(), "the configuration has too many parts, with its merge keys put in"};
  }
}

void TreeBuilder::problem(const Node& at, std::string message, std::string hint) {
  problems_.add({file_, at.line, at.column, at.length, path()}, std::move(message), std::move(hint));
}

std::string TreeBuilder::path() const {
  std::string path;
  for (const auto& frame : open_) {
    if (frame.node->kind == Node::Kind::list) {
      path += "[" + std::to_string(frame.node->items.size()) + "]";
    } else if (frame.key) {
      path += (path.empty() ? "" : ".") + frame.key->text;
    }
  }
  return path;
}

}  // namespace weir::config
