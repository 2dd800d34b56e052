#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace weir::http {

/// Finds the lines of a head and refuses, in any fragmentation, the bytes that servers disagree about:
/// CTLs, a bare CR or LF, obs-fold (RFC 9112 sections 2.2 and 5.2), and a head or start line past its limit.
class LineScanner {
 public:
  struct Limits {
    uint32_t start_line;  // 0: a trailer section, which has none
    uint32_t total;
  };
  struct Scan {
    size_t used = 0;                 // bytes that are good; the head's only
    size_t lines = 0;                // how many of them are whole lines
    bool is_last = false;            // the empty line was among them
    bool has_last_tab = false;       // a line may end with a tab
    std::optional<ErrorCode> error;  // bad_request, uri_too_long, head_too_large: what follows `used`
    std::string_view detail;
  };

  explicit LineScanner(Limits limits) : limits_(limits), in_start_line_(limits.start_line > 0) {}

  Scan scan(std::string_view bytes);

 private:
  void end_line(Scan& scan);
  bool check_line_start(char first, Scan& scan) const;
  void refuse_byte(char byte, bool is_past_limit, Scan& scan) const;

  Limits limits_;
  uint32_t total_ = 0;
  uint32_t column_ = 0;  // bytes of this line so far
  bool in_start_line_;
  bool had_field_ = false;
  bool after_cr_ = false;
};

}  // namespace weir::http
