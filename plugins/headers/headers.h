#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exchange/filter_context.h"
#include "exchange/text_template.h"

namespace weir::plugins {

/// `set` replaces, `add` adds a line, `remove` takes all lines of a name away; in the order remove, set, add.
struct HeaderChangeSettings {
  std::vector<config::Named<config::Located<std::string>>> set;
  std::vector<config::Named<config::Located<std::string>>> add;
  std::vector<config::Located<std::string>> remove;
};
void decode(config::Reader& r, HeaderChangeSettings& settings);

/// The responses whose fields are set: `success`, `all`, or statuses. Empty = as around it.
using ResponseWords = std::vector<config::Located<std::string>>;

struct ResponseFieldSettings {
  config::Located<std::string> value;
  ResponseWords on;
};
void decode(config::Reader& r, ResponseFieldSettings& settings);

/// The same for responses: what is set and added may depend on the status.
struct ResponseChangeSettings {
  std::vector<config::Named<ResponseFieldSettings>> set;
  std::vector<config::Named<ResponseFieldSettings>> add;
  std::vector<config::Located<std::string>> remove;
  ResponseWords on{{"success", {}}};
};
void decode(config::Reader& r, ResponseChangeSettings& settings);

struct HeadersSettings {
  HeaderChangeSettings request;
  ResponseChangeSettings response;
};
void decode(config::Reader& r, HeadersSettings& settings);

/// A set of response statuses. Immutable after parsing.
class Statuses {
 public:
  enum class Kind : uint8_t { success, all, listed };

  /// All words are known.
  static Statuses parse(const ResponseWords& words);
  static bool is_known(std::string_view word);

  /// `success`: 2xx and 3xx.
  bool has(uint16_t status) const;

 private:
  Kind kind_ = Kind::all;
  std::vector<uint16_t> listed_;
};

/// Changes of one head. Values are sent without blanks around them. One that comes out empty, or with bytes that a
/// field can't have, isn't sent; `set` then only removes.
class HeaderChanges {
 public:
  struct Field {
    std::string name;
    http::Field field;
    TextTemplate value;
    Statuses on{};
    // A filter behind this one may set the field, too, and its word counts. The fact that tells so; "" = none may.
    std::string yields_to{};
    bool yields_to_stored = false;  // and it stands behind a cache, whose responses have the field already
    // The same from the other side: the fact that tells that this filter has set the field.
    std::string tells{};
  };

  /// Of a filter that another one yields to.
  enum class Place : uint8_t { in_front_of_cache, behind_cache };

  explicit HeaderChanges(const HeaderChangeSettings& settings);
  explicit HeaderChanges(const ResponseChangeSettings& settings);
  void apply(http::Headers& headers, Exchange& exchange, uint16_t status) const;

  /// Both set the same fields: `inner` wins where both would.
  void yield_to(HeaderChanges& inner, Place place);
  /// What they write depends on the request.
  bool depend_on_request() const;

 private:
  std::vector<Field> set_;
  std::vector<Field> add_;
  std::vector<Field> remove_;
};

/// Sets, adds and removes fields of the request before it goes on, and of the response that comes back. Of a filter for
/// all routes and one of a route, the route's word counts.
class Headers : public Filter {
 public:
  explicit Headers(const HeadersSettings& settings) : request_(settings.request), response_(settings.response) {}
  Task<> handle(Exchange& exchange, Next next) const override;

  /// While the route is built.
  void yield_to(Headers& inner, HeaderChanges::Place place) { response_.yield_to(inner.response_, place); }
  bool depends_on_request() const { return request_.depend_on_request() || response_.depend_on_request(); }

 private:
  HeaderChanges request_;
  HeaderChanges response_;
};

config::Tag<FilterFactory> headers_filter();

}  // namespace weir::plugins
