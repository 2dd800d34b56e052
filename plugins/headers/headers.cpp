#include "plugins/headers/headers.h"

#include <algorithm>

#include "http/syntax.h"

namespace weir::plugins {

namespace {

bool is_sendable(std::string_view value) { return !value.empty() && std::ranges::all_of(value, http::is_field_byte); }

/// Blanks around a value are no part of it (RFC 9110 section 5.5), and an error over HTTP/2 (RFC 9113 section 8.2.1).
std::string_view value_of(const TextTemplate& text, Exchange& exchange) { return trim(text.render(exchange)); }

}  // namespace

HeaderChanges::HeaderChanges(const HeaderChangeSettings& settings)
    : set_(compile(settings.set)), add_(compile(settings.add)) {
  for (const auto& name : settings.remove) remove_.push_back(*name);
}

std::vector<HeaderChanges::Field> HeaderChanges::compile(
    const std::vector<config::Named<config::Located<std::string>>>& fields) {
  std::vector<Field> compiled;
  for (const auto& field : fields) {
    compiled.push_back(
        {field.name, http::field_of(field.name), TextTemplate::parse(*field.value).value_or(TextTemplate())});
  }
  return compiled;
}

void HeaderChanges::apply(http::Headers& headers, Exchange& exchange) const {
  for (const auto& name : remove_) headers.remove(name);
  for (const auto& field : set_) {
    const auto value = value_of(field.value, exchange);
    if (is_sendable(value)) {
      headers.set(field.name, value, field.field);
    } else {
      headers.remove(field.name);
    }
  }
  for (const auto& field : add_) {
    const auto value = value_of(field.value, exchange);
    if (is_sendable(value)) headers.add(field.name, value, field.field);
  }
}

bool HeaderChanges::depend_on_request() const {
  const auto depends = [](const Field& field) { return !field.value.is_constant(); };
  return std::ranges::any_of(set_, depends) || std::ranges::any_of(add_, depends);
}

Task<> Headers::handle(Exchange& exchange, Next next) const {
  request_.apply(exchange.request.headers, exchange);
  co_await next(exchange);
  response_.apply(exchange.response.head.headers, exchange);
}

config::Tag<FilterFactory> headers_filter() {
  return filter_tag<HeadersSettings>(
      "headers", "sets, adds and removes fields of requests and responses",
      [](const HeadersSettings& settings, const config::Location& at, FilterContext& context) {
        auto filter = std::make_shared<const Headers>(settings);
        if (context.is_behind("cache") && filter->depends_on_request()) {
          context.problems.warn(
              at,
              "a field with a key in its value is set behind a cache: what is stored then has the value "
              "of one client's request, for all clients",
              "write these headers before the cache; a request field, into the cache's key too");
        }
        return filter;
      });
}

}  // namespace weir::plugins
