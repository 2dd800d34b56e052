#include "http/hop_by_hop.h"

namespace weir::http {

namespace {

constexpr FieldSet kHopByHop =
    set_of(Field::connection, Field::http2_settings, Field::keep_alive, Field::proxy_authenticate,
           Field::proxy_authorization, Field::proxy_connection, Field::te, Field::transfer_encoding, Field::upgrade);

constexpr bool is_hop_by_hop(Field field) { return (kHopByHop & set_of(field)) != 0; }

// Calls `visit` with each option of all Connection fields until it returns false. A head has at most
// kMostConnectionOptions (framing.h).
template <class Visit>
void for_each_option(const Headers& headers, Visit visit) {
  bool goes_on = true;
  for (const Header& header : headers) {
    if (header.field != Field::connection) continue;
    for_each_member(header.value, [&](std::string_view option) { return goes_on = visit(option); });
    if (!goes_on) return;
  }
}

bool lists(const Headers& headers, std::string_view name) {
  bool found = false;
  for_each_option(headers, [&](std::string_view option) {
    found = equals_ignoring_case(option, name);
    return !found;
  });
  return found;
}

// The Connection lines stay in the table until the others have been looked at.
void remove_named(Headers& headers) {
  headers.remove_if([&](const Header& header) {
    return !is_protected(header) && !is_hop_by_hop(header.field) && lists(headers, header.name);
  });
}

bool names_only_the_connection(const Headers& headers) {
  bool only = true;
  for_each_option(headers, [&](std::string_view option) {
    only = equals_ignoring_case(option, "keep-alive") || equals_ignoring_case(option, "close");
    return only;
  });
  return only;
}

}  // namespace

bool takes_trailers(std::string_view te) {
  bool found = false;
  for_each_member(te, [&](std::string_view member) {
    found = equals_ignoring_case(trim(member.substr(0, member.find(';'))), "trailers");
    return !found;
  });
  return found;
}

bool is_protected(const Header& header) {
  switch (header.field) {
    case Field::other: break;
    case Field::keep_alive:
    case Field::proxy_connection:
    case Field::te:
    case Field::upgrade:
    case Field::http2_settings: return false;
    default: return true;  // Weir itself acts on these
  }
  for (std::string_view name : {"tracestate", "x-real-ip", "idempotency-key", "pragma", "www-authenticate"}) {
    if (equals_ignoring_case(header.name, name)) return true;
  }
  constexpr std::string_view kForwarded = "x-forwarded-";
  return equals_ignoring_case(header.name.substr(0, kForwarded.size()), kForwarded);
}

std::string_view upgrade_of(const Headers& headers) {
  if (headers.count(Field::upgrade) != 1 || !lists(headers, "upgrade")) return {};
  return *headers.get(Field::upgrade);
}

HopByHop remove_hop_by_hop(Headers& headers) {
  HopByHop found;
  if (!headers.may_have(kHopByHop)) return found;
  for (const Header& header : headers) {
    if (!is_hop_by_hop(header.field)) continue;
    if (header.field == Field::te && takes_trailers(header.value)) found.trailers = true;
    if (header.field == Field::upgrade && found.upgrade.empty()) found.upgrade = header.value;
  }
  if (!found.upgrade.empty() && !lists(headers, "upgrade")) found.upgrade = {};
  if (!names_only_the_connection(headers)) remove_named(headers);
  headers.remove_if([](const Header& header) { return is_hop_by_hop(header.field); });
  return found;
}

}  // namespace weir::http
