#include "upstream/secure.h"

#include "http/target.h"

namespace weir::upstream {

namespace {

Error error_of(Exchange& exchange, const net::TlsFailure& failure) {
  auto& arena = exchange.arena();
  const auto error = [&](ErrorCode code, std::string_view what) {
    return Error{code, Side::upstream, arena.concat({what, ": ", failure.reason}), RetrySafe::yes};
  };
  switch (failure.fault) {
    case net::TlsFault::timed_out:
      return {ErrorCode::connect_timeout, Side::upstream, "the TLS handshake took too long", RetrySafe::yes};
    case net::TlsFault::bad_certificate:
      return error(ErrorCode::tls_certificate_error, "the endpoint's certificate was refused");
    case net::TlsFault::alert: return error(ErrorCode::tls_error, "the endpoint refused the TLS handshake");
    default: return error(ErrorCode::tls_error, "the TLS handshake failed");
  }
}

/// Without port and without the dot at the end (RFC 6066 section 3); an IPv6 address without brackets.
std::string name_of(const net::TlsClient& tls, const Endpoint& endpoint) {
  auto host = tls.server_name().empty() ? http::host_of(endpoint.authority) : std::string_view(tls.server_name());
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

}  // namespace

uint64_t identity_of(const Upstream& upstream) {
  const uint64_t tls = upstream.tls() ? upstream.tls()->identity() : 0;
  const auto& settings = upstream.settings();
  const uint64_t header = settings.proxy_protocol ? 1 + static_cast<uint64_t>(*settings.proxy_protocol) : 0;
  return (tls * 4 + static_cast<uint64_t>(settings.protocol)) * 4 + header;
}

http::Version version_of(const Upstream& upstream, const net::Socket& socket) {
  const bool is_chosen = upstream.settings().protocol == Protocol::http2;
  const bool is_agreed = socket.tls() && socket.tls()->facts().protocol == "h2";
  return is_chosen || is_agreed ? http::Version::http2 : http::Version::http11;
}

std::shared_ptr<const net::TlsClient> make_tls(const TlsSettings& settings, Protocol protocol, const TlsFiles& files) {
  net::TlsClient::Settings client{.verify = settings.verify, .server_name = settings.server_name};
  if (!settings.ca->empty()) {
    auto authorities = files.authorities(settings.ca);
    if (!authorities) return nullptr;
    client.authorities = std::move(*authorities);
  }
  if (!settings.certificate.cert->empty()) {
    client.certificate = files.certificate(settings.certificate);
    if (!client.certificate) return nullptr;
  }
  switch (protocol) {
    case Protocol::automatic: client.protocols = {"h2", "http/1.1"}; break;
    case Protocol::http1: client.protocols = {"http/1.1"}; break;
    case Protocol::http2: client.protocols = {"h2"}; break;
  }
  return std::make_shared<net::TlsClient>(std::move(client));
}

Task<Result<>> secure(Exchange& exchange, net::Socket& socket, std::shared_ptr<const net::TlsClient> tls,
                      const Endpoint& endpoint, Time deadline, Speak speak) {
  const auto name = name_of(*tls, endpoint);
  auto session = std::make_unique<net::TlsSession>(std::move(tls), socket.fd(), name, endpoint.state->text);
  if (speak == Speak::http1) session->offer("http/1.1");
  socket.secure(std::move(session));
  const auto shaken = co_await net::shake_hands(exchange.loop(), socket, deadline);
  if (!shaken) co_return std::unexpected(error_of(exchange, shaken.error()));
  co_return Result<>();
}

}  // namespace weir::upstream
