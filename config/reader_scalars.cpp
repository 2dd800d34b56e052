// The part of Reader that looks at one scalar.

#include <algorithm>

#include "config/environment.h"
#include "config/foreign.h"
#include "config/node.h"
#include "config/reader.h"
#include "config/suggest.h"
#include "config/utf8.h"

namespace weir::config {

namespace {

constexpr size_t kLongestShown = 60;

std::string_view name_of(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::scalar: return "a single value";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a block";
  }
  return "";
}

}  // namespace

/// The text as a message quotes it; a secret is not quoted.
std::string Reader::shown(const std::string& text) const {
  if (is_secret() || !masked_.empty()) return "the value";
  size_t size = text.size();
  if (size > kLongestShown) {
    for (size = kLongestShown; size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80;) --size;
  }
  return "'" + text.substr(0, size) + (size < text.size() ? "…'" : "'");
}

void Reader::expected(std::string_view what, std::string_view hint) {
  problem("expected " + std::string(what) + ", found " + std::string(name_of(node_->kind)), std::string(hint));
}

std::optional<std::string> Reader::scalar(std::string_view what, std::string_view hint) {
  if (!node_) return std::nullopt;
  if (node_->kind != Node::Kind::scalar) {
    expected(what, hint);
    return std::nullopt;
  }
  auto expanded = expand(node_->text, pass_->document->environment());
  if (is_secret() || !expanded.values.empty()) {
    pass_->problems->hide(location(), expanded.text);
    for (const auto& value : expanded.values) pass_->problems->hide({}, value);
  }
  if (!expanded.values.empty()) pass_->masked.emplace(expanded.text, masked_ = expanded.masked);
  if (expanded.unclosed) {
    problem("'${' without '}'", "write ${NAME}, ${NAME:-default}, or $$ for a dollar");
  } else if (is_group_number(expanded.missing)) {
    problem("the environment has no " + expanded.missing,
            R"(\1 is the first group of the expression, in rewrite.to alone)");
  } else if (!expanded.missing.empty()) {
    problem("the environment has no " + expanded.missing, "set it, or write ${" + expanded.missing + ":-default}");
  } else if (!rules_.without_keys.empty() && (expanded.text.contains('{') || !foreign_variable(node_->text).empty())) {
    problem(shown(node_->text) + " has a variable, and nothing is replaced here", rules_.without_keys);
  } else if (auto hint = rules_.no_variables ? foreign_variable(node_->text) : ""; !hint.empty()) {
    problem(shown(node_->text) + " has a variable of another proxy", std::move(hint) + "; $$ is a dollar sign");
  } else {
    return std::move(expanded.text);
  }
  return std::nullopt;
}

bool Reader::says_nothing() const {
  return node_ && node_->kind == Node::Kind::scalar && !rules_.nothing.empty() && node_->text == rules_.nothing;
}

void Reader::refuse(const std::string& text, std::string_view what, std::string_view hint) {
  problem(shown(text) + " is not " + std::string(what), std::string(hint));
}

bool Reader::allows(double number, const std::string& text) {
  const bool is_low = rules_.least && number < rules_.least->number;
  const bool is_high = rules_.most && number > rules_.most->number;
  if (!is_low && !is_high) return true;
  std::string range;
  if (rules_.least) range = "at least " + rules_.least->shown;
  if (rules_.most) range += (range.empty() ? "at most " : ", at most ") + rules_.most->shown;
  problem(shown(text) + (is_low ? " is too small" : " is too large"), range);
  return false;
}

bool Reader::allows_text(const std::string& text) {
  if (rules_.non_empty && text.empty()) {
    problem("is empty", "write a text");
    return false;
  }
  if (rules_.names && !is_printable_name(text)) {
    problem(shown(text) + " is not a name", std::string(kNameHint));
    return false;
  }
  return rules_.words.empty() || is_among(text, rules_.words);
}

bool Reader::is_among(const std::string& text, const std::vector<std::string>& words) {
  for (const auto& word : words) {
    if (word == text) return true;
  }
  problem(shown(text) + " is not known here", did_you_mean(text, words) + "write one of: " + join(words));
  return false;
}

void Reader::describe(Shape::Kind kind) {
  if (shape_) shape_->kind = kind;
}

void Reader::describe_words(const std::vector<std::string>& words) {
  if (!shape_) return;
  shape_->kind = Shape::Kind::text;
  shape_->rules.words = words;
}

/// What is shown in place of a scalar; "" = the value itself.
std::string Reader::mask_of(const Value& value) const {
  if (value.scalar.empty()) return {};
  if (is_secret() && value.kind != Value::Kind::boolean) return std::string(kMask);
  if (!masked_.empty()) return masked_;
  if (value.kind != Value::Kind::text) return {};
  if (node_ && node_->kind == Node::Kind::list) {  // written as one text
    const bool has_variable =
        std::ranges::any_of(node_->items, [](const auto* item) { return item->text.contains("${"); });
    return std::string(has_variable ? kMask : "");
  }
  const auto found = node_ ? pass_->masked.end() : pass_->masked.find(value.scalar);
  return found == pass_->masked.end() ? std::string() : found->second;
}

void Reader::write(Value value) {
  if (!written_) return;
  const auto mask = mask_of(value);
  *written_ = mask.empty() ? std::move(value) : Value::text(mask);
}

void Reader::write_nothing() {
  if (written_) *written_ = rules_.nothing.empty() ? Value{} : Value::text(rules_.nothing);
}

}  // namespace weir::config
