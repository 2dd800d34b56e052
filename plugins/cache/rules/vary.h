#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace weir::plugins {

/// The request's fields by which a stored response was chosen (RFC 9111 section 4.1), with the values that they had.
struct Selection {
  struct Member {
    std::string name;   // lower case
    std::string value;  // normalised; of a field that was absent, `is_absent`
    bool is_absent = false;
    bool operator==(const Member&) const = default;
  };
  std::vector<Member> members;  // sorted by name, none twice

  bool matches(const http::Headers& request, Arena& arena) const;
  bool operator==(const Selection&) const = default;
};

/// Nothing for `Vary: *`, and for more than `most` names.
std::optional<Selection> selection_of(const http::Headers& request, const http::Headers& response, size_t most,
                                      Arena& arena);

/// True when a field that `response` varies by is not the same, byte by byte, in two heads of one request.
bool is_varied(const http::Headers& one, const http::Headers& other, const http::Headers& response);

/// How values are compared (RFC 9111 section 4.1: only what keeps a field's meaning is normalised). Accept-Encoding:
/// the set of codings that it takes, lower case, sorted ("br,gzip"), and of those that it refuses the ones that it
/// would take otherwise ("gzip,identity;q=0"). Accept, Accept-Charset, Accept-Language and Prefer, which are lists:
/// with ", " between their parts. All others: byte by byte, since a comma or a space may mean anything in them. A
/// normalised value is its own normal form. In the arena where the value changes.
std::string_view normalized(std::string_view name, std::string_view value, Arena& arena);

}  // namespace weir::plugins
