#include "exchange/grpc.h"

#include "base/text.h"

namespace weir {

namespace {

constexpr std::string_view kType = "application/grpc";
constexpr size_t kMostDigits = 8;
constexpr Duration kLongest = std::chrono::days(3650);  // more is no bound, and might overflow

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!equals_ignoring_case(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<Duration> unit_of(char letter) {
  switch (letter) {
    case 'H': return std::chrono::hours(1);
    case 'M': return std::chrono::minutes(1);
    case 'S': return std::chrono::seconds(1);
    case 'm': return std::chrono::milliseconds(1);
    case 'u': return std::chrono::microseconds(1);
    case 'n': return std::chrono::nanoseconds(1);
    default: return std::nullopt;
  }
}

}  // namespace

GrpcType grpc_type(std::string_view content_type) {
  auto rest = content_type;
  if (!take_prefix(rest, kType)) return {};
  auto form = GrpcForm::grpc;
  if (take_prefix(rest, "-web")) form = take_prefix(rest, "-text") ? GrpcForm::web_text : GrpcForm::web;
  if (!rest.empty() && rest.front() != '+' && rest.front() != ';' && rest.front() != ' ') return {};
  return {form, rest};
}

GrpcType grpc_type(const http::Headers& headers) {
  const auto type = headers.get(http::Field::content_type);
  return type ? grpc_type(*type) : GrpcType();
}

std::optional<Duration> grpc_timeout(const http::Headers& headers) {
  const auto value = headers.get(http::Field::grpc_timeout);
  if (!value || value->size() < 2 || value->size() > kMostDigits + 1) return std::nullopt;
  const auto unit = unit_of(value->back());
  const auto count = parse_decimal(value->substr(0, value->size() - 1));
  if (!unit || !count || *count > static_cast<uint64_t>(kLongest / *unit)) return std::nullopt;
  return *unit * static_cast<int64_t>(*count);
}

}  // namespace weir
