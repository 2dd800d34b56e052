#pragma once

#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"

namespace weir::http {

/// The most decoded form of a path, for rules: servers that decode more than others, take '\' for '/', or cut
/// parameters (";x") off segments, still get no path past a rule that is about another one.
struct DecodedPath {
  std::string_view text;
  bool has_hidden_dots = false;  // "." or ".." segments that only the decoded form has, and that are resolved in it
};

/// Decodes a path in its normal form (`normalize_path`) further: all escapes of printable ASCII but those of '%', '?'
/// and '#', '\' taken for '/', parameters cut (";" and what follows in its segment, RFC 3986 section 3.3), runs of
/// slashes merged, then dot segments resolved. Refuses a path that climbs above the root so. `text` is `path` itself
/// when nothing changes, else in the arena.
Result<DecodedPath> decode_path(std::string_view path, Arena& arena);

/// The decoded form for servers whose parameters go on up to the next slash that isn't escaped: "/a;%2Fb" is "/a"
/// there. Nothing when they have the same form as above; "" when it climbs above the root.
std::optional<std::string_view> decode_with_long_parameters(std::string_view path, Arena& arena);

/// How many bytes at the front of `path` stand for `prefix`, by the decoded form: the longest such part, so that no dot
/// segment behind it leads out of `prefix` again. Behind it `path` ends, or has a slash, perhaps an escaped one.
/// Nothing when the decoded form does not lie below `prefix`.
std::optional<size_t> size_of_prefix(std::string_view path, std::string_view prefix, Arena& arena);

/// Bytes of the slash at the front of `path`: "/" and "\" have one, "%2F" and "%5C" three. 0 = there is none.
size_t size_of_slash(std::string_view path);

}  // namespace weir::http
