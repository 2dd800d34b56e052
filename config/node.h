#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "config/loader.h"

namespace weir::config {

/// One piece of YAML and its place. An alias is a second pointer to the same node; merge keys are gone.
struct Node {
  enum class Kind : uint8_t { null, scalar, list, map };

  Kind kind = Kind::null;
  std::string text;
  uint32_t line = 0;  // from 1, as column; column and length in bytes
  uint32_t column = 0;
  uint32_t length = 1;
  size_t weight = 1;  // nodes below and with this one, aliases counted in full
  std::vector<const Node*> items;
  std::vector<std::pair<const Node*, const Node*>> entries;  // keys are scalars, each once
};

struct Document::Nodes {
  std::deque<Node> all;
  const Node* root = nullptr;
};

}  // namespace weir::config
