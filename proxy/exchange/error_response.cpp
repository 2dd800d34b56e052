#include "exchange/error_response.h"

#include <charconv>

#include "base/arena_text.h"
#include "exchange/grpc_error.h"

namespace weir {

namespace {

/// Text that grows in the arena: pieces of a page, escaped as its format asks.
class Page {
 public:
  explicit Page(Arena& arena) : text_(arena) {}

  Page& operator<<(std::string_view piece) {
    text_ << piece;
    return *this;
  }
  template <class Escape>
  Page& escaped(std::string_view text, Escape escape) {
    size_t plain = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      char room[6];
      const std::string_view instead = escape(text[i], room);
      if (instead.empty()) continue;
      *this << text.substr(plain, i - plain) << instead;
      plain = i + 1;
    }
    return *this << text.substr(plain);
  }
  std::string_view text() const { return text_.text(); }

 private:
  ArenaText text_;
};

// Each gives what to write instead of a byte, or "" to leave it.

std::string_view escape_json(char c, char (&room)[6]) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (c == '"') return "\\\"";
  if (c == '\\') return "\\\\";
  if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f) return {};
  if (static_cast<unsigned char>(c) >= 0x7f) return "?";
  const char code[6] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
  std::copy(std::begin(code), std::end(code), room);
  return {room, 6};
}

std::string_view escape_html(char c, char (&)[6]) {
  switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    default: return {};
  }
}

/// RFC 9651 section 3.3.3: visible ASCII and space, with '"' and '\' escaped.
std::string_view escape_structured(char c, char (&)[6]) {
  if (c == '"') return "\\\"";
  if (c == '\\') return "\\\\";
  return c < ' ' || c > '~' ? "?" : std::string_view();
}

/// RFC 9110 section 12.4.2, in thousandths; what is no weight counts as 1.
int weight_of(std::string_view parameters) {
  int weight = 1000;
  while (!parameters.empty()) {
    const auto semicolon = parameters.find(';');
    const auto parameter = trim(parameters.substr(0, semicolon));
    parameters = semicolon == std::string_view::npos ? "" : parameters.substr(semicolon + 1);
    if (parameter.size() < 3 || to_lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    double q = 1;
    std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), q);
    weight = q >= 0 && q <= 1 ? static_cast<int>(q * 1000) : 1000;  // from_chars takes 1e300, too, and nan
  }
  return weight;
}

/// How much the client wants `type`, by the most specific range of Accept that has it; 0 = not at all.
int preference(std::string_view accept, std::string_view type, std::string_view alias = {}) {
  int weight = 0;
  int specific = 0;
  for_each_member(accept, [&](std::string_view member) {
    const auto range = trim(member.substr(0, member.find(';')));
    const bool any_subtype = range.ends_with("/*") && equals_ignoring_case(range.substr(0, range.size() - 1),
                                                                           type.substr(0, type.find('/') + 1));
    const bool exact = equals_ignoring_case(range, type) || (!alias.empty() && equals_ignoring_case(range, alias));
    const int match = exact ? 3 : any_subtype ? 2 : range == "*/*" ? 1 : 0;
    if (match > specific) {
      specific = match;
      weight = weight_of(member.size() > range.size() ? member.substr(range.size()) : "");
    }
    return true;
  });
  return weight;
}

bool prefers_html(const http::Headers& headers) {
  const auto accept = headers.joined("accept");
  if (!accept) return false;
  const int json = preference(*accept, "application/problem+json", "application/json");
  return json == 0 || preference(*accept, "text/html") > json;
}

std::string_view decimal(Arena& arena, unsigned number) {
  char digits[10];
  const auto end = std::to_chars(digits, std::end(digits), number).ptr;
  return arena.copy({digits, static_cast<size_t>(end - digits)});
}

/// draft-ietf-httpapi-ratelimit-headers, section "Problem Types".
void add_violated_policies(Page& page, std::string_view names) {
  if (names.empty()) return;
  std::string_view before = R"(,"violated-policies":[")";
  for_each_member(names, [&](std::string_view name) {
    page << before << name;
    before = R"(",")";
    return true;
  });
  page << R"("])";
}

std::string_view problem_json(Exchange& exchange, const ErrorMeaning& meaning) {
  const Error& error = *exchange.failure;
  const auto status = decimal(exchange.arena(), meaning.status);
  Page page(exchange.arena());
  page << R"({"type":")";
  if (meaning.type.empty()) {
    page << "urn:weir:error:" << name_of(error.code);
  } else {
    page << meaning.type;
  }
  page << R"(","title":")" << meaning.title << R"(","status":)" << status;
  const auto detail = detail_of(*exchange.failure, exchange.arena());
  if (!detail.empty()) (page << R"(,"detail":")").escaped(detail, escape_json) << "\"";
  if (!exchange.id.empty()) (page << R"(,"instance":")").escaped(exchange.id, escape_json) << "\"";
  if (meaning.status == 429) add_violated_policies(page, exchange.facts.get(kViolatedPolicies));
  return (page << "}\n").text();
}

std::string_view html(Exchange& exchange, const ErrorMeaning& meaning) {
  const auto detail = detail_of(*exchange.failure, exchange.arena());
  const auto status = decimal(exchange.arena(), meaning.status);
  Page page(exchange.arena());
  page << "<!doctype html>\n<title>" << status << " " << meaning.title << "</title>\n<h1>" << meaning.title
       << "</h1>\n";
  if (!detail.empty()) (page << "<p>").escaped(detail, escape_html) << "</p>\n";
  if (!exchange.id.empty()) (page << "<p>Request ").escaped(exchange.id, escape_html) << "</p>\n";
  return page.text();
}

std::string_view proxy_status(Exchange& exchange, std::string_view error) {
  Page field(exchange.arena());
  field << "weir; error=" << error;
  const auto detail = detail_of(*exchange.failure, exchange.arena());
  if (!detail.empty()) (field << "; details=\"").escaped(detail, escape_structured) << "\"";
  return field.text();
}

/// It passes by itself, and soon.
bool is_momentary(ErrorCode code) {
  return code == ErrorCode::too_many_connections || code == ErrorCode::overflow || code == ErrorCode::queue_timeout ||
         code == ErrorCode::circuit_open || code == ErrorCode::concurrency_limited ||
         code == ErrorCode::store_unavailable || code == ErrorCode::no_descriptors || code == ErrorCode::no_ports ||
         code == ErrorCode::no_memory || code == ErrorCode::connection_limit || code == ErrorCode::concurrency_limit ||
         code == ErrorCode::admin_busy || code == ErrorCode::shutting_down;
}

}  // namespace

std::string_view detail_of(const Failure& failure, Arena& arena) {
  if (failure.upstream.empty() && failure.by.empty()) return failure.detail;
  const bool names_both = !failure.upstream.empty() && !failure.by.empty();
  return arena.concat({failure.detail, failure.detail.empty() ? "(" : " (", failure.upstream.empty() ? "" : "upstream ",
                       failure.upstream, names_both ? ", " : "", failure.by, ")"});
}

void render_error(Exchange& exchange) {
  const ErrorMeaning& meaning = meaning_of(exchange.failure->code);
  auto& arena = exchange.arena();
  auto& head = exchange.response.head;
  exchange.record.raise(meaning.flag);

  if (!meaning.proxy_error.empty()) head.headers.set("proxy-status", proxy_status(exchange, meaning.proxy_error));
  if (is_momentary(exchange.failure->code) && !head.headers.has(http::Field::retry_after)) {
    head.headers.set("retry-after", "1");
  }
  if (exchange.call != GrpcForm::none) return render_grpc_error(exchange);

  const bool as_html = prefers_html(exchange.request.headers);
  const auto page = as_html ? html(exchange, meaning) : problem_json(exchange, meaning);
  head.status = meaning.status;
  head.reason = {};
  head.headers.set("content-type", as_html ? "text/html; charset=utf-8" : "application/problem+json");
  exchange.response.body = make_in<TextBody>(arena, arena, page);
}

}  // namespace weir
