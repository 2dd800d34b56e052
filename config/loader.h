#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/problems.h"
#include "config/reader.h"

namespace weir::config {

/// What `${NAME}` stands for; nothing when it isn't set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
std::optional<std::string> process_environment(const std::string& name);

/// A parsed file: owns the nodes that Readers look at. Without a root when it didn't parse.
class Document {
 public:
  struct Nodes;
  Document(std::unique_ptr<Nodes> nodes, uint32_t file, Environment environment);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  const Node* root() const;
  uint32_t file() const { return file_; }
  const Environment& environment() const { return environment_; }

 private:
  std::unique_ptr<Nodes> nodes_;
  uint32_t file_;
  Environment environment_;
};

/// Reads YAML. At most 4 MiB of UTF-8, nested 64 deep, a million nodes with aliases put in; merge keys (`<<`) are
/// resolved. What is wrong goes to `problems`; a syntax error is told alone, since nothing after it can be trusted.
Document load_text(std::string name, std::string text, Problems& problems,
                   Environment environment = process_environment);
Document load_file(const std::string& path, Problems& problems, Environment environment = process_environment);

/// Decodes the whole document into a T; look at `problems` before you use it. `effective` receives the
/// configuration as it holds, with defaults filled in and secrets masked.
template <class T>
T decode_document(const Document& document, Problems& problems, const Tables& tables = {}, Value* effective = nullptr) {
  T out{};
  if (!document.root()) return out;
  Reader::Pass pass{&document, &problems, &tables};
  Reader reader(pass, document.root(), nullptr, effective);
  Type<T>::read(reader, out);
  return out;
}

/// What a T may contain, for json_schema and reference_markdown (schema.h).
template <class T>
Description describe(const Tables& tables = {}) {
  Problems none;
  Description description;
  Value defaults;
  Reader::Pass pass{nullptr, &none, &tables};
  Reader reader(pass, nullptr, &description, &defaults);
  T blank{};
  Type<T>::read(reader, blank);
  return description;
}

}  // namespace weir::config
