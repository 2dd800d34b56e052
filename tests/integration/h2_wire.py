"""HTTP/2 as frames: a client and a backend in the test's hand, which send exactly what they are told.

Fields are sent as literals without indexing. What comes is inflated by libnghttp2, which every machine that runs Weir has.
"""

import ctypes
import ctypes.util
import struct
from typing import NamedTuple

from wire import Closed, Message, connect, reset

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY,
 HTTP_1_1_REQUIRED) = range(14)
WHOLE_BODY = 1 << 30                                # a window that no test fills


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack("!IBI", len(payload) << 8 | kind, flags, stream) + bytes(payload)


def setting(*pairs):
    return b"".join(struct.pack("!HI", number, value) for number, value in pairs)


def number(value):
    return struct.pack("!I", value)


# --- HPACK (RFC 7541) ----------------------------------------------------------------------------------------------

def integer(value, bits, above=0):
    most = (1 << bits) - 1
    if value < most:
        return bytes([above | value])
    told, value = bytearray([above | most]), value - most
    while value >= 128:
        told.append(value % 128 + 128)
        value //= 128
    return bytes(told) + bytes([value])


def string(text):
    text = text.encode("latin-1") if isinstance(text, str) else text
    return integer(len(text), 7) + text


def block(fields):
    return b"".join(b"\0" + string(name) + string(value) for name, value in fields)


class _Field(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("value", ctypes.c_void_p), ("name_size", ctypes.c_size_t),
                ("value_size", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class Inflater:
    EMIT, FINAL = 2, 1

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("nghttp2"))
        self.library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.state = ctypes.c_void_p()
        self.library.nghttp2_hd_inflate_new(ctypes.byref(self.state))

    def __del__(self):
        self.library.nghttp2_hd_inflate_del(self.state)

    def fields(self, data):
        found, field, flags = [], _Field(), ctypes.c_int(0)
        data = bytes(data)
        while not flags.value & self.FINAL:
            used = self.library.nghttp2_hd_inflate_hd2(self.state, ctypes.byref(field), ctypes.byref(flags), data,
                                                       ctypes.c_size_t(len(data)), 1)
            assert used >= 0, f"HPACK: {used}"
            data = data[used:]
            if flags.value & self.EMIT:
                text = lambda at, size: ctypes.string_at(at, size).decode("latin-1")
                found.append((text(field.name, field.name_size), text(field.value, field.value_size)))
        self.library.nghttp2_hd_inflate_end_headers(self.state)
        return found


# --- either side ---------------------------------------------------------------------------------------------------

class Streamed(Message):
    """A message of a stream. `reset`: the code of the RST_STREAM that ended it, or None."""

    def __init__(self):
        super().__init__("", [])
        self.interim, self.reset, self.has_head = [], None, False

    @property
    def status(self):
        return int(self.get(":status", "0"))

    @property
    def is_over(self):
        return self.complete or self.reset is not None

    def __repr__(self):
        return f"<{self.fields} {bytes(self.body[:200])!r} reset={self.reset} complete={self.complete}>"


class Peer:
    """One end of a connection. `window`: of each stream, in bytes; `grants`: whether what was read opens it again."""

    def __init__(self, sock, window=WHOLE_BODY, grants=True, settings=(), opening=b""):
        self.sock, self.grants = sock, grants
        self.pending, self.inflater = bytearray(), Inflater()
        self.streams, self.goaway, self.settings, self.pongs = {}, None, {}, 0
        self.room, self.rooms, self.stream_room = 65535, {}, 65535    # for what is sent
        self._open = None                            # (stream, flags, block) of a header block under way
        self.send(opening + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, window), *settings)) +
                  frame(WINDOW_UPDATE, number(WHOLE_BODY)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def abort(self):
        """Closes with a TCP reset."""
        reset(self.sock)

    def send(self, data):
        self.sock.sendall(data)

    def send_frame(self, *what, **more):
        self.send(frame(*what, **more))

    def send_reset(self, stream, code=CANCEL):
        self.send_frame(RST_STREAM, number(code), stream=stream)

    def grant(self, stream, size):
        self.send(frame(WINDOW_UPDATE, number(size), stream=stream) + frame(WINDOW_UPDATE, number(size)))

    def send_headers(self, stream, fields, end=False):
        self.send_frame(HEADERS, block(fields), END_HEADERS | (END_STREAM if end else 0), stream)

    def send_data(self, stream, data, end=True):
        """As the windows allow; reads meanwhile. Stops when the stream is reset."""
        data = memoryview(bytes(data))
        while True:
            room = min(self.room, self.rooms.get(stream, self.stream_room), 16384)
            piece = data[:max(room, 0)]
            if len(piece) or not len(data):
                data = data[len(piece):]
                self.room -= len(piece)
                self.rooms[stream] = self.rooms.get(stream, self.stream_room) - len(piece)
                self.send_frame(DATA, piece, END_STREAM if end and not len(data) else 0, stream)
            if not len(data):
                return True
            if self.message(stream).reset is not None:
                return False
            if min(self.room, self.rooms[stream]) <= 0:
                self.pump()

    # -- what comes

    def message(self, stream):
        return self.streams.setdefault(stream, Streamed())

    def _exactly(self, count):
        while len(self.pending) < count:
            piece = self.sock.recv(1 << 18)
            if not piece:
                raise Closed(f"{len(self.pending)} bytes short of a frame")
            self.pending += piece
        taken = bytes(self.pending[:count])
        del self.pending[:count]
        return taken

    def pump(self):
        """Takes one frame, and does what a well-behaved peer does then."""
        head = self._exactly(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        self._take(Frame(kind, flags, stream, self._exactly(size)))

    def _take(self, came):
        kind, flags, stream, payload = came
        if kind == SETTINGS and not flags & ACK:
            self._take_settings(dict(struct.iter_unpack("!HI", payload)))
        elif kind == PING:
            self.pongs += flags & ACK
            if not flags & ACK:
                self.send_frame(PING, payload, ACK)
        elif kind == WINDOW_UPDATE:
            self._take_window(stream, int.from_bytes(payload, "big"))
        elif kind == GOAWAY:
            self.goaway = struct.unpack("!II", payload[:8])
        elif kind == RST_STREAM:
            self.message(stream).reset = int.from_bytes(payload, "big")
        elif kind == HEADERS:
            self._open = (stream, flags, payload)
        elif kind == CONTINUATION:
            self._open = (stream, self._open[1] | flags, self._open[2] + payload)
        elif kind == DATA:
            self._take_data(stream, payload, flags)
        if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
            self._take_fields(*self._open)

    def _take_settings(self, settings):
        self.settings |= settings
        if INITIAL_WINDOW_SIZE in settings:
            change = settings[INITIAL_WINDOW_SIZE] - self.stream_room
            self.stream_room += change
            self.rooms = {stream: room + change for stream, room in self.rooms.items()}
        self.send_frame(SETTINGS, b"", ACK)

    def _take_window(self, stream, size):
        if stream:
            self.rooms[stream] = self.rooms.get(stream, self.stream_room) + size
        else:
            self.room += size

    def _take_fields(self, stream, flags, data):
        message, fields = self.message(stream), self.inflater.fields(data)
        if message.has_head:
            message.trailers = fields
        elif dict(fields).get(":status", "").startswith("1"):
            message.interim.append(Streamed())
            message.interim[-1].fields = fields
        else:
            message.fields, message.has_head = fields, True
        message.complete = bool(flags & END_STREAM)

    def _take_data(self, stream, payload, flags):
        message = self.message(stream)
        message.body += payload
        message.chunks += 1
        message.complete = bool(flags & END_STREAM)
        if self.grants and payload:
            self.grant(stream, len(payload))

    def until(self, condition):
        while not condition():
            self.pump()

    def is_closed(self, within=10):
        """Whether the other side ends the connection in time, whatever it says before that."""
        self.sock.settimeout(within)
        try:
            while True:
                self.pump()
        except (Closed, ConnectionError):
            return True
        except TimeoutError:
            return False


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


class H2Client(Peer):
    """Speaks by prior knowledge, or over `context` (Python's ssl) by ALPN."""

    def __init__(self, address, context=None, name="a.test", window=WHOLE_BODY, grants=True, settings=(), **how):
        sock = connect(address, **how)
        if context:
            sock = context.wrap_socket(sock, server_hostname=name)
        self.next_stream = 1
        super().__init__(sock, window, grants, settings, PREFACE)

    def begin(self, method="GET", target="/", fields=(), host="weir.test", end=False, scheme="http"):
        """Sends a head; its stream."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        pseudo = [(":method", method), (":scheme", scheme), (":authority", host), (":path", target)]
        self.message(stream)
        self.send_headers(stream, pseudo + [(name.lower(), value) for name, value in pairs], end)
        return stream

    def ask(self, method="GET", target="/", fields=(), body=b"", trailers=(), sized=True, **more):
        """Sends a request, whole; its stream."""
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        if body and sized:
            pairs.append(("content-length", str(len(body))))
        stream = self.begin(method, target, pairs, end=not body and not trailers and sized, **more)
        if (body or not sized) and self.send_data(stream, body, end=not trailers) and trailers:
            self.send_headers(stream, trailers, end=True)
        elif trailers and not body and sized:
            self.send_headers(stream, trailers, end=True)
        return stream

    def response(self, stream):
        """Once it is over; see `complete` and `reset`."""
        message = self.message(stream)
        self.until(lambda: message.is_over)
        return message

    def head(self, stream):
        message = self.message(stream)
        self.until(lambda: message.has_head or message.is_over)
        return message

    def request(self, *what, **more):
        return self.response(self.ask(*what, **more))

    def get(self, target="/", fields=(), **more):
        return self.request("GET", target, fields, **more)


class H2Server(Peer):
    """The backend's end; made from a connection of a ScriptedBackend, once the preface has come."""

    def __init__(self, connection, **how):
        super().__init__(connection.sock, **how)
        assert self._exactly(len(PREFACE)) == PREFACE
        self.seen = 0

    def request(self):
        """The next request's stream and head; its body may be on its way."""
        def next_one():
            return min((stream for stream, message in self.streams.items() if stream > self.seen and message.has_head),
                       default=None)
        self.until(next_one)
        self.seen = next_one()
        return self.seen, self.streams[self.seen]

    def answer(self, stream, body=b"ok", status=200, fields=()):
        self.send_headers(stream, [(":status", str(status)), *fields], end=not body)
        if body:
            self.send_data(stream, body)


def fetch2(address, *what, **more):
    """One request on a connection of its own."""
    with H2Client(address) as client:
        return client.request(*what, **more)
