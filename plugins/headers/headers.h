#pragma once

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

struct HeadersSettings {
  HeaderChangeSettings request;
  HeaderChangeSettings response;
};
void decode(config::Reader& r, HeadersSettings& settings);

/// Changes of one head. Values are sent without blanks around them. One that comes out empty, or with bytes that a
/// field can't have, isn't sent; `set` then only removes.
class HeaderChanges {
 public:
  explicit HeaderChanges(const HeaderChangeSettings& settings);
  void apply(http::Headers& headers, Exchange& exchange) const;
  /// What they write depends on the request.
  bool depend_on_request() const;

 private:
  struct Field {
    std::string name;
    http::Field field;
    TextTemplate value;
  };
  static std::vector<Field> compile(const std::vector<config::Named<config::Located<std::string>>>& fields);

  std::vector<Field> set_;
  std::vector<Field> add_;
  std::vector<std::string> remove_;
};

/// Sets, adds and removes fields of the request before it goes on, and of the response that comes back.
class Headers : public Filter {
 public:
  explicit Headers(const HeadersSettings& settings) : request_(settings.request), response_(settings.response) {}
  Task<> handle(Exchange& exchange, Next next) const override;
  bool depends_on_request() const { return request_.depend_on_request() || response_.depend_on_request(); }

 private:
  HeaderChanges request_;
  HeaderChanges response_;
};

config::Tag<FilterFactory> headers_filter();

}  // namespace weir::plugins
