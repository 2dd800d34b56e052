#include "exchange/grpc.h"

#include "base/text.h"

namespace weir {

namespace {

constexpr std::string_view kType = "application/grpc";
constexpr size_t kMostDigits = 8;
constexpr double kLongest = 10 * 365 * 86'400.0;  // seconds; more is no bound, and might overflow

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!equals_ignoring_case(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<double> seconds_of(char unit) {
  switch (unit) {
    case 'H': return 3600;
    case 'M': return 60;
    case 'S': return 1;
    case 'm': return 1e-3;
    case 'u': return 1e-6;
    case 'n': return 1e-9;
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
  const auto value = headers.get("grpc-timeout");
  if (!value || value->size() < 2 || value->size() > kMostDigits + 1) return std::nullopt;
  const auto unit = seconds_of(value->back());
  const auto count = parse_decimal(value->substr(0, value->size() - 1));
  if (!unit || !count) return std::nullopt;
  const double seconds = static_cast<double>(*count) * *unit;
  if (seconds > kLongest) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace weir
