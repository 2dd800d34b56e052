#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/reader.h"
#include "exchange/exchange.h"

namespace weir {

/// The one small language for a value taken from a request (hash, limit, cache key, sticky split, log field):
/// `client.ip`, `method`, `host` (lower case, without port), `path`, `path[0]` (its first segment), `header.NAME`,
/// `cookie.NAME`, `query.NAME`, `tls.sni`, `tls.client.subject` …, `jwt.CLAIM`; a list joins several. Immutable after
/// parsing.
class KeyExpression {
 public:
  KeyExpression() = default;
  /// What is wrong with the text otherwise.
  static std::expected<KeyExpression, std::string> parse(std::string_view text);
  static KeyExpression join(std::vector<KeyExpression> parts);

  /// The value as people read and write it (logs, templates, lists of exempt values): a view of the request or made in
  /// its arena. "" when any part has no value. Several parts are joined by '|', with '\\' before a '|' or '\\' of their
  /// own. Never a key: it tells neither the kind of a value nor which part is absent.
  std::string_view evaluate(Exchange& exchange) const;

  /// How many parts have a value that is not empty.
  enum class Values : uint8_t { none, some, all };
  struct Encoded {
    std::string_view text;  // in the exchange's arena
    Values values = Values::none;
  };
  enum class Empty : uint8_t { a_value, absent };  // what an empty value counts as
  /// The key of what belongs to these values: "header.x-user=ann|header.x-tenant", whose second part is absent. Tells
  /// each part's kind, its presence and its value, so that no other values and no other expression make the same text.
  Encoded encode(Exchange& exchange, Empty empty = Empty::a_value) const;
  /// What a hash is taken of to choose an endpoint or a share: the value itself of one part, else the encoded parts. ""
  /// when no part has a value.
  std::string_view hashed(Exchange& exchange) const;
  /// The same, with clients by their networks: an IPv6 address by its /64, of which one subscriber has all.
  KeyExpression by_network() const;
  bool empty() const { return parts_.empty(); }
  /// As it was written: "header.x-user", "[client.ip, path]".
  std::string text() const;

 private:
  enum class Source : uint8_t {
    client_ip,
    client_network,
    method,
    host,
    path,
    path_segment,
    header,
    cookie,
    query,
    tls,
    fact
  };
  struct Part {
    Source source;
    std::string name;
    size_t index = 0;
    std::string kind{};  // as an encoded text has it: "header.x-user"
  };
  static std::optional<std::string_view> value_of(const Part& part, Exchange& exchange);

  static std::expected<Part, std::string> parse_part(std::string_view text);
  static std::string text_of(const Part& part);
  static std::string kind_of(const Part& part);

  std::vector<Part> parts_;
};

}  // namespace weir

namespace weir::config {

/// A key expression, or a list of them.
template <>
struct Type<KeyExpression> {
  static void read(Reader& r, KeyExpression& out);
};

}  // namespace weir::config
