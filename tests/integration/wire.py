"""HTTP/1.1 as bytes: a strict reader of messages, and a client that sends exactly what it is told."""

import json
import re
import socket
import struct

CRLF = b"\r\n"
FRAGMENTS = (1, 2, 3, 7, 31, None)                  # None = whole
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
REQUEST_LINE = re.compile(rb"([A-Z-]+) (\S+) HTTP/1\.([01])")


class Closed(Exception):
    """The peer ended the connection before a message began."""


class Cut(Exception):
    """The peer ended the connection inside a message; `partial` holds what had come."""

    def __init__(self, message, partial=None):
        super().__init__(message)
        self.partial = partial


class Malformed(Exception):
    """What came is not HTTP/1.1."""


class Stream:
    """Reads a socket by lines and lengths, and remembers every byte that came."""

    def __init__(self, sock):
        self.sock = sock
        self.pending = bytearray()
        self.received = bytearray()
        self.ended = False

    def fill(self):
        """Waits for more bytes; False at the end of the stream."""
        piece = b"" if self.ended else self.sock.recv(1 << 18)
        self.ended = self.ended or not piece
        self.pending += piece
        self.received += piece
        return bool(piece)

    def line(self, first=False):
        while CRLF not in self.pending:
            if b"\n" in self.pending:
                raise Malformed(f"a bare LF: {bytes(self.pending[:200])!r}")
            if not self.fill():
                raise (Closed if first and not self.pending else Cut)(f"after {bytes(self.pending[:200])!r}")
        end = self.pending.index(CRLF)
        return self._take(end + 2)[:-2]

    def exactly(self, count, sink):
        """Appends `count` bytes to `sink`, piece by piece, so that a cut leaves what had come."""
        while count:
            if not self.pending and not self.fill():
                raise Cut(f"{count} bytes short")
            piece = self._take(min(count, len(self.pending)))
            sink += piece
            count -= len(piece)

    def rest(self, sink):
        while self.fill():
            pass
        sink += self._take(len(self.pending))

    def _take(self, count):
        taken = bytes(self.pending[:count])
        del self.pending[:count]
        return taken


class Message:
    """A head, a body and its trailers. Field names keep their case; look-ups ignore it."""

    def __init__(self, start, fields):
        self.start, self.fields = start, fields
        self.body, self.trailers, self.chunks = bytearray(), [], 0
        self.complete = False

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def json(self):
        return json.loads(self.body)

    def closes(self):
        return "close" in (self.get("connection") or "").lower().replace(" ", "").split(",")


class Response(Message):
    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def version(self):
        return self.start.split(" ")[0]

    def __repr__(self):
        return f"<{self.start!r} {self.fields} {bytes(self.body[:200])!r}>"


class Request(Message):
    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]


def read_fields(stream):
    fields = []
    while line := stream.line():
        matched = FIELD.fullmatch(line)
        if not matched or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", matched[2]):
            raise Malformed(f"not a field: {line!r}")
        fields.append((matched[1].decode(), matched[2].decode("latin-1")))
    return fields


def read_head(stream, kind, grammar):
    start = stream.line(first=True)
    if not grammar.fullmatch(start):
        raise Malformed(f"not a {kind.__name__.lower()}: {start!r}")
    try:
        return kind(start.decode("latin-1"), read_fields(stream))
    except Closed as error:
        raise Cut(str(error)) from error


def read_chunked(stream, message):
    while True:
        size = int(re.fullmatch(rb"([0-9A-Fa-f]+)(;.*)?", stream.line())[1], 16)
        if not size:
            message.trailers = read_fields(stream)
            return
        message.chunks += 1
        stream.exactly(size, message.body)
        if stream.line():
            raise Malformed("chunk data without CRLF")


def read_body(stream, message, until_close):
    codings, lengths = message.all("transfer-encoding"), message.all("content-length")
    if codings and lengths:
        raise Malformed("Transfer-Encoding and Content-Length")
    if codings:
        if codings != ["chunked"]:
            raise Malformed(f"transfer codings {codings}")
        read_chunked(stream, message)
    elif lengths:
        if len(lengths) != 1 or not re.fullmatch("[0-9]+", lengths[0]):
            raise Malformed(f"Content-Length {lengths}")
        stream.exactly(int(lengths[0]), message.body)
    elif until_close:
        stream.rest(message.body)


def read_request(stream):
    request = read_head(stream, Request, REQUEST_LINE)
    read_body(stream, request, until_close=False)
    request.complete = True
    return request


def read_response_body(stream, response, method):
    if response.status < 200 or response.status in (204, 304) or method == "HEAD":
        response.complete = True
        return response
    try:
        read_body(stream, response, until_close=True)
    except (Cut, Closed) as error:
        raise Cut(str(error), response) from error
    except ConnectionResetError as error:
        raise Cut("reset", response) from error
    response.complete = True
    return response


def read_response(stream, method="GET", keep_interim=True):
    """A final response; the 1xx before it are its `interim`."""
    interim = []
    while True:
        response = read_head(stream, Response, STATUS_LINE)
        if response.status >= 200 or response.status == 101:
            response.interim = interim
            return read_response_body(stream, response, method)
        interim.append(response)


def reset(sock):
    """Closes with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def end(sock):
    """For a socket that another thread uses: that thread wakes and closes it, or it is closed when the thread is gone."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def connect(address, source=None, timeout=15, receive_buffer=None):
    """`address`: host:port, [v6]:port or unix:/path."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        target = address[5:]
    else:
        host, _, port = address.rpartition(":")
        sock = socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = (host.strip("[]"), int(port))
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            sock.bind((source, 0))
        sock.settimeout(timeout)
        sock.connect(target)
    except BaseException:
        sock.close()
        raise
    return sock


def request_bytes(method="GET", target="/", fields=(), body=b"", host="weir.test", version="1.1"):
    """A request with a Content-Length if there is a body. `fields`: a dict or a list of pairs."""
    pairs = list(fields.items() if isinstance(fields, dict) else fields)
    if host is not None:
        pairs.insert(0, ("Host", host))
    if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs):
        pairs.append(("Content-Length", str(len(body))))
    head = f"{method} {target} HTTP/{version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return head.encode("latin-1") + CRLF + bytes(body)


def chunk(data, extension=""):
    return f"{len(data):x}{extension}\r\n".encode() + bytes(data) + CRLF


def chunked(*pieces, trailers=()):
    end = "0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers) + "\r\n"
    return b"".join(chunk(piece) for piece in pieces) + end.encode()


class AdminAddress(str):
    """The admin API's: Host names this very address, for it answers no other names."""

    @property
    def host(self):
        return "localhost" if self.startswith("unix:") else str(self)


class RawClient:
    """One connection, in the test's hand."""

    def __init__(self, address, **how):
        self.host = getattr(address, "host", "weir.test")
        self.sock = connect(address, **how)
        self.stream = Stream(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data, fragment=None):
        """Whole, or in writes of `fragment` bytes each."""
        data = data.encode("latin-1") if isinstance(data, str) else bytes(data)
        for start in range(0, len(data), fragment or max(len(data), 1)):
            self.sock.sendall(data[start:start + fragment] if fragment else data)

    def response(self, method="GET"):
        return read_response(self.stream, method)

    def head(self):
        """A response's head alone, be it interim or final."""
        return read_head(self.stream, Response, STATUS_LINE)

    def rest_of(self, response, method="GET"):
        return read_response_body(self.stream, response, method)

    def request(self, method="GET", target="/", fields=(), body=b"", fragment=None, **more):
        self.send(request_bytes(method, target, fields, body, **{"host": self.host, **more}), fragment)
        return self.response(method)

    def get(self, target="/", fields=(), **more):
        return self.request("GET", target, fields, **more)

    def is_closed(self, within=10):
        """Whether the peer ends the connection in time, without another byte."""
        self.sock.settimeout(within)
        try:
            return not self.stream.pending and not self.stream.fill()
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.sock)

    def close(self):
        self.sock.close()


def fetch(address, method="GET", target="/", fields=(), body=b"", source=None, **more):
    """One request on a connection of its own."""
    with RawClient(address, source=source) as client:
        return client.request(method, target, fields, body, **more)
