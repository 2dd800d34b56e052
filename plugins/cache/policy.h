#pragma once

#include <map>
#include <string>
#include <vector>

#include "exchange/exchange.h"
#include "plugins/cache/rules/directives.h"
#include "plugins/cache/settings.h"
#include "plugins/cache/storage/object.h"

namespace weir::plugins {

/// Which responses are stored and for how long: the RFCs' rules with what the route says where they leave room.
/// Immutable.
class StoragePolicy {
 public:
  explicit StoragePolicy(const CacheSettings& settings);

  /// When a response was asked for, and when its head came.
  struct Moment {
    Time asked{};
    Time answered{};
    http::DateTime wall;  // of `answered`
  };
  static Moment moment(Exchange& exchange, Time asked);

  struct Verdict {
    std::string_view why_not;  // "" when it is stored; a literal
    Object::Terms terms;
    Selection selection;
  };
  /// `request` as the cache looked it up.
  Verdict judge(const http::RequestHead& request, const http::ResponseHead& response, const Moment& moment) const;

  /// Why a response must not be stored that filters behind the cache may have made another client's: they changed a
  /// field of the request that the response varies by, or Authorization (RFC 9111 sections 3.5 and 4.1). `left`: the
  /// fields as the cache sent them on; `sent`: as they were in the end. "" when there is no reason.
  std::string_view why_not_as_sent(const http::Headers& left, const http::Headers& sent,
                                   const http::ResponseHead& response) const;

  /// What is stored of a response whose verdict is good. Takes what isn't out of `response`.
  std::shared_ptr<Object> make(Verdict verdict, http::ResponseHead& response, std::shared_ptr<Content> content,
                               const Moment& moment) const;
  /// The stored response with the fields of a 304, or of a HEAD's answer, that renews it (RFC 9111 section 3.2).
  /// Null when it is no longer one to be stored.
  std::shared_ptr<Object> freshened(const Object& stored, const http::RequestHead& request,
                                    http::ResponseHead& renewing, const Moment& moment) const;

  ResponseDirectives directives_of(const http::Headers& headers) const {
    return response_directives(headers, targeted_);
  }

  /// Takes out of a request what no key has and an upstream may believe.
  void withhold(http::Headers& request) const;

  /// Takes out what is between the upstream and this cache.
  void hide(http::Headers& headers) const;

 private:
  bool is_hidden(const http::Header& header) const;
  Object::Terms terms(const http::ResponseHead& response, const ResponseDirectives& directives, const Moment& moment,
                      Duration lifetime) const;
  std::optional<Duration> lifetime(const http::ResponseHead& response, const ResponseDirectives& directives,
                                   http::DateTime received) const;
  std::vector<uint64_t> tags_of(const http::Headers& headers) const;

  const std::optional<Duration> ttl_;
  std::map<uint16_t, Duration> ttl_by_status_;
  const double heuristic_;
  const Duration heuristic_max_;
  const StaleSettings stale_;
  const bool set_cookie_;
  const uint32_t max_fields_;
  const std::vector<std::string> targeted_;
  const std::vector<std::string> tags_;
  const std::vector<std::string> withheld_;
  std::vector<std::string> hidden_;
};

}  // namespace weir::plugins
