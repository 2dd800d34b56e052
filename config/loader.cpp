#include "config/loader.h"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

#include "base/read_file.h"
#include "config/node.h"
#include "config/tree_builder.h"
#include "config/utf8.h"

namespace weir::config {

Document::Document(std::unique_ptr<Nodes> nodes, uint32_t file, Environment environment)
    : nodes_(std::move(nodes)), file_(file), environment_(std::move(environment)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

const Node* Document::root() const { return nodes_->root; }

namespace {

constexpr size_t kLargest = 4 << 20;

Location place(uint32_t file, const YAML::Mark& mark) {
  if (mark.is_null()) return {file, 0, 0, 1, ""};
  return {file, static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1), 1, ""};
}

Location place(uint32_t file, std::string_view text, size_t offset) {
  const auto before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto column = offset - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  return {file, static_cast<uint32_t>(line), static_cast<uint32_t>(column), 1, ""};
}

/// Where more lists and maps begin on one line than may: the parser takes much memory for each until the line ends.
/// Brackets in texts count, too, so the bound is far above what anybody writes. The text's size: nowhere.
size_t first_too_deep(std::string_view text) {
  constexpr int kDeepest = 1000;
  int depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n' || c == '\r') depth = 0;
    else if (c == '[' || c == '{') ++depth;
    else if ((c == ']' || c == '}') && depth > 0) --depth;
    if (depth > kDeepest) return at;
  }
  return text.size();
}

/// Many a text of another proxy's configuration is no text in YAML.
std::string_view quoting_hint(std::string_view text, const YAML::Mark& mark) {
  if (mark.is_null() || static_cast<size_t>(mark.pos) > text.size()) return {};
  const auto begin = text.substr(0, static_cast<size_t>(mark.pos)).rfind('\n') + 1;  // npos + 1 is 0
  const auto line = text.substr(begin, text.find('\n', begin) - begin);
  if (line.find_first_of("?*{[%@`!&") == std::string_view::npos) return {};
  return "quote a text that has one of ? * { } [ ] , : # & ! % @ or `: path: '/a?b', host: '*.example.com'";
}

/// The first line, up to that of the error, whose indent has a tab.
std::optional<size_t> tab_in_indent(std::string_view text, const YAML::Mark& mark) {
  size_t begin = 0;
  for (int line = 0; line <= mark.line && begin < text.size(); ++line) {
    const auto at = text.find_first_not_of(' ', begin);
    if (at != std::string_view::npos && text[at] == '\t') return at;
    begin = text.find('\n', begin);
    if (begin == std::string_view::npos) break;
    ++begin;
  }
  return std::nullopt;
}

/// The innermost bracket that is open at the end of `text`. Quoted texts and comments are passed over.
std::optional<size_t> open_bracket(std::string_view text) {
  std::vector<size_t> open;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool is_first = at == 0 || std::string_view(" \t\n,:[{").contains(text[at - 1]);
    if ((c == '"' || c == '\'') && is_first) {
      at = text.find(c, at + 1);
      if (at == std::string_view::npos) break;
    } else if (c == '#' && is_first) {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '[' || c == '{') {
      open.push_back(at);
    } else if ((c == ']' || c == '}') && !open.empty()) {
      open.pop_back();
    }
  }
  return open.empty() ? std::nullopt : std::optional(open.back());
}

/// A syntax error where it was made, which is not always where the parser noticed it.
void tell_syntax(std::string_view text, uint32_t file, const YAML::Exception& error, Problems& problems) {
  const bool has_place = !error.mark.is_null() && static_cast<size_t>(error.mark.pos) <= text.size();
  const auto before = has_place ? text.substr(0, static_cast<size_t>(error.mark.pos)) : std::string_view();
  if (error.msg.ends_with("flow not found")) {
    if (const auto bracket = open_bracket(before)) {
      const std::string open(1, text[*bracket]), close(1, open == "[" ? ']' : '}');
      return problems.add(place(file, text, *bracket), "not YAML: '" + open + "' without '" + close + "'",
                          std::string(quoting_hint(text, error.mark)));
    }
  }
  if (const auto tab = has_place ? tab_in_indent(text, error.mark) : std::nullopt)
    return problems.add(place(file, text, *tab), "not YAML: a tab in the indent", "indent with spaces");
  const bool is_block = error.msg.starts_with("end of ");
  std::string hint(is_block ? std::string_view() : quoting_hint(text, error.mark));
  if (is_block || (hint.empty() && error.msg.starts_with("illegal ")))
    hint = "is this line indented as the others of its block? each begins in the same column";
  problems.add(place(file, error.mark), "not YAML: " + error.msg, std::move(hint));
}

/// Problems on the way are kept only then: a syntax error is told alone.
void parse(std::string_view text, uint32_t file, Document::Nodes& nodes, Problems& problems) {
  const size_t before = problems.size();
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(text, file, nodes, problems);
    while (parser.HandleNextDocument(builder)) continue;
    if (!nodes.root) nodes.root = &nodes.all.emplace_back();
    return;
  } catch (const Refused& refused) {
    problems.drop_after(before);
    problems.add(place(file, refused.mark), refused.message);
  } catch (const YAML::Exception& error) {
    problems.drop_after(before);
    tell_syntax(text, file, error, problems);
  }
  nodes.root = nullptr;
}

}  // namespace

Document load_text(std::string name, std::string text, Problems& problems, Environment environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  auto nodes = std::make_unique<Document::Nodes>();
  const bool is_too_large = text.size() > kLargest;
  const uint32_t file = problems.add_source(std::move(name), is_too_large ? "" : text);
  const size_t bad = first_unprintable(text);
  if (is_too_large) {
    problems.add({file, 0, 0, 1, ""}, "larger than 4MiB");
  } else if (bad != text.size()) {
    problems.add(place(file, text, bad), "not a character of UTF-8, or a control character", "save the file as UTF-8");
  } else if (const size_t deep = first_too_deep(text); deep != text.size()) {
    problems.add(place(file, text, deep), "nested more than 64 deep");
  } else {
    parse(text, file, *nodes, problems);
  }
  return {std::move(nodes), file, std::move(environment)};
}

Document load_file(const std::string& path, Problems& problems, Environment environment) {
  auto text = read_file(path, kLargest + 1);
  if (!text) {
    const uint32_t number = problems.add_source(path, "");
    problems.add({number, 0, 0, 1, ""}, "cannot be read: " + text.error());
    return {std::make_unique<Document::Nodes>(), number, std::move(environment)};
  }
  return load_text(path, std::move(*text), problems, std::move(environment));
}

}  // namespace weir::config
