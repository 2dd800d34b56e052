#include <doctest/doctest.h>

#include "bench_check.h"

// Semantics of refusal: what two servers could read differently never becomes a request. Each rule has its
// legal neighbour beside it.

namespace weir::http {

namespace {

const std::string kHost = "Host: a\r\n";

std::string get(std::string_view fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n"; }
std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

void refuses(std::string_view bytes, ErrorCode code = ErrorCode::bad_request) { check_refused(bytes, code); }
void takes(std::string_view bytes) { check_taken(bytes); }

}  // namespace

TEST_CASE("h1: Transfer-Encoding and Content-Length together are refused") {
  refuses(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
  refuses(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"));
  refuses(post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"));
}

TEST_CASE("h1: a transfer coding other than exactly chunked is refused") {
  refuses(post("Transfer-Encoding: gzip\r\n", ""), ErrorCode::unsupported_coding);
  refuses(post("Transfer-Encoding: identity\r\n", ""), ErrorCode::unsupported_coding);
  refuses(post("Transfer-Encoding: xchunked\r\n", ""), ErrorCode::unsupported_coding);
  refuses(post("Transfer-Encoding: gzip, chunked\r\n", ""), ErrorCode::unsupported_coding);
  refuses(post("Transfer-Encoding: chunked, gzip\r\n", ""));
  refuses(post("Transfer-Encoding: ,chunked\r\n", ""));
  refuses(post("Transfer-Encoding: chunked,\r\n", ""));
  refuses(post("Transfer-Encoding: chunked, chunked\r\n", ""));
  refuses(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""));
  refuses(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", ""));
  refuses(post("Transfer-Encoding:\r\n", ""));
  refuses(
      post("Transfer-Encoding: \x0b"
           "chunked\r\n",
           ""));
  refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  takes(post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"));
  takes(post("transfer-encoding:CHUNKED \t\r\n", "0\r\n\r\n"));
}

TEST_CASE("h1: a Content-Length that isn't one plain number is refused") {
  for (const char* length : {"", "+5", "-5", "0x5", "1_0", "5,5", "5, 5", "5 5", "5a", "5.0", "18446744073709551616",
                             "99999999999999999999999"}) {
    CAPTURE(length);
    refuses(post("Content-Length: " + std::string(length) + "\r\n", "12345"));
  }
  refuses(post("Content-Length: 5\r\nContent-Length: 5\r\n", "12345"));
  refuses(post("Content-Length: 5\r\nContent-Length: 6\r\n", "12345"));
  takes(post("Content-Length: 5\r\n", "12345"));
  takes(post("Content-Length: 5\t\r\n", "12345"));
  takes(post("Content-Length:\t5 \t \t\r\nA: b\tc\t\r\n", "12345"));
  refuses(post("Content-Length: 5\t5\r\n", "12345"));
  refuses("GET / HTTP/1.1\t\r\nHost: a\r\n\r\n");
  takes(post("Content-Length: \t5 \r\n", "12345"));
  takes(post("Content-Length: 0005\r\n", "12345"));
  takes(post("Content-Length: 0\r\n", ""));
}

TEST_CASE("h1: a malformed chunk is refused") {
  for (const char* body : {"5\r\nhelloX\r\n0\r\n\r\n",
                           "5\r\nhello0\r\n\r\n",
                           "5\r\nhello\n0\r\n\r\n",
                           "5\r\nhello\r0\r\n\r\n",
                           "5\nhello\r\n0\r\n\r\n",
                           "+5\r\nhello\r\n0\r\n\r\n",
                           "-5\r\nhello\r\n0\r\n\r\n",
                           "0x5\r\nhello\r\n0\r\n\r\n",
                           " 5\r\nhello\r\n0\r\n\r\n",
                           "5 \r\nhello\r\n0\r\n\r\n",
                           "\r\n",
                           "g\r\n",
                           "1_0\r\nhello\r\n0\r\n\r\n",
                           "5;\r\nhello\r\n0\r\n\r\n",
                           "5;a\rb\r\nhello\r\n0\r\n\r\n",
                           "5;a\nb\r\nhello\r\n0\r\n\r\n",
                           "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
                           "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n",
                           "5;a=\r\nhello\r\n0\r\n\r\n",
                           "5;a=\"b\r\nhello\r\n0\r\n\r\n",
                           "5 ;a\r\nhello\r\n0\r\n\r\n",
                           "10000000000000000\r\n",
                           "00000000000000005\r\nhello\r\n0\r\n\r\n"}) {
    CAPTURE(body);
    refuses(chunked(body));
  }
  takes(chunked("5\r\nhello\r\n0\r\n\r\n"));
  takes(chunked("0000000000000005\r\nhello\r\n000\r\n\r\n"));
  takes(chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"));
  takes(chunked("5;a;b=c;d=\"e;\\\"\tf\"\r\nhello\r\n0;last\r\n\r\n"));
}

TEST_CASE("h1: chunk extensions of one body have a total") {
  HeadLimits limits;
  limits.chunk_extensions = 8;
  check_refused(chunked("1;abcdefgh\r\nx\r\n0\r\n\r\n"), ErrorCode::bad_request, limits);
  check_refused(chunked("1;abcd\r\nx\r\n1;abcd\r\nx\r\n0\r\n\r\n"), ErrorCode::bad_request, limits);
  check_taken(chunked("1;abc\r\nx\r\n1;abc\r\nx\r\n0\r\n\r\n"), limits);
}

TEST_CASE("h1: malformed trailers are refused") {
  refuses(chunked("0\r\na b: c\r\n\r\n"));
  refuses(chunked("0\r\na: b\n\r\n"));
  refuses(chunked("0\r\na: b\r\n c\r\n\r\n"));
  refuses(chunked("0\r\n a: b\r\n\r\n"));
  refuses(chunked("0\r\na: b\rc\r\n\r\n"));
  refuses(chunked("0\r\n\n"));
  refuses(chunked("0\r\na\r\n\r\n"));
  takes(chunked("0\r\na: b\r\n\r\n"));
}

TEST_CASE("h1: a bare CR, a bare LF and NUL are refused wherever they stand") {
  refuses("GET / HTTP/1.1\nHost: a\r\n\r\n");
  refuses("GET / HTTP/1.1\r\nHost: a\n\r\n");
  refuses("GET / HTTP/1.1\r\nHost: a\r\n\n");
  refuses("GET / HTTP/1.1\rHost: a\r\n\r\n");
  refuses("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n");
  refuses(get("X: a\rb\r\n"));
  refuses(get("X: a\r\r\n"));
  refuses(get("X: a\rY: b\r\n"));
  refuses("GET / HTTP/1.1\r\nHost: a\r\n\rX");
  refuses(std::string_view("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 36));
  refuses(std::string_view("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28));
  refuses("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  refuses("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST_CASE("h1: control characters in a field value are refused, HTAB and 8-bit are not") {
  for (const char* c : {"\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\x7f"})
    refuses(get("X: a" + std::string(c) + "b\r\n"));
  takes(get("X: a\tb\r\n"));
  takes(get("X: caf\xc3\xa9\r\n"));
  takes(get("X: \xff\x80\r\n"));
  takes(get("X:\r\n"));
  takes(get("X: \t \r\n"));
}

TEST_CASE("h1: a field name that isn't a token, and a line without a colon, are refused") {
  for (const char* line : {": a", "X Y: a", "X\xc3\xa9: a", "X(: a", "X/: a", "\"X\": a", "X@: a", "X[]: a", "no colon",
                           "X", "{X}: a", "X,Y: a", "X;: a", "X=: a", "X\\: a", "X?: a", "X<>: a"}) {
    CAPTURE(line);
    refuses(get(std::string(line) + "\r\n"));
  }
  takes(get("!#$%&'*+-.^`|~09azAZ: a\r\n"));
}

TEST_CASE("h1: whitespace before a colon is refused") {
  refuses("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  refuses("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n");
  refuses(post("Content-Length : 5\r\n", "12345"));
  refuses(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"));
  refuses(post("Connection : close\r\n", ""));
  refuses(get("X : a\r\n"));
}

TEST_CASE("h1: whitespace before the first field is refused") {
  refuses("GET / HTTP/1.1\r\n Host: a\r\n\r\n");
  refuses("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n");
  refuses("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n");
}

TEST_CASE("h1: a folded field line is refused") {
  refuses(get("X: a\r\n b\r\n"));
  refuses(get("X: a\r\n\tb\r\n"));
  refuses(get("X: a\r\n \r\n"));
  refuses(get("X:\r\n a\r\n"));
  refuses(post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"));
  refuses(post("Content-Length: 1\r\n 2\r\n", ""));
}

TEST_CASE("h1: exactly one Host of valid syntax on HTTP/1.1") {
  refuses("GET / HTTP/1.1\r\n\r\n");
  refuses("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
  refuses("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n");
  for (const char* host : {"", "a b", "a/b", "a@b", "a:b", "a:65536", "a:80:80", "[::1", "[::g]", "::1", "a?b", "a#b",
                           "http://a", "a\\b", "%zz", "caf\xc3\xa9"}) {
    CAPTURE(host);
    refuses("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
  }
  for (const char* host :
       {"a", "A.example", "a:", "a:0", "a:65535", "[::1]", "[2001:db8::1]:8080", "10.0.0.1:80", "a_b", "xn--caf-dma"}) {
    CAPTURE(host);
    takes("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
  }
  takes("GET / HTTP/1.0\r\n\r\n");
}

TEST_CASE("h1: a malformed request-target is refused") {
  for (const char* target : {"/a\tb", "/caf\xc3\xa9", "/a#b", "*", "a", "a:80", "http:/a/", "http://", "http://u@a/",
                             "http://u:p@a/", "ftp://a/", "http://a b/", "?a", "//\x7f", "http://a:99999/"}) {
    CAPTURE(target);
    refuses("GET " + std::string(target) + " HTTP/1.1\r\n" + kHost + "\r\n");
  }
  refuses("OPTIONS *x HTTP/1.1\r\n" + kHost + "\r\n");
  refuses("CONNECT / HTTP/1.1\r\n" + kHost + "\r\n");
  refuses("CONNECT a HTTP/1.1\r\n" + kHost + "\r\n");
  refuses("CONNECT http://a:80/ HTTP/1.1\r\n" + kHost + "\r\n");
  takes("OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n");
  takes("CONNECT a:80 HTTP/1.1\r\n" + kHost + "\r\n");
  takes("TRACE / HTTP/1.1\r\n" + kHost + "\r\n");
  takes("GET /a%23b?c=d&e=/?:@|{}\"<>^` HTTP/1.1\r\n" + kHost + "\r\n");
  takes("GET http://a:80/b?c HTTP/1.1\r\n" + kHost + "\r\n");
}

TEST_CASE("h1: a request line of other than three parts with one space between is refused") {
  for (const char* line : {"GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ",
                           "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET / b HTTP/1.1", "GET /", "GET", "GET ", "GET / ",
                           "GET  HTTP/1.1", "/ HTTP/1.1", "G(T / HTTP/1.1", "G\xc3T / HTTP/1.1"}) {
    CAPTURE(line);
    refuses(std::string(line) + "\r\n" + kHost + "\r\n");
  }
}

TEST_CASE("h1: versions other than 1.0 and 1.1 are refused") {
  for (const char* version : {"HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/1.2", "HTTP/9.9"}) {
    CAPTURE(version);
    refuses("GET / " + std::string(version) + "\r\n" + kHost + "\r\n", ErrorCode::unsupported_version);
  }
  for (const char* version : {"HTTP/1.32", "HTTP/01.1", "HTTP/1.", "HTTP/1", "HTTP/11", "http/1.1", "HTTP/1.1x",
                              "RTSP/1.0", "ICE/1.0", "HTTP /1.1", "HTCPCP/1.0", "HTTP/a.b"}) {
    CAPTURE(version);
    refuses("GET / " + std::string(version) + "\r\n" + kHost + "\r\n");
  }
  refuses("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrorCode::unsupported_version);
  refuses("SOURCE / ICE/1.0\r\n\r\n");
  refuses("\x16\x03\x01\x02\x00\x01\xfc\x03\x03");
}

TEST_CASE("h1: an unknown method is told apart from garbage") {
  for (const char* method : {"FOO", "get", "query", "GETT", "GE", "DESCRIBE", "PLAY", "SOURCE", "PRI", "OTHER"}) {
    CAPTURE(method);
    refuses(std::string(method) + " / HTTP/1.1\r\n" + kHost + "\r\n", ErrorCode::unsupported_method);
  }
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PURGE", "PROPFIND",
                             "REPORT", "M-SEARCH", "MKCOL", "LINK", "QUERY", "UNSUBSCRIBE"}) {
    CAPTURE(method);
    takes(std::string(method) + " / HTTP/1.1\r\n" + kHost + "\r\n");
  }
}

TEST_CASE("h1: more than 64 options of Connection, over all its lines, are refused") {
  const auto lines = [](int count) {
    std::string text = "Connection: ,a";
    for (int i = 1; i < count / 2; ++i) text += ",, x-" + std::to_string(i);
    text += "\r\nConnection: b";
    for (int i = count / 2 + 1; i < count; ++i) text += ", y-" + std::to_string(i);
    return text + "\r\n";
  };
  takes(get(lines(64)));
  refuses(get(lines(66)));
}

TEST_CASE("h1: at most two empty lines may stand in front of a request") {
  takes("\r\n" + get(""));
  takes("\r\n\r\n" + get(""));
  refuses("\r\n\r\n\r\n" + get(""));
}

TEST_CASE("h1: a head past a limit has a status of its own") {
  HeadLimits limits;
  limits.request_line = 32;
  limits.head_bytes = 128;
  limits.fields = 4;
  const auto line_of = [](size_t bytes) { return "GET /" + std::string(bytes - 14, 'a') + " HTTP/1.1\r\nHost: a\r\n"; };
  check_taken(line_of(32) + "\r\n", limits);
  check_refused(line_of(33) + "\r\n", ErrorCode::uri_too_long, limits);
  check_refused("GET /" + std::string(100, 'a'), ErrorCode::uri_too_long, limits);

  check_taken(get("X: " + std::string(90, 'a') + "\r\n"), limits);
  check_refused(get("X: " + std::string(150, 'a') + "\r\n"), ErrorCode::head_too_large, limits);
  check_refused(get("X: " + std::string(150, 'a')), ErrorCode::head_too_large, limits);

  check_taken(get("a: b\r\nc: d\r\ne: f\r\n"), limits);
  check_refused(get("a: b\r\nc: d\r\ne: f\r\ng: h\r\n"), ErrorCode::head_too_large, limits);
  check_refused(chunked("0\r\nX: " + std::string(150, 'a') + "\r\n\r\n"), ErrorCode::head_too_large, limits);
}

TEST_CASE("h1: underscores in field names are dropped, refused or kept as configured") {
  for (size_t fragment : kFragments) {
    Bench bench(Role::server, {}, fragment);
    bench.feed(get("X_Forwarded_For: 1.2.3.4\r\n"));
    CHECK(bench.events.events() == "request 1 GET a /\n  Host=a\nend\n");
  }
  HeadLimits limits;
  limits.underscores = HeadLimits::Underscores::reject;
  check_refused(get("X_Y: a\r\n"), ErrorCode::bad_request, limits);
  limits.underscores = HeadLimits::Underscores::keep;
  Bench bench(Role::server, limits);
  bench.feed(get("X_Y: a_b\r\n"));
  CHECK(bench.events.events() == "request 1 GET a /\n  Host=a\n  X_Y=a_b\nend\n");
}

TEST_CASE("h1: no byte after a refused message is read") {
  for (size_t fragment : kFragments) {
    Bench bench(Role::server, {}, fragment);
    bench.feed("GET / HTTP/1.1\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(bench.error);
    bench.error.reset();
    CHECK(bench.feed("GET /evil HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
    CHECK(bench.events.events() == "");
    CHECK_FALSE(bench.codec.is_reusable());
  }
}

}  // namespace weir::http
