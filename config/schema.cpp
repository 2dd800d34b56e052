#include "config/schema.h"

#include <nlohmann/json.hpp>

namespace weir::config {

namespace {

using Json = nlohmann::ordered_json;

Json reference(const char* name) { return {{"$ref", std::string("#/definitions/") + name}}; }

Json pattern(const char* expression) { return {{"type", "string"}, {"pattern", expression}}; }

// Each of these may come from the environment, too.
Json definitions() {
  const auto environment = pattern("\\$\\{");
  const Json zero{{"const", 0}};
  Json number{{"type", "integer"}, {"minimum", 0}};
  Json share{{"type", "number"}, {"minimum", 0}, {"maximum", 1}};
  return {
      {"environment", environment},
      {"duration", {{"anyOf", {pattern("^(0|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d))+)$"), zero, environment}}}},
      {"size",
       {{"anyOf", {pattern("^[0-9]+(\\.[0-9]+)?([KkMmGgTt]?[Bb]|[KkMmGgTt]([Ii][Bb])?)?$"), number, environment}}}},
      {"rate", {{"anyOf", {pattern("^[0-9]+(\\.[0-9]+)?/(second|minute|hour|day|s|m|h|d)$"), environment}}}},
      {"ratio", {{"anyOf", {pattern("^[0-9]+(\\.[0-9]+)?%?$"), share, environment}}}},
  };
}

Json schema_of(const Shape& shape);

Json any_of(Json one, Json other) { return {{"anyOf", Json::array({std::move(one), std::move(other)})}}; }

Json numeric(const char* type, const Rules& rules) {
  Json out{{"type", type}};
  const auto bound = [](double number) {
    return number == static_cast<double>(static_cast<int64_t>(number)) ? Json(static_cast<int64_t>(number))
                                                                       : Json(number);
  };
  if (rules.least) out["minimum"] = bound(rules.least->number);
  if (rules.most) out["maximum"] = bound(rules.most->number);
  return any_of(std::move(out), reference("environment"));
}

Json text(const Rules& rules) {
  if (!rules.words.empty()) return any_of({{"enum", rules.words}}, reference("environment"));
  Json out{{"type", {"string", "number", "boolean"}}};
  if (rules.non_empty) out["minLength"] = 1;
  return out;
}

Json list(const Shape& shape) {
  Json item = shape.item.empty() ? Json::object() : schema_of(shape.item.front());
  Json out{{"type", "array"}, {"items", item}};
  if (shape.rules.non_empty) out["minItems"] = 1;
  else out["type"] = {"array", "null"};
  return shape.rules.list_of_one ? any_of(std::move(item), std::move(out)) : out;
}

Json named(const Shape& shape) {
  Json out{{"type", {"object", "null"}}};
  if (shape.rules.non_empty) out = {{"type", "object"}, {"minProperties", 1}};
  out["additionalProperties"] = shape.item.empty() ? Json::object() : schema_of(shape.item.front());
  return out;
}

Json one_required(const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const auto& name : names) out.push_back({{"required", Json::array({name})}});
  return out;
}

Json constraints(const Shape& shape) {
  Json all = Json::array();
  for (const auto& names : shape.exactly_one) all.push_back({{"oneOf", one_required(names)}});
  for (const auto& names : shape.at_most_one) {
    Json choices = one_required(names);
    choices.push_back({{"not", {{"anyOf", one_required(names)}}}});
    all.push_back({{"oneOf", choices}});
  }
  return all;
}

Json block(const Shape& shape) {
  Json properties = Json::object(), required = Json::array();
  for (const auto& [name, field] : shape.fields) {
    properties[name] = schema_of(field);
    if (field.required) required.push_back(name);
  }
  const bool may_be_empty = required.empty() && shape.exactly_one.empty();
  Json out{{"type", may_be_empty ? Json({"object", "null"}) : Json("object")}};
  out["properties"] = std::move(properties);
  out["additionalProperties"] = false;
  if (!required.empty()) out["required"] = std::move(required);
  if (Json all = constraints(shape); !all.empty()) out["allOf"] = std::move(all);
  for (const auto& [name, field] : shape.fields) {
    if (name == shape.shorthand) return any_of(schema_of(field), std::move(out));
  }
  return out;
}

Json tagged(const Shape& shape) {
  Json names = Json::array(), properties = Json::object();
  for (const auto& [name, field] : shape.fields) {
    names.push_back(name);
    properties[name] = schema_of(field);
  }
  Json body{{"type", "object"},
            {"properties", std::move(properties)},
            {"additionalProperties", false},
            {"minProperties", 1},
            {"maxProperties", 1}};
  return any_of({{"enum", std::move(names)}}, std::move(body));
}

Json bare_schema(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::any: return Json::object();
    case Shape::Kind::boolean: return any_of({{"type", "boolean"}}, reference("environment"));
    case Shape::Kind::integer: return numeric("integer", shape.rules);
    case Shape::Kind::number: return numeric("number", shape.rules);
    case Shape::Kind::text: return text(shape.rules);
    case Shape::Kind::duration: return reference("duration");
    case Shape::Kind::size: return reference("size");
    case Shape::Kind::rate: return reference("rate");
    case Shape::Kind::ratio: return reference("ratio");
    case Shape::Kind::list: return list(shape);
    case Shape::Kind::named: return named(shape);
    case Shape::Kind::block: return block(shape);
    case Shape::Kind::tagged: return tagged(shape);
  }
  return Json::object();
}

Json schema_of(const Shape& shape) {
  Json out = bare_schema(shape);
  if (!shape.rules.nothing.empty()) out = any_of(std::move(out), {{"const", shape.rules.nothing}});
  const bool is_annotated = !shape.about.empty() || !shape.fallback.is_absent();
  if (is_annotated && out.contains("$ref"))
    out = {{"allOf", Json::array({out})}};  // draft-07 ignores what stands beside a $ref
  if (!shape.about.empty()) out["description"] = shape.about;
  if (!shape.fallback.is_absent()) out["default"] = Json::parse(to_json(shape.fallback));
  return out;
}

}  // namespace

std::string json_schema(const Description& description) {
  Json out{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "Weir"}};
  out.update(schema_of(description));
  out["definitions"] = definitions();
  return out.dump(2) + "\n";
}

}  // namespace weir::config
