#include "http/message.h"

#include <algorithm>

namespace weir::http {

namespace {

// Beside those of Method: WebDAV and its extensions, UPnP, and PURGE, which caches take.
constexpr std::string_view kMore[] = {"ACL",      "BIND",      "CHECKOUT",   "COPY",       "LINK",   "LOCK",
                                      "M-SEARCH", "MERGE",     "MKACTIVITY", "MKCALENDAR", "MKCOL",  "MOVE",
                                      "NOTIFY",   "PROPFIND",  "PROPPATCH",  "PURGE",      "REBIND", "REPORT",
                                      "SEARCH",   "SUBSCRIBE", "UNBIND",     "UNLINK",     "UNLOCK", "UNSUBSCRIBE"};

}  // namespace

bool is_known_method(std::string_view name) {
  return method_of(name) != Method::other || std::ranges::find(kMore, name) != std::end(kMore);
}

bool takes_method(const RequestHead& head) {
  if (head.method != Method::other || is_known_method(head.method_name)) return true;
  return head.more_methods && std::ranges::find(*head.more_methods, head.method_name) != head.more_methods->end();
}

Method method_of(std::string_view name) {
  switch (name.size()) {
    case 3:
      if (name == "GET") return Method::get;
      if (name == "PUT") return Method::put;
      break;
    case 4:
      if (name == "POST") return Method::post;
      if (name == "HEAD") return Method::head;
      break;
    case 5:
      if (name == "PATCH") return Method::patch;
      if (name == "TRACE") return Method::trace;
      if (name == "QUERY") return Method::query;
      break;
    case 6:
      if (name == "DELETE") return Method::delete_;
      break;
    case 7:
      if (name == "OPTIONS") return Method::options;
      if (name == "CONNECT") return Method::connect;
      break;
    default: break;
  }
  return Method::other;
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::delete_: return "DELETE";
    case Method::connect: return "CONNECT";
    case Method::options: return "OPTIONS";
    case Method::trace: return "TRACE";
    case Method::patch: return "PATCH";
    case Method::query: return "QUERY";
    case Method::other: return "OTHER";
  }
  return "OTHER";
}

std::string_view name_of(Version version) {
  switch (version) {
    case Version::http10: return "HTTP/1.0";
    case Version::http11: return "HTTP/1.1";
    case Version::http2: return "HTTP/2";
  }
  return "HTTP/1.1";
}

// The IANA registry of status codes.
std::string_view reason_of(uint16_t status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 511: return "Network Authentication Required";
    default: return "";
  }
}

constexpr size_t kPerField = 32;

size_t list_size(const Headers& fields) {
  size_t bytes = fields.size() * kPerField;
  for (const Header& header : fields) bytes += header.name.size() + header.value.size();
  return bytes;
}

size_t list_size(const RequestHead& head) {
  constexpr std::string_view kPseudo = ":method:scheme:authority:path";
  constexpr size_t kPseudoFields = 4;
  const size_t values = head.method_name.size() + head.scheme.size() + head.authority.size() + head.path.size() + 1 +
                        head.query.size() + head.protocol.size();
  return list_size(head.headers) + kPseudo.size() + kPseudoFields * kPerField + values;
}

}  // namespace weir::http
