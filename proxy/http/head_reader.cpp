#include "http/head_reader.h"

#include <llhttp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "http/syntax.h"
#include "http/target.h"

namespace weir::http {

// Without it llhttp takes `Host : a` and worse.
static_assert(LLHTTP_STRICT_MODE == 1);

struct LlhttpCallbacks {
  static HeadReader& reader_of(llhttp_t* parser) { return *static_cast<HeadReader*>(parser->data); }

  static int on_name(llhttp_t* parser, const char* at, size_t size) noexcept {
    reader_of(parser).name_ = {at, size};
    return 0;
  }
  static int on_value(llhttp_t* parser, const char* at, size_t size) noexcept {
    return reader_of(parser).add_field({at, size}) ? 0 : -1;
  }
  // The body is none of llhttp's business: framing.h decides, and chunked.h reads.
  static int on_complete(llhttp_t* parser) noexcept {
    reader_of(parser).is_complete_ = true;
    return HPE_PAUSED;
  }
  static constexpr llhttp_settings_t kSettings{
      .on_header_field = on_name, .on_header_value = on_value, .on_headers_complete = on_complete};
};

namespace {

// Start lines are read here. llhttp begins behind one, always the same: of fields it asks no more.
const llhttp_t kBehindStartLine = [] {
  constexpr std::string_view kLine = "GET / HTTP/1.1\r\n";
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &LlhttpCallbacks::kSettings);
  llhttp_execute(&parser, kLine.data(), kLine.size());
  return parser;
}();

constexpr size_t kFirstRoom = 256;  // for a line that came in pieces

std::optional<Version> version_of(std::string_view text) {
  if (text == "HTTP/1.1") return Version::http11;
  if (text == "HTTP/1.0") return Version::http10;
  return std::nullopt;
}

bool looks_like_version(std::string_view text) {
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
}

std::unexpected<Error> refuse_request(std::string_view detail, ErrorCode code = ErrorCode::bad_request) {
  return fail(code, Side::client, detail);
}

// request-line = method SP request-target SP HTTP-version, RFC 9112 section 3.
Result<> parse_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return refuse_request("not a request line: no HTTP version");
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, second - first - 1);
  const auto version = line.substr(second + 1);

  if (!is_token(method)) return refuse_request("the method is not a token");
  const auto known = version_of(version);
  if (!known && looks_like_version(version)) {
    return refuse_request("an HTTP version other than 1.0 and 1.1", ErrorCode::unsupported_version);
  }
  if (!known) return refuse_request("not a request line: three parts with one space between");
  head.version = *known;
  head.method = method_of(method);
  head.method_name = method;
  if (!takes_method(head)) return refuse_request("a method unknown to HTTP", ErrorCode::unsupported_method);
  return split_target(target, head);
}

// status-line = HTTP-version SP 3DIGIT SP [ reason-phrase ], RFC 9112 section 4. Some servers leave the last
// space out.
Result<> parse_status_line(std::string_view line, ResponseHead& head) {
  constexpr auto kSide = Side::upstream;
  const auto version = version_of(line.substr(0, 8));
  if (!version) return fail(ErrorCode::protocol_error, kSide, "not a status line: no HTTP/1.0 or 1.1");
  const auto status = line.substr(8);
  const bool is_status = status.size() >= 4 && status[0] == ' ' && std::ranges::all_of(status.substr(1, 3), is_digit) &&
                         status[1] >= '1' && (status.size() == 4 || status[4] == ' ');
  if (!is_status) return fail(ErrorCode::protocol_error, kSide, "not a status line: no status of three digits");
  head.version = *version;
  head.status = static_cast<uint16_t>(*parse_decimal(status.substr(1, 3)));
  head.reason = status.size() > 5 ? status.substr(5) : std::string_view();
  return {};
}

/// Makes the tabs at the end of a line spaces: both are no part of the value (RFC 9110 section 5.5), and llhttp refuses
/// the tab behind a Content-Length.
void blank_last_tabs(char* lines, size_t size) {
  char* const end = lines + size;
  for (auto* tab = static_cast<char*>(std::memchr(lines, '\t', size)); tab;
       tab = static_cast<char*>(std::memchr(tab, '\t', static_cast<size_t>(end - tab)))) {
    char* const after = std::find_if_not(tab, end, [](char c) { return c == '\t' || c == ' '; });
    if (after != end && *after == '\r') std::fill(tab, after, ' ');
    tab = after;
    if (tab == end) break;
  }
}

}  // namespace

HeadReader::HeadReader(Headers& headers, const HeadLimits& limits, LineScanner scanner, Side side)
    : headers_(headers),
      parser_(&headers.arena().make<llhttp_t>(kBehindStartLine)),
      gate_(limits, side),
      scanner_(scanner),
      side_(side) {
  parser_->data = this;
}

HeadReader::HeadReader(RequestHead& head, const HeadLimits& limits)
    : HeadReader(head.headers, limits, LineScanner({limits.request_line, limits.head_bytes}), Side::client) {
  head_ = &head;
}

HeadReader::HeadReader(ResponseHead& head, const HeadLimits& limits)
    : HeadReader(head.headers, limits, LineScanner({limits.head_bytes, limits.head_bytes}), Side::upstream) {
  head_ = &head;
}

HeadReader::HeadReader(Headers& trailers, const HeadLimits& limits, Side side)
    : HeadReader(trailers, limits, LineScanner({0, limits.head_bytes}), side) {
  has_start_line_ = true;
}

std::unexpected<Error> HeadReader::refuse(std::string_view detail) const {
  return fail(side_ == Side::client ? ErrorCode::bad_request : ErrorCode::protocol_error, side_, detail);
}

Result<size_t> HeadReader::read(std::string_view bytes) {
  const auto scan = scanner_.scan(bytes);
  has_last_tab_ |= scan.has_last_tab;
  keep(bytes.substr(0, scan.used));
  if (scan.lines > 0) {
    const size_t tail = scan.used - scan.lines;
    const std::string_view lines(kept_, kept_size_ - tail);
    if (has_last_tab_) {
      const size_t fields = has_start_line_ ? 0 : lines.find('\r');
      blank_last_tabs(kept_ + fields, lines.size() - fields);
    }
    kept_ += lines.size();
    kept_room_ -= lines.size();
    kept_size_ = tail;
    if (auto parsed = parse(lines); !parsed) return std::unexpected(parsed.error());
  }
  if (scan.error && side_ == Side::upstream)
    return refuse(*scan.error == ErrorCode::uri_too_long ? "the status line is too long" : scan.detail);
  if (scan.error) return fail(*scan.error, side_, scan.detail);
  return scan.used;
}

// Room doubles, so that a line in pieces of one byte is copied a few times only.
void HeadReader::keep(std::string_view bytes) {
  if (bytes.empty()) return;
  if (kept_size_ + bytes.size() > kept_room_) {
    Arena& arena = headers_.arena();
    const bool is_whole = kept_size_ == 0;
    const size_t room = is_whole ? bytes.size() : std::max(kFirstRoom, 2 * (kept_size_ + bytes.size()));
    auto* to = static_cast<char*>(arena.bump(room, 1));
    if (kept_size_ > 0) std::memcpy(to, kept_, kept_size_);
    kept_ = to;
    kept_room_ = room;
  }
  std::memcpy(kept_ + kept_size_, bytes.data(), bytes.size());
  kept_size_ += bytes.size();
}

Result<> HeadReader::parse(std::string_view lines) {
  if (!has_start_line_) {
    const auto end = lines.find('\r');
    if (auto parsed = parse_start_line(lines.substr(0, end)); !parsed) return parsed;
    has_start_line_ = true;
    lines.remove_prefix(end + 2);
    if (lines.empty()) return {};
  }
  const auto outcome = llhttp_execute(parser_, lines.data(), lines.size());
  if (outcome == HPE_OK || is_complete_) return {};
  if (error_) return std::unexpected(*error_);
  const char* reason = llhttp_get_error_reason(parser_);
  return refuse(reason ? std::string_view(reason) : std::string_view("malformed"));
}

Result<> HeadReader::parse_start_line(std::string_view line) {
  if (auto* head = std::get_if<RequestHead*>(&head_)) return parse_request_line(line, **head);
  return parse_status_line(line, *std::get<ResponseHead*>(head_));
}

bool HeadReader::add_field(std::string_view value) {
  const auto name = std::exchange(name_, {});
  if (name.empty()) {  // llhttp lets it through
    error_ = refuse("an empty field name").error();
    return false;
  }
  const auto admitted = gate_.admit(name);
  if (!admitted) {
    error_ = admitted.error();
    return false;
  }
  if (*admitted) headers_.add(name, trim(value));
  return true;
}

}  // namespace weir::http
