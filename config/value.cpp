#include "config/value.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weir::config {

Value Value::of(bool value) { return {Kind::boolean, value ? "true" : "false", {}, {}}; }
Value Value::number(std::string digits) { return {Kind::number, std::move(digits), {}, {}}; }
Value Value::text(std::string text) { return {Kind::text, std::move(text), {}, {}}; }
Value Value::list() { return {Kind::list, {}, {}, {}}; }
Value Value::map() { return {Kind::map, {}, {}, {}}; }

const Value* Value::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == key; });
  return found == entries.end() ? nullptr : &found->value;
}

namespace {

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string indent(int depth) { return std::string(static_cast<size_t>(depth) * 2, ' '); }

bool is_empty(const Value& value) { return value.items.empty() && value.entries.empty(); }

std::string scalar_json(const Value& value) {
  switch (value.kind) {
    case Value::Kind::absent: return "null";
    case Value::Kind::text: return json_text(value.scalar);
    case Value::Kind::list: return "[]";
    case Value::Kind::map: return "{}";
    default: return value.scalar;
  }
}

void put_json(const Value& value, int depth, std::string& out) {
  if (is_empty(value)) {
    out += scalar_json(value);
    return;
  }
  const bool is_list = value.kind == Value::Kind::list;
  std::string_view separator = "\n";
  out += is_list ? '[' : '{';
  const auto start = [&] {
    out += separator;
    out += indent(depth + 1);
    separator = ",\n";
  };
  for (const auto& item : value.items) {
    start();
    put_json(item, depth + 1, out);
  }
  for (const auto& [key, child] : value.entries) {
    start();
    out += json_text(key) + ": ";
    put_json(child, depth + 1, out);
  }
  out += '\n' + indent(depth) + (is_list ? ']' : '}');
}

/// Texts that YAML reads back as they are, without quotes.
bool is_plain(const std::string& text) {
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};
  const auto is_safe = [](unsigned char c) { return std::isalnum(c) || std::string_view("_./-").contains(char(c)); };
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), is_safe) &&
         std::find(std::begin(kWords), std::end(kWords), text) == std::end(kWords) &&
         !(std::isdigit(static_cast<unsigned char>(text.front())) &&
           text.find_first_not_of("0123456789.") == std::string::npos);
}

// JSON's strings are YAML's double-quoted ones; a dollar is doubled, or it would ask for the environment.
std::string yaml_text(const std::string& text) {
  if (is_plain(text)) return text;
  std::string escaped;
  for (const char c : text) escaped.append(c == '$' ? 2 : 1, c);
  return json_text(escaped);
}

std::string scalar_yaml(const Value& value) {
  return value.kind == Value::Kind::text ? yaml_text(value.scalar) : scalar_json(value);
}

/// `lead` is what stands before the first line: nothing after "- ", else a line break and an indent.
void put_yaml(const Value& value, int depth, bool in_list, std::string& out) {
  if (is_empty(value)) {
    out += (in_list || depth == 0 ? "" : " ") + scalar_yaml(value) + "\n";
    return;
  }
  if (!in_list && depth > 0) out += '\n';
  bool is_first = in_list;
  const auto start = [&] {
    if (!is_first) out += indent(depth);
    is_first = false;
  };
  for (const auto& item : value.items) {
    start();
    out += "- ";
    put_yaml(item, depth + 1, true, out);
  }
  for (const auto& [key, child] : value.entries) {
    start();
    out += yaml_text(key) + ":";
    put_yaml(child, depth + 1, false, out);
  }
}

}  // namespace

std::string to_json(const Value& value) {
  std::string out;
  put_json(value, 0, out);
  return out;
}

std::string to_yaml(const Value& value) {
  std::string out;
  put_yaml(value, 0, false, out);
  return out;
}

}  // namespace weir::config
