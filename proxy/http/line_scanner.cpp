#include "http/line_scanner.h"

#include <algorithm>

#include "http/syntax.h"

namespace weir::http {

namespace {

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

    // Up to what ends the line, or to the limit that comes first.
    const size_t room = limits_.total - std::min(total_, limits_.total);
    const size_t line_room = in_start_line_ ? std::min<size_t>(room, limits_.start_line - column_) : room;
    const auto rest = bytes.substr(scan.used);
    const size_t good = count_field_bytes(rest.substr(0, line_room));
    scan.used += good;
    total_ += good;
    column_ += good;
    if (good == rest.size()) break;
    if (rest[good] == '\r') {
      // Without a byte before the CR, the line's last one came in an earlier fragment.
      scan.has_last_tab |= good > 0 ? rest[good - 1] == '\t' : column_ > 0;
      ++scan.used;
      after_cr_ = true;
    } else {
      refuse_byte(rest[good], good == line_room, scan);
    }
  }
  return scan;
}

void LineScanner::refuse_byte(char byte, bool is_past_limit, Scan& scan) const {
  if (byte == '\n') return refuse(scan, ErrorCode::bad_request, "a bare LF as a line end");
  if (!is_past_limit) return refuse(scan, ErrorCode::bad_request, "a control character in the head");
  if (in_start_line_ && column_ == limits_.start_line) {
    refuse(scan, ErrorCode::uri_too_long, "the request line is too long");
  } else {
    refuse(scan, ErrorCode::head_too_large, "the head is too long");
  }
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
