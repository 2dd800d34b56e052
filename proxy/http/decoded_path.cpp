#include "http/decoded_path.h"

#include "http/path_builder.h"
#include "http/syntax.h"

namespace weir::http {

namespace {

/// One byte of the decoded form, and what stands for it; 0 = an escape that stays.
struct Piece {
  char byte;
  std::string_view text;
};

Piece piece_at(std::string_view rest) {
  const char first = rest.front();
  if (first != '%') return {first == '\\' ? '/' : first, rest.substr(0, 1)};
  const int byte = escaped_byte(rest);
  if (byte < 0) return {'%', rest.substr(0, 1)};
  const char c = static_cast<char>(byte);
  const bool stays = byte <= ' ' || byte >= 0x7f || c == '%' || c == '?' || c == '#';
  return {stays ? '\0' : c == '\\' ? '/' : c, rest.substr(0, 3)};
}

bool needs_work(std::string_view path) {
  return path.find_first_of("%\\;") != std::string_view::npos || path.contains("//");
}

/// Decodes `path` without the parameters of its segments (";x"), and calls `at_end(offset, decoded)` at the end of each
/// segment. False above the root.
template <class AtEnd>
bool decode(std::string_view path, PathBuilder& builder, AtEnd at_end) {
  bool is_in_parameters = false;
  for (size_t at = 0; at < path.size();) {
    const auto piece = piece_at(path.substr(at));
    if (piece.byte == '/') {
      if (at > 0 && !builder.resolve()) return false;
      at_end(at, builder.path());
      is_in_parameters = false;
    }
    at += piece.text.size();
    is_in_parameters = is_in_parameters || piece.byte == ';';
    if (is_in_parameters) continue;
    if (piece.byte == '/' && builder.swallow_slash()) continue;
    if (piece.byte == '\0') builder.add_escape(piece.text);
    else builder.add(piece.byte);
  }
  if (!builder.resolve()) return false;
  at_end(path.size(), builder.path());
  return true;
}

char* room_for(std::string_view path, Arena& arena) { return static_cast<char*>(arena.bump(path.size(), 1)); }

}  // namespace

Result<DecodedPath> decode_path(std::string_view path, Arena& arena) {
  if (!path.starts_with('/') || !needs_work(path)) return DecodedPath{path};
  PathBuilder builder(room_for(path, arena), PathBuilder::Slashes::merge);
  if (!decode(path, builder, [](size_t, std::string_view) {})) {
    return fail(ErrorCode::bad_request, Side::client, "the path, decoded, climbs above the root");
  }
  return DecodedPath{builder.path() == path ? path : builder.path(), builder.has_dots()};
}

std::optional<std::string_view> decode_with_long_parameters(std::string_view path, Arena& arena) {
  if (!path.contains(';')) return std::nullopt;
  char* const room = room_for(path, arena);
  size_t size = 0;
  bool is_in_parameters = false;
  for (const char c : path) {
    is_in_parameters = c != '/' && (is_in_parameters || c == ';');
    if (!is_in_parameters) room[size++] = c;
  }
  const auto usual = decode_path(path, arena);
  const auto other = decode_path({room, size}, arena);
  if (!other) return "";
  if (usual && usual->text == other->text) return std::nullopt;
  return other->text;
}

std::optional<size_t> size_of_prefix(std::string_view path, std::string_view prefix, Arena& arena) {
  std::optional<size_t> size;
  std::string_view decoded;
  PathBuilder builder(room_for(path, arena), PathBuilder::Slashes::merge);
  const bool is_sound = decode(path, builder, [&](size_t offset, std::string_view so_far) {
    if (so_far == prefix) size = offset;
    decoded = so_far;
  });
  const bool is_below =
      is_sound && decoded.starts_with(prefix) && (decoded.size() == prefix.size() || decoded[prefix.size()] == '/');
  return is_below ? size : std::nullopt;
}

size_t size_of_slash(std::string_view path) {
  if (path.empty()) return 0;
  const auto piece = piece_at(path);
  return piece.byte == '/' ? piece.text.size() : 0;
}

}  // namespace weir::http
