#include "exchange/conditions.h"

#include <algorithm>
#include <cassert>

#include "config/suggest.h"
#include "exchange/grpc.h"

namespace weir {

namespace {

template <ErrorCode... codes>
bool has_failed(const Exchange& exchange) {
  return exchange.failure && ((exchange.failure->code == codes) || ...);
}

/// RFC 9113 section 8.7.
bool was_refused(const Exchange& exchange) {
  return has_failed<ErrorCode::connection_reset>(exchange) && exchange.failure->retry == RetrySafe::yes;
}

bool is_gateway_error(const Exchange& exchange) {
  return exchange.response.head.status >= 502 && exchange.response.head.status <= 504;
}

bool is_server_error(const Exchange& exchange) { return exchange.response.head.status >= 500; }

/// A call that fails before any message has its status in its head.
bool is_unavailable_call(const Exchange& exchange) {
  const auto& headers = exchange.response.head.headers;
  return is_grpc(headers) && headers.get("grpc-status") == "14";
}

}  // namespace

struct Conditions::Word {
  std::string_view name;
  bool (*holds)(const Exchange&);
  bool is_status = false;
};

const Conditions::Word* Conditions::find(std::string_view name) {
  using enum ErrorCode;
  static constexpr Word kWords[] = {
      {"connect_failure", has_failed<connect_refused, connect_timeout, dns_error, tls_error, tls_certificate_error,
                                     no_descriptors, no_ports>},
      {"refused_stream", was_refused},
      {"reset", has_failed<connection_reset, incomplete_response>},
      {"timeout", has_failed<response_timeout, read_timeout, total_timeout>},
      {"protocol_error", has_failed<protocol_error>},
      {"circuit_open", has_failed<circuit_open>},
      {"no_endpoint", has_failed<no_endpoint>},
      {"overflow", has_failed<overflow, queue_timeout>},
      {"shed", has_failed<no_memory, connection_limit, concurrency_limit, shutting_down>},
      {"gateway_error", is_gateway_error, true},
      {"5xx", is_server_error, true},
      {"grpc_unavailable", is_unavailable_call},
  };
  const auto* found = std::ranges::find(kWords, name, &Word::name);
  return found == std::end(kWords) ? nullptr : found;
}

const std::string& Conditions::words() {
  static const std::string all =
      "connect_failure, refused_stream, reset, timeout, protocol_error, circuit_open, no_endpoint, overflow, shed, "
      "gateway_error, 5xx, grpc_unavailable, or a status from 400 to 599";
  return all;
}

Conditions::Conditions(std::initializer_list<std::string_view> words) {
  for (const auto word : words) {
    [[maybe_unused]] const bool is_known = add(word);
    assert(is_known);
  }
}

bool Conditions::add(std::string_view text) {
  const Word* word = find(text);
  const auto status = word ? std::nullopt : parse_decimal(text);
  if (!word && !(status && *status >= 400 && *status <= 599)) return false;
  words_.push_back({std::string(text), word, static_cast<uint16_t>(status.value_or(0))});
  return true;
}

std::string_view Conditions::match(const Exchange& exchange, Own own) const {
  const bool has_status = own == Own::yes || !exchange.failure || exchange.failure->side == Side::upstream;
  for (const auto& wanted : words_) {
    const bool is_status = !wanted.word || wanted.word->is_status;
    if (is_status && !has_status) continue;
    if (wanted.word ? wanted.word->holds(exchange) : exchange.response.head.status == wanted.status) return wanted.text;
  }
  return {};
}

std::string Conditions::text() const {
  std::vector<std::string> texts;
  for (const auto& wanted : words_) texts.push_back(wanted.text);
  return "[" + config::join(texts) + "]";
}

}  // namespace weir

namespace weir::config {

namespace {

void read_one(Reader& r, Conditions& out) {
  r.describe(Shape::Kind::text);
  const auto text = r.scalar("a condition", "one of: " + Conditions::words());
  if (text && !out.add(*text)) r.problem("'" + *text + "' is not a condition", "one of: " + Conditions::words());
}

}  // namespace

void Type<Conditions>::read(Reader& r, Conditions& out) {
  r.begin_list();
  r.take_one_alone();
  if (r.is_describing()) {
    Conditions blank;
    Reader item = r.described_item();
    read_one(item, blank);
  }
  if (const auto size = r.list_size()) {
    out = {};
    for (size_t i = 0; i < *size; ++i) {
      Reader item = r.item(i);
      read_one(item, out);
    }
    if (*size == 0) r.problem("is empty", "one of: " + Conditions::words());
  }
  r.write(out.empty() ? Value{} : Value::text(out.text()));
}

}  // namespace weir::config
