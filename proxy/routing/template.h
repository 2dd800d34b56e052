#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "http/message.h"

namespace weir::routing {

/// The address of a redirect with blanks that the request fills in: {scheme} {host} (without its port) {path} {query}
/// {path_and_query}. Immutable.
class Template {
 public:
  struct Mistake {
    std::string message;
    std::string hint;
  };
  static std::expected<Template, Mistake> parse(std::string_view text);

  /// In `arena`. bad_request when the request has no host to fill in, or one that is no host.
  Result<std::string_view> expand(const http::RequestHead& request, Arena& arena) const;
  const std::string& text() const { return text_; }

 private:
  enum class Source : uint8_t { literal, scheme, host, path, query, path_and_query };
  struct Piece {
    Source source;
    std::string literal;
  };
  std::string_view value(const Piece& piece, const http::RequestHead& request, Arena& arena) const;

  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace weir::routing
