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
    problems.add(at, "'" + name + "' can't be changed", "connection and framing fields are written by Weir itself");
  }
}

void check_value(Problems& problems, const config::Located<std::string>& value) {
  if (!std::ranges::all_of(*value, http::is_field_byte)) {
    problems.add(value.at, "a field value has no control characters", "write it on one line");
  } else if (const auto parsed = TextTemplate::parse(*value); !parsed) {
    problems.add(value.at, parsed.error(), "keys stand in braces: '{client.ip}'; write '{{' for a brace");
  }
}

void check(Problems& problems, const HeaderChangeSettings& settings) {
  for (const auto* fields : {&settings.set, &settings.add}) {
    for (const auto& field : *fields) {
      check_name(problems, field.at, field.name);
      check_value(problems, field.value);
    }
  }
  for (const auto& name : settings.remove) check_name(problems, name.at, *name);
}

}  // namespace

void decode(config::Reader& r, HeaderChangeSettings& settings) {
  r.optional("set", settings.set, "NAME: value; replaces what is there", config::field_values);
  r.optional("add", settings.add, "NAME: value; one more line", config::field_values);
  r.optional("remove", settings.remove, "names", config::list_of_one);
  if (!r.is_describing()) check(r.problems(), settings);
}

void decode(config::Reader& r, HeadersSettings& settings) {
  r.optional("request", settings.request, "changes before the request goes on");
  r.optional("response", settings.response, "changes before the response goes back");
}

}  // namespace weir::plugins
