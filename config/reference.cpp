#include <set>

#include "config/schema.h"
#include "config/suggest.h"

namespace weir::config {

namespace {

std::string code(const std::string& text) { return "`" + text + "`"; }

/// Text for a table's cell.
std::string cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string type_of(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::any: return "anything";
    case Shape::Kind::boolean: return "true or false";
    case Shape::Kind::integer: return "whole number";
    case Shape::Kind::number: return "number";
    case Shape::Kind::text: return shape.rules.words.empty() ? "text" : "one of " + join(shape.rules.words);
    case Shape::Kind::duration: return "duration";
    case Shape::Kind::size: return "size";
    case Shape::Kind::rate: return "rate";
    case Shape::Kind::ratio: return "share";
    case Shape::Kind::list: return "list of " + (shape.item.empty() ? "anything" : type_of(shape.item.front()));
    case Shape::Kind::named: return "by name: " + (shape.item.empty() ? "anything" : type_of(shape.item.front()));
    case Shape::Kind::block: return shape.shorthand.empty() ? "block" : "block, or its " + code(shape.shorthand);
    case Shape::Kind::tagged: return "one kind of block";
  }
  return {};
}

std::string limits_of(const Rules& rules) {
  std::string out;
  if (rules.least) out += ", at least " + rules.least->shown;
  if (rules.most) out += ", at most " + rules.most->shown;
  if (rules.non_empty) out += ", not empty";
  if (rules.list_of_one) out += ", or one alone";
  if (!rules.nothing.empty()) out += ", or " + code(rules.nothing);
  if (rules.secret) out += "; secret";
  return out;
}

std::string default_of(const Shape& shape) {
  if (shape.required) return "required";
  if (shape.fallback.is_absent()) return "";
  if (shape.fallback.items.empty()) return code(shape.fallback.scalar);
  std::vector<std::string> items;
  for (const auto& item : shape.fallback.items) items.push_back(item.scalar);
  return code("[" + join(items) + "]");
}

class Reference {
 public:
  std::string write(const Shape& root) {
    block("", root);
    return std::move(out_);
  }

 private:
  void below(const std::string& path, const Shape& shape) {
    switch (shape.kind) {
      case Shape::Kind::block: return block(path, shape);
      case Shape::Kind::tagged: return tagged(path, shape);
      case Shape::Kind::list:
        if (!shape.item.empty()) below(path + "[]", shape.item.front());
        return;
      case Shape::Kind::named:
        if (!shape.item.empty()) below(path + ".NAME", shape.item.front());
        return;
      default: return;
    }
  }

  void heading(const std::string& path) { out_ += "\n## " + (path.empty() ? "The file" : code(path)) + "\n\n"; }

  void groups(const std::vector<std::vector<std::string>>& groups, const std::string& lead) {
    for (const auto& names : groups) out_ += lead + join(names) + ".\n\n";
  }

  void block(const std::string& path, const Shape& shape) {
    heading(path);
    if (!shape.about.empty()) out_ += shape.about + "\n\n";
    if (!shape.shorthand.empty()) out_ += "A bare value stands for " + code(shape.shorthand) + ".\n\n";
    groups(shape.exactly_one, "Exactly one of: ");
    groups(shape.at_most_one, "At most one of: ");
    if (shape.fields.empty()) {
      out_ += "No settings.\n";
      return;
    }
    out_ += "| setting | type | default | what it is |\n|---|---|---|---|\n";
    for (const auto& [name, field] : shape.fields) {
      out_ += "| " + code(name) + " | " + cell(type_of(field) + limits_of(field.rules)) + " | " +
              cell(default_of(field)) + " | " + cell(field.about) + " |\n";
    }
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [name, field] : shape.fields) below(prefix + name, field);
  }

  // The same alternatives may stand in several places (a route's filters, everyone's): they are told once.
  void tagged(const std::string& path, const Shape& shape) {
    std::vector<std::string> names;
    for (const auto& [name, field] : shape.fields) names.push_back(name);
    heading(path);
    out_ += "One of: " + join(names) + ".\n";
    if (!told_.insert(join(names)).second) return;
    for (const auto& [name, field] : shape.fields) {
      if (field.kind == Shape::Kind::block) block(name, field);
      else out_ += "\n## " + code(name) + "\n\n" + field.about + ": " + type_of(field) + limits_of(field.rules) + "\n";
    }
  }

  std::string out_;
  std::set<std::string> told_;
};

}  // namespace

std::string reference_markdown(const Description& description) { return Reference().write(description); }

}  // namespace weir::config
