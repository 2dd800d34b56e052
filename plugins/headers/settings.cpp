#include <algorithm>

#include "http/syntax.h"
#include "plugins/headers/headers.h"

namespace weir::plugins {

namespace {

using config::Location;
using config::Problems;

/// Fields that belong to the connection, or that mark off a message: Weir writes these itself.
bool is_ours(std::string_view name) {
  switch (http::field_of(name)) {
    case http::Field::connection:
    case http::Field::content_length:
    case http::Field::host:
    case http::Field::http2_settings:
    case http::Field::keep_alive:
    case http::Field::proxy_connection:
    case http::Field::te:
    case http::Field::trailer:
    case http::Field::transfer_encoding:
    case http::Field::upgrade: return true;
    default: return false;
  }
}

void check_name(Problems& problems, const Location& at, const std::string& name) {
  if (!http::is_token(name)) {
    problems.add(at, "'" + name + "' is not a field name", "letters, digits and -_.!#$%&'*+^`|~");
  } else if (is_ours(name)) {
    problems.add(at, "'" + name + "' can't be changed",
                 equals_ignoring_case(name, "host")
                     ? "write host: in the upstream, or rewrite: { host: … } in the route"
                     : "connection and framing fields are written by Weir itself");
  }
}

void check_value(Problems& problems, const config::Located<std::string>& value) {
  if (!std::ranges::all_of(*value, http::is_field_byte)) {
    problems.add(value.at, "a field value has no control characters", "write it on one line");
  } else if (const auto parsed = TextTemplate::parse(*value); !parsed) {
    problems.add(value.at, parsed.error(), "keys stand in braces: '{client.ip}'; write '{{' for a brace");
  }
}

const config::Located<std::string>& value_of(const config::Located<std::string>& value) { return value; }
const config::Located<std::string>& value_of(const ResponseFieldSettings& field) { return field.value; }

template <class Changes>
void check(Problems& problems, const Changes& settings) {
  for (const auto* fields : {&settings.set, &settings.add}) {
    for (const auto& field : *fields) {
      check_name(problems, field.at, field.name);
      check_value(problems, value_of(field.value));
    }
  }
  for (const auto& name : settings.remove) check_name(problems, name.at, *name);
}

void check_words(Problems& problems, const ResponseWords& words) {
  for (const auto& word : words) {
    if (!Statuses::is_known(*word))
      problems.add(word.at, "'" + *word + "' is not known here", "write success, all or statuses: [200, 404]");
  }
}

constexpr std::string_view kOn = "the responses that get it: success (2xx and 3xx), all, or statuses";

}  // namespace

void decode(config::Reader& r, HeaderChangeSettings& settings) {
  r.optional("set", settings.set, "NAME: value; replaces what is there", config::field_values, config::no_variables);
  r.optional("add", settings.add, "NAME: value; one more line", config::field_values, config::no_variables);
  r.optional("remove", settings.remove, "names", config::list_of_one);
  if (!r.is_describing()) check(r.problems(), settings);
}

void decode(config::Reader& r, ResponseFieldSettings& settings) {
  r.shorthand("value");
  r.required("value", settings.value, "the value", config::no_variables);
  r.optional("on", settings.on, kOn, config::list_of_one, config::non_empty);
  check_words(r.problems(), settings.on);
}

void decode(config::Reader& r, ResponseChangeSettings& settings) {
  r.optional(
      "set", settings.set,
      "NAME: value, or NAME: { value: …, on: … }; replaces what is there, a route's also what is set for all routes",
      config::field_values);
  r.optional("add", settings.add, "NAME: value, or NAME: { value: …, on: … }; one more line", config::field_values);
  r.optional("remove", settings.remove, "names", config::list_of_one);
  r.optional("on", settings.on, "the responses that get what is set and added: success (2xx and 3xx), all, or statuses",
             config::list_of_one, config::non_empty);
  if (r.is_describing()) return;
  check(r.problems(), settings);
  check_words(r.problems(), settings.on);
}

void decode(config::Reader& r, HeadersSettings& settings) {
  r.optional("request", settings.request, "changes before the request goes on");
  r.optional("response", settings.response, "changes before the response goes back");
}

}  // namespace weir::plugins
