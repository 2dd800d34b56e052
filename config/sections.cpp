#include "config/sections.h"

#include <set>

#include "config/suggest.h"

namespace weir::config {

namespace {

std::string code(const std::string& text) { return "`" + text + "`"; }

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

class Sections {
 public:
  std::vector<Section> of(const Shape& root) {
    block("", root);
    return std::move(sections_);
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

  void block(const std::string& path, const Shape& shape) {
    Section section{path, {}, {}};
    if (!shape.about.empty()) section.paragraphs.push_back(shape.about);
    if (!shape.shorthand.empty())
      section.paragraphs.push_back("A bare value stands for " + code(shape.shorthand) + ".");
    for (const auto& names : shape.exactly_one) section.paragraphs.push_back("Exactly one of: " + join(names) + ".");
    for (const auto& names : shape.at_most_one) section.paragraphs.push_back("At most one of: " + join(names) + ".");
    if (shape.fields.empty()) section.paragraphs.push_back("No settings.");
    for (const auto& [name, field] : shape.fields)
      section.settings.push_back({name, type_of(field) + limits_of(field.rules), default_of(field), field.about});
    sections_.push_back(std::move(section));
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [name, field] : shape.fields) below(prefix + name, field);
  }

  // The same alternatives may stand in several places (a route's filters, everyone's): they are told once.
  void tagged(const std::string& path, const Shape& shape) {
    std::vector<std::string> names;
    for (const auto& [name, field] : shape.fields) names.push_back(name);
    sections_.push_back({path, {"One of: " + join(names) + "."}, {}});
    if (!told_.insert(join(names)).second) return;
    for (const auto& [name, field] : shape.fields) {
      if (field.kind == Shape::Kind::block) block(name, field);
      else sections_.push_back({name, {field.about + ": " + type_of(field) + limits_of(field.rules)}, {}});
    }
  }

  std::vector<Section> sections_;
  std::set<std::string> told_;
};

}  // namespace

std::vector<Section> sections_of(const Description& description) { return Sections().of(description); }

}  // namespace weir::config
