#include "http/line_scanner.h"

#include <algorithm>
#include <cstring>

#include "http/syntax.h"

namespace weir::http {

namespace {

// No branch in the loop: clang makes vector code of it.
bool is_clean(std::string_view text) {
  unsigned bad = 0;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    bad |= static_cast<unsigned>(byte < ' ') & static_cast<unsigned>(byte != '\t');
    bad |= static_cast<unsigned>(byte == 0x7f);
  }
  return bad == 0;
}

size_t clean_prefix(std::string_view text) {
  if (is_clean(text)) return text.size();
  return static_cast<size_t>(std::ranges::find_if_not(text, is_field_byte) - text.begin());
}

void refuse(LineScanner::Scan& scan, ErrorCode code, std::string_view detail) {
  scan.error = code;
  scan.detail = detail;
}

}  // namespace

LineScanner::Scan LineScanner::scan(std::string_view bytes) {
  Scan scan;
  while (scan.used < bytes.size() && !scan.is_last && !scan.error) {
    const char next = bytes[scan.used];
    if (after_cr_) {
      if (next != '\n') {
        refuse(scan, ErrorCode::bad_request, "a bare CR");
      } else {
        end_line(scan);
      }
      continue;
    }
    if (column_ == 0 && !check_line_start(next, scan)) break;

    // Up to the line's CR: what both limits leave of it.
    auto rest = bytes.substr(scan.used);
    const auto* lf = static_cast<const char*>(std::memchr(rest.data(), '\n', rest.size()));
    if (lf) rest = rest.substr(0, static_cast<size_t>(lf - rest.data()));
    const bool has_cr = rest.ends_with('\r');
    if (has_cr) rest.remove_suffix(1);
    const size_t room = limits_.total - std::min(total_, limits_.total);
    const size_t line_room = in_start_line_ ? limits_.start_line - column_ : room;
    const size_t good = clean_prefix(rest.substr(0, std::min(room, line_room)));
    scan.used += good;
    total_ += good;
    column_ += good;
    if (good < rest.size()) {
      if (good == line_room && in_start_line_) {
        refuse(scan, ErrorCode::uri_too_long, "the request line is too long");
      } else if (good == room) {
        refuse(scan, ErrorCode::head_too_large, "the head is too long");
      } else {
        refuse(
            scan, ErrorCode::bad_request,
            rest[good] == '\r' ? std::string_view("a bare CR") : std::string_view("a control character in the head"));
      }
    } else if (has_cr) {
      ++scan.used;
      after_cr_ = true;
    } else if (lf) {
      refuse(scan, ErrorCode::bad_request, "a bare LF as a line end");
    }
  }
  return scan;
}

bool LineScanner::check_line_start(char first, Scan& scan) const {
  if (in_start_line_ || (first != ' ' && first != '\t')) return true;
  refuse(scan, ErrorCode::bad_request,
         had_field_ ? std::string_view("a folded field line") : std::string_view("whitespace before the first field"));
  return false;
}

void LineScanner::end_line(Scan& scan) {
  scan.lines = ++scan.used;
  total_ += 2;
  scan.is_last = column_ == 0 && !in_start_line_;
  had_field_ = !in_start_line_;
  in_start_line_ = false;
  after_cr_ = false;
  column_ = 0;
}

}  // namespace weir::http
