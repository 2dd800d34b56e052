#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/node.h"
#include "config/problems.h"

namespace weir::config {

/// Thrown out of the parser when a text isn't worth reading on: too deep, too large, an alias within itself.
struct Refused {
  YAML::Mark mark;
  std::string message;
};

/// Makes Nodes from the parser's events: finds duplicate keys, which yaml-cpp lets pass, and resolves merge
/// keys, which it doesn't know.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view source, uint32_t file, Document::Nodes& nodes, Problems& problems)
      : source_(source), file_(file), nodes_(nodes), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override;

 private:
  struct Frame {  // a list or map that isn't complete yet
    Node* node;
    const Node* key = nullptr;  // a key that waits for its value
    bool key_merges = false;
    std::vector<const Node*> merges;
    std::unordered_map<std::string_view, const Node*> keys;
  };

  Node& make(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor);
  void open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor);
  void close();
  void add(const Node& node, const YAML::Mark& mark, bool is_merge_key = false);
  void add_key(Frame& map, const Node& key, bool is_merge_key);
  void add_entry(Frame& map, const Node& value);
  void merge_into(Frame& map);
  void merge(Frame& map, const Node& source);
  void problem(const Node& at, std::string message, std::string hint);
  std::string path() const;

  std::string_view source_;
  uint32_t file_;
  Document::Nodes& nodes_;
  Problems& problems_;
  std::vector<Frame> open_;
  std::unordered_map<YAML::anchor_t, const Node*> anchors_;
  bool has_document_ = false;
  size_t merged_ = 0;
};

}  // namespace weir::config
