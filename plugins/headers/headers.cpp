#include "plugins/headers/headers.h"

#include <algorithm>

#include "http/syntax.h"

namespace weir::plugins {

namespace {

bool is_sendable(std::string_view value) { return !value.empty() && std::ranges::all_of(value, http::is_field_byte); }

/// Blanks around a value are no part of it (RFC 9110 section 5.5), and an error over HTTP/2 (RFC 9113 section 8.2.1).
std::string_view value_of(const TextTemplate& text, Exchange& exchange) { return trim(text.render(exchange)); }

HeaderChanges::Field compile(const std::string& name, const std::string& value) {
  return {name, http::field_of(name), TextTemplate::parse(value).value_or(TextTemplate())};
}

/// The filter that stands behind this one has set the field, now or before a cache stored the response, and the
/// response still has it.
bool is_overridden(const HeaderChanges::Field& field, const http::Headers& headers, const Exchange& exchange) {
  if (field.yields_to.empty() || !headers.get(field.name)) return false;
  const bool is_set = !exchange.facts.get(field.yields_to).empty();
  return is_set || (field.yields_to_stored && !exchange.facts.get(kCacheOutcome).empty());
}

}  // namespace

Statuses Statuses::parse(const ResponseWords& words) {
  Statuses out;
  out.kind_ = Kind::listed;
  for (const auto& word : words) {
    if (*word == "all") out.kind_ = Kind::all;
    if (*word == "success" && out.kind_ == Kind::listed) out.kind_ = Kind::success;
    if (const auto status = parse_decimal(*word)) out.listed_.push_back(static_cast<uint16_t>(*status));
  }
  return out;
}

bool Statuses::is_known(std::string_view word) {
  const auto status = parse_decimal(word);
  return word == "all" || word == "success" || (status && *status >= 200 && *status <= 599);
}

bool Statuses::has(uint16_t status) const {
  if (kind_ == Kind::all || (kind_ == Kind::success && status >= 200 && status <= 399)) return true;
  return std::ranges::find(listed_, status) != listed_.end();
}

HeaderChanges::HeaderChanges(const HeaderChangeSettings& settings) {
  for (const auto& field : settings.set) set_.push_back(compile(field.name, *field.value));
  for (const auto& field : settings.add) add_.push_back(compile(field.name, *field.value));
  for (const auto& name : settings.remove) remove_.push_back(compile(*name, ""));
}

HeaderChanges::HeaderChanges(const ResponseChangeSettings& settings) {
  const auto add_to = [&](std::vector<Field>& fields, const config::Named<ResponseFieldSettings>& field) {
    auto& added = fields.emplace_back(compile(field.name, *field.value.value));
    added.on = Statuses::parse(field.value.on.empty() ? settings.on : field.value.on);
  };
  for (const auto& field : settings.set) add_to(set_, field);
  for (const auto& field : settings.add) add_to(add_, field);
  for (const auto& name : settings.remove) remove_.push_back(compile(*name, ""));
}

void HeaderChanges::yield_to(HeaderChanges& inner, Place place) {
  for (auto& theirs : inner.set_) {
    for (auto* const fields : {&set_, &remove_}) {
      for (auto& ours : *fields) {
        if (!equals_ignoring_case(ours.name, theirs.name)) continue;
        if (theirs.tells.empty()) theirs.tells = "headers.set." + theirs.name;
        ours.yields_to = theirs.tells;
        ours.yields_to_stored = ours.yields_to_stored || place == Place::behind_cache;
      }
    }
  }
}

void HeaderChanges::apply(http::Headers& headers, Exchange& exchange, uint16_t status) const {
  for (const auto& field : remove_) {
    if (!is_overridden(field, headers, exchange)) headers.remove(field.name);
  }
  for (const auto& field : set_) {
    if (!field.on.has(status) || is_overridden(field, headers, exchange)) continue;
    const auto value = value_of(field.value, exchange);
    if (is_sendable(value)) {
      headers.set(field.name, value, field.field);
      if (!field.tells.empty()) exchange.facts.set(field.tells, "set");
    } else {
      headers.remove(field.name);
    }
  }
  for (const auto& field : add_) {
    if (!field.on.has(status)) continue;
    const auto value = value_of(field.value, exchange);
    if (is_sendable(value)) headers.add(field.name, value, field.field);
  }
}

bool HeaderChanges::depend_on_request() const {
  const auto depends = [](const Field& field) { return !field.value.is_constant(); };
  return std::ranges::any_of(set_, depends) || std::ranges::any_of(add_, depends);
}

Task<> Headers::handle(Exchange& exchange, Next next) const {
  request_.apply(exchange.request.headers, exchange, 0);
  co_await next(exchange);
  response_.apply(exchange.response.head.headers, exchange, exchange.response.head.status);
}

config::Tag<FilterFactory> headers_filter() {
  return filter_tag<HeadersSettings>(
      "headers", "sets, adds and removes fields of requests and responses",
      [](const HeadersSettings& settings, const config::Location& at, FilterContext& context) {
        auto filter = std::make_shared<Headers>(settings);
        auto& site_wide = context.of_route<std::vector<std::shared_ptr<Headers>>>("headers");
        if (at.path.starts_with("routes[")) {
          const auto place =
              context.is_behind("cache") ? HeaderChanges::Place::behind_cache : HeaderChanges::Place::in_front_of_cache;
          for (const auto& outer : site_wide) outer->yield_to(*filter, place);
        } else {
          site_wide.push_back(filter);
        }
        if (context.is_behind("cache") && filter->depends_on_request()) {
          context.problems.warn(
              at,
              "a field with a key in its value is set behind a cache: what is stored then has the value "
              "of one client's request, for all clients",
              "write these headers before the cache; a request field, into the cache's key too");
        }
        return std::shared_ptr<const Headers>(std::move(filter));
      });
}

}  // namespace weir::plugins
