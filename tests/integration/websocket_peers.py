"""WebSockets by hand (RFC 6455): frames, a client that sends what it is told, a backend that echoes."""

import base64
import hashlib
import os
import struct

from backend import ScriptedBackend, reply_bytes
from wire import RawClient

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GOING_AWAY = struct.pack(">H", 1001)
KEY = base64.b64encode(bytes(16)).decode()


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def frame(payload=b"", opcode=BINARY, final=True, masked=False):
    payload = payload.encode() if isinstance(payload, str) else bytes(payload)
    size, bit = len(payload), 0x80 if masked else 0
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        head += bytes([bit | size])
    else:
        head += bytes([bit | 126]) + struct.pack(">H", size) if size < 1 << 16 else bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + unmask(payload, mask)


def unmask(payload, mask):
    long = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")
    return long.to_bytes(len(payload), "big")


class Frame:
    def __init__(self, opcode, payload, final, masked):
        self.opcode, self.payload, self.final, self.masked = opcode, payload, final, masked

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return f"<{self.opcode} {self.payload[:40]!r} ({len(self.payload)}) final={self.final} masked={self.masked}>"


def read_exactly(stream, count):
    taken = bytearray()
    stream.exactly(count, taken)
    return bytes(taken)


def read_frame(stream):
    first, second = read_exactly(stream, 2)
    size = second & 127
    if size > 125:
        size = int.from_bytes(read_exactly(stream, 2 if size == 126 else 8), "big")
    mask = read_exactly(stream, 4) if second & 128 else None
    payload = read_exactly(stream, size)
    return Frame(first & 15, unmask(payload, mask) if mask else payload, bool(first & 128), mask is not None)


def upgrade_fields(*more, key=KEY):
    """As pairs, as a browser sends them."""
    return [("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key), *more]


class WebSocketClient(RawClient):
    def open(self, target="/chat", *fields):
        """Asks; gives the answer's head."""
        return self.request("GET", target, upgrade_fields(*fields))

    def say(self, payload=b"", opcode=BINARY, final=True):
        self.send(frame(payload, opcode, final, masked=True))

    def hear(self):
        return read_frame(self.stream)

    def echo(self, payload, opcode=BINARY):
        self.say(payload, opcode)
        return self.hear().payload


class Http2Client(RawClient):
    """One extended CONNECT (RFC 8441), in frames by hand."""

    DATA, HEADERS, SETTINGS, RST_STREAM = 0, 1, 4, 3
    END_STREAM, END_HEADERS = 1, 4

    def put(self, kind, payload=b"", flags=0, stream=1):
        self.send(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    def connect(self, authority, path="/chat", protocol="websocket", *fields):
        pairs = [(":method", "CONNECT"), (":scheme", "http"), (":authority", authority), (":path", path),
                 (":protocol", protocol), ("sec-websocket-version", "13"), *fields]
        self.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.put(self.SETTINGS, stream=0)
        literal = lambda text: bytes([len(text)]) + text.encode()
        self.put(self.HEADERS, b"".join(b"\0" + literal(name) + literal(value) for name, value in pairs), self.END_HEADERS)

    def get(self, *kinds):
        """The next frame of one of these: (kind, flags, payload)."""
        while True:
            head = read_exactly(self.stream, 9)
            payload = read_exactly(self.stream, int.from_bytes(head[:3], "big"))
            if head[3] in kinds:
                return head[3], head[4], payload


def accept(connection, request, *fields):
    connection.send(reply_bytes(101, [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                                      ("Sec-WebSocket-Accept", accept_of(request.get("sec-websocket-key"))), *fields]))


class EchoBackend(ScriptedBackend):
    """Echoes frames as they are, answers pings and Close; resets when a frame says "reset". `/status/N` refuses with N,
    `/silent` only reads."""

    def __init__(self, **how):
        self.requests = []                           # all that were granted, or refused
        self.frames = []                             # all that came, of all connections
        super().__init__(self._serve, **how)

    def _serve(self, connection):
        while True:
            request = connection.request()
            self.requests.append(request)
            if not request.target.startswith("/status/"):
                break
            connection.send(reply_bytes(int(request.target.rsplit("/", 1)[1]), [("X-Why", "no")], b"refused"))
        protocol = (request.get("sec-websocket-protocol") or "").split(",")[0].strip()
        extension = (request.get("sec-websocket-extensions") or "").split(",")[0].strip()
        accept(connection, request, *[("Sec-WebSocket-Protocol", protocol)] * bool(protocol),
               *[("Sec-WebSocket-Extensions", extension)] * bool(extension), ("X-From", "backend"))
        while True:
            come = read_frame(connection.stream)
            self.frames.append(come)
            if come.payload == b"reset":
                return connection.reset()
            if request.target != "/silent":
                connection.send(frame(come.payload, PONG if come.opcode == PING else come.opcode, come.final))
            if come.opcode == CLOSE:
                return
