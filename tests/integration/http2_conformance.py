"""HTTP/2's rules (RFC 9113, RFC 9218), section by section: what breaks one gets the code that the section names, and what
only looks odd is served. One table row is one rule; the client sends exactly these frames."""

import unittest

from backend import HttpBackend, pattern
from h2_wire import (ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM,
                     FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, NO_ERROR, PING,
                     PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED,
                     WINDOW_UPDATE, H2Client, block, frame, number, setting)
from harness import SharedWeirCase, settings
from wire import Closed, RawClient

PRIORITY_UPDATE, UNKNOWN = 0x10, 0xFA
PADDED, WITH_PRIORITY = 8, 0x20
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "weir.test"), (":path", "/")]
POST = [(":method", "POST"), *GET[1:]]
UNKNOWN_CODE = 0xABCDEF
PATIENCE = 10                                       # seconds; Weir answers each frame at once


def head(stream, fields=GET, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, block(fields), flags, stream)


def post(stream, *fields):
    """A request whose body is still to come."""
    return head(stream, [*POST, *fields], END_HEADERS)


def begun(stream):
    """A header block that isn't whole."""
    return frame(HEADERS, block(GET[:2]), END_STREAM, stream)


def rest(stream, flags=END_HEADERS):
    return frame(CONTINUATION, block(GET[2:]), flags, stream)


def cancel(stream):
    return frame(RST_STREAM, number(CANCEL), 0, stream)


def data(stream, body=b"x", flags=END_STREAM):
    return frame(DATA, body, flags, stream)


def padded(kind, pad, payload, flags, stream):
    return frame(kind, bytes([pad]) + payload, flags | PADDED, stream)


# What costs the connection: its section, what is sent, the code of the GOAWAY.
CONNECTION_ERRORS = (
    ("4.2: a DATA frame above MAX_FRAME_SIZE", post(1) + data(1, bytes(16385)), FRAME_SIZE_ERROR),
    ("4.2: a HEADERS frame above MAX_FRAME_SIZE", frame(HEADERS, bytes(16385), END_HEADERS | END_STREAM, 1), FRAME_SIZE_ERROR),
    ("4.3: a broken header block", frame(HEADERS, b"\x40", END_HEADERS | END_STREAM, 1), COMPRESSION_ERROR),
    ("4.3: PRIORITY inside a header block", begun(1) + frame(PRIORITY, bytes(5), 0, 1) + rest(1), PROTOCOL_ERROR),
    ("4.3: HEADERS of another stream inside a header block", begun(1) + head(3), PROTOCOL_ERROR),
    ("5.1: DATA on an idle stream", data(1), PROTOCOL_ERROR),
    ("5.1: RST_STREAM on an idle stream", cancel(1), PROTOCOL_ERROR),
    ("5.1: WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, number(100), 0, 1), PROTOCOL_ERROR),
    ("5.1: CONTINUATION on an idle stream", rest(1), PROTOCOL_ERROR),
    ("5.1: HEADERS behind the end of a request", head(1, [(":path", "/hold"), *GET[:3]]) + head(1), STREAM_CLOSED),
    ("5.1: HEADERS behind RST_STREAM", post(1) + cancel(1) + head(1), STREAM_CLOSED),
    ("5.1: trailers behind RST_STREAM", post(1) + cancel(1) + head(1, [("a", "b")]), STREAM_CLOSED),
    ("5.1: CONTINUATION behind the end of a request", head(1) + rest(1), PROTOCOL_ERROR),
    ("5.1.1: an even stream", head(2), PROTOCOL_ERROR),
    ("5.1.1: a stream below the last one", head(5) + head(3), PROTOCOL_ERROR),
    ("5.1.1: a stream below one that was cancelled", head(5) + cancel(5) + head(3), PROTOCOL_ERROR),
    ("5.5: an unknown frame inside a header block", begun(1) + frame(UNKNOWN, b"x", 0, 1) + rest(1), PROTOCOL_ERROR),
    ("6.1: DATA on stream 0", data(0), PROTOCOL_ERROR),
    ("6.1: more padding than DATA", post(1) + padded(DATA, 9, b"x", END_STREAM, 1), PROTOCOL_ERROR),
    ("6.1: DATA behind the end of a request", head(1, [(":path", "/hold"), *GET[:3]]) + data(1), STREAM_CLOSED),
    ("6.2: HEADERS on stream 0", head(0), PROTOCOL_ERROR),
    ("6.2: more padding than HEADERS", padded(HEADERS, 200, block(GET), END_HEADERS | END_STREAM, 1), PROTOCOL_ERROR),
    ("6.3: PRIORITY on stream 0", frame(PRIORITY, bytes(5)), PROTOCOL_ERROR),
    ("6.4: RST_STREAM on stream 0", cancel(0), PROTOCOL_ERROR),
    ("6.4: RST_STREAM of odd size", post(1) + frame(RST_STREAM, b"123", 0, 1), FRAME_SIZE_ERROR),
    ("6.5: an acknowledgement with settings", frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 1)), ACK), FRAME_SIZE_ERROR),
    ("6.5: SETTINGS on a stream", frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 1)), 0, 1), PROTOCOL_ERROR),
    ("6.5: SETTINGS of odd size", frame(SETTINGS, b"123"), FRAME_SIZE_ERROR),
    ("6.5.2: ENABLE_PUSH is 2", frame(SETTINGS, setting((ENABLE_PUSH, 2))), PROTOCOL_ERROR),
    ("6.5.2: INITIAL_WINDOW_SIZE above the largest", frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 1 << 31))), FLOW_CONTROL_ERROR),
    ("6.5.2: MAX_FRAME_SIZE below the least", frame(SETTINGS, setting((MAX_FRAME_SIZE, 16383))), PROTOCOL_ERROR),
    ("6.5.2: MAX_FRAME_SIZE above the largest", frame(SETTINGS, setting((MAX_FRAME_SIZE, 1 << 24))), PROTOCOL_ERROR),
    ("6.7: PING on a stream", frame(PING, bytes(8), 0, 1), PROTOCOL_ERROR),
    ("6.7: PING of odd size", frame(PING, b"1234"), FRAME_SIZE_ERROR),
    ("6.8: GOAWAY on a stream", frame(GOAWAY, number(0) + number(NO_ERROR), 0, 1), PROTOCOL_ERROR),
    ("6.9: a window of the connection that grows by nothing", frame(WINDOW_UPDATE, number(0)), PROTOCOL_ERROR),
    ("6.9: a window of a stream that grows by nothing", post(1) + frame(WINDOW_UPDATE, number(0), 0, 1), PROTOCOL_ERROR),
    ("6.9: WINDOW_UPDATE of odd size", frame(WINDOW_UPDATE, b"123"), FRAME_SIZE_ERROR),
    ("6.9.1: the connection's window overflows", frame(WINDOW_UPDATE, number(0x7FFFFFFF)) * 2, FLOW_CONTROL_ERROR),
    ("6.10: HEADERS inside a block of CONTINUATIONs", begun(1) + rest(1, 0) + head(1), PROTOCOL_ERROR),
    ("6.10: CONTINUATION on stream 0", begun(1) + rest(0), PROTOCOL_ERROR),
    ("6.10: CONTINUATION behind a whole HEADERS", head(1) + rest(1), PROTOCOL_ERROR),
    ("6.10: CONTINUATION behind a whole block", begun(1) + rest(1) + rest(1), PROTOCOL_ERROR),
    ("6.10: CONTINUATION behind DATA", post(1) + data(1) + rest(1), PROTOCOL_ERROR),
    ("8.4: PUSH_PROMISE of a client", post(1) + frame(PUSH_PROMISE, number(2) + block(GET), END_HEADERS, 1), PROTOCOL_ERROR),
    ("RFC 9218 7.1: PRIORITY_UPDATE on a stream", post(1) + frame(PRIORITY_UPDATE, number(1) + b"u=1", 0, 1), PROTOCOL_ERROR),
    ("RFC 9218 7.1: PRIORITY_UPDATE of stream 0", frame(PRIORITY_UPDATE, number(0) + b"u=1"), PROTOCOL_ERROR),
)

# What costs its stream alone.
STREAM_ERRORS = (
    ("6.9.1: a stream's window overflows", post(1) + frame(WINDOW_UPDATE, number(0x7FFFFFFF), 0, 1) * 2, FLOW_CONTROL_ERROR),
    ("8.1: trailers that don't end the stream", post(1) + head(1, [("a", "b")], END_HEADERS), PROTOCOL_ERROR),
    ("8.1: a pseudo-field among trailers", post(1) + head(1, [(":path", "/")]), PROTOCOL_ERROR),
    ("8.1.1: more bytes than Content-Length", post(1, ("content-length", "1")) + data(1, b"xx"), PROTOCOL_ERROR),
    ("8.1.1: fewer bytes than Content-Length", post(1, ("content-length", "9")) + data(1), PROTOCOL_ERROR),
    ("8.1.1: a byte more than Content-Length, in a frame of its own",
     post(1, ("content-length", "1")) + data(1, b"x", 0) + data(1), PROTOCOL_ERROR),
    ("8.1.1: a body, and Content-Length is 0", post(1, ("content-length", "0")) + data(1), PROTOCOL_ERROR),
)

# What is served.
INNOCENT = (
    ("4.1: an unknown frame", frame(UNKNOWN, b"12345678") + head(1)),
    ("4.1: flags that mean nothing", frame(PING, bytes(8), 0x16) + head(1)),
    ("4.1: the reserved bit", frame(PING, bytes(8), 0, 1 << 31) + head(1)),
    ("4.2: a DATA frame of MAX_FRAME_SIZE", post(1) + data(1, bytes(16384))),
    ("5.1: PRIORITY on an idle stream", frame(PRIORITY, number(0) + b"\xff", 0, 7) + head(1)),
    ("5.1: WINDOW_UPDATE and RST_STREAM behind RST_STREAM",
     post(1) + cancel(1) + frame(WINDOW_UPDATE, number(9), 0, 1) + cancel(1) + head(3)),
    ("5.1: PRIORITY behind RST_STREAM", post(1) + cancel(1) + frame(PRIORITY, number(0) + b"\xff", 0, 1) + head(3)),
    ("5.1.1: ids that are left out", head(5) + head(9)),
    ("6.1: padding", post(1) + padded(DATA, 6, b"x" + bytes(6), END_STREAM, 1)),
    ("6.2: padding and a priority", frame(HEADERS, b"\4" + number(0) + b"\xff" + block(GET) + bytes(4),
                                          END_HEADERS | END_STREAM | PADDED | WITH_PRIORITY, 1)),
    ("6.5.2: an unknown setting", frame(SETTINGS, setting((0xFF, 1))) + head(1)),
    ("6.7: an answer to no PING", frame(PING, b"whatever", ACK) + head(1)),
    ("6.10: a block in several frames", begun(1) + frame(CONTINUATION, b"", 0, 1) * 3 + rest(1)),
    ("7: a reset with an unknown code", post(1) + frame(RST_STREAM, number(UNKNOWN_CODE), 0, 1) + head(3)),
    ("8.1: trailers", post(1) + data(1, b"x", 0) + head(1, [("a", "b")])),
    ("8.1.1: Content-Length is 0, and the end comes by itself", post(1, ("content-length", "0")) + data(1, b"")),
    ("8.1.1: the end of a sized body comes by itself", post(1, ("content-length", "1")) + data(1, b"x", 0) + data(1, b"")),
    ("8.1.1: trailers behind a sized body", post(1, ("content-length", "1")) + data(1, b"x", 0) + head(1, [("a", "b")])),
)


class Conformance(SharedWeirCase):
    @classmethod
    def serve(cls):
        cls.api = HttpBackend()
        return {"a": cls.api}, {"upstreams": {"api": settings.upstream(cls.api)}, "routes": [settings.route("/", "api")]}

    def client(self, wire=b""):
        client = H2Client(self.shared.address, timeout=PATIENCE)
        self.addCleanup(client.close)
        if wire:
            client.send(wire)
        return client

    def assert_connection_error(self, client, code):
        try:
            client.until(lambda: client.goaway)
        except (Closed, ConnectionError):
            pass
        self.assertIsNotNone(client.goaway, "closed without a word")
        self.assertEqual(code, client.goaway[1])
        self.assertTrue(client.is_closed(PATIENCE), "the connection stayed open")

    def assert_alive(self, client):
        pongs = client.pongs
        client.send_frame(PING, b"12345678")
        client.until(lambda: client.pongs > pongs)
        self.assertIsNone(client.goaway)

    def test_what_breaks_the_connections_rules_ends_it_with_the_code_of_its_section(self):
        for name, wire, code in CONNECTION_ERRORS:
            with self.subTest(name):
                self.assert_connection_error(self.client(wire), code)

    def test_what_breaks_a_streams_rules_costs_that_stream_with_the_code_of_its_section(self):
        for name, wire, code in STREAM_ERRORS:
            with self.subTest(name):
                client = self.client(wire)
                client.until(lambda: client.message(1).reset is not None or client.goaway)
                self.assertEqual(code, client.message(1).reset)
                client.next_stream = 3
                self.assertEqual(200, client.get().status)
                self.assert_alive(client)

    def test_what_only_looks_odd_is_served(self):
        for name, wire in INNOCENT:
            with self.subTest(name):
                client = self.client(wire)
                last = max((stream for stream in (1, 3, 5, 9) if self.is_request(wire, stream)))
                self.assertEqual(200, client.response(last).status)
                self.assert_alive(client)

    @staticmethod
    def is_request(wire, stream):
        """Whether a frame of HEADERS opens that stream in these bytes."""
        at = 0
        while at < len(wire):
            if wire[at + 3] == HEADERS and int.from_bytes(wire[at + 5:at + 9], "big") == stream:
                return True
            at += 9 + int.from_bytes(wire[at:at + 3], "big")
        return False

    def test_heads_behind_the_end_of_their_stream_break_the_connection(self):
        """5.1: also when the response is through, and nothing of the stream is left in memory."""
        for name, wire in (("the same head", head(1)), ("trailers", head(1, [("a", "b")])),
                           ("a head without an end", post(1))):
            with self.subTest(name):
                client = self.client(head(1))
                self.assertEqual(200, client.response(1).status)
                client.send(wire)
                self.assert_connection_error(client, STREAM_CLOSED)

    def test_trailers_that_cross_a_reset_are_no_fault(self):
        """5.1: a stream that the server reset may have frames under way; once, and not for ever."""
        client = self.client(post(1, ("content-length", "1")) + data(1, b"xx", 0))
        client.until(lambda: client.message(1).reset is not None)
        client.send(data(1, b"x", 0) + head(1, [("a", "b")]))
        self.assert_alive(client)
        client.send(head(1, [("a", "b")]))
        self.assert_connection_error(client, STREAM_CLOSED)

    def test_trailers_that_cross_a_refusal_are_no_fault(self):
        client = self.client(b"".join(post(stream) for stream in range(1, 2 * 130, 2)))
        client.until(lambda: client.message(259).reset is not None)
        self.assertEqual(REFUSED_STREAM, client.message(259).reset)
        client.send(head(259, [("a", "b")]))
        self.assert_alive(client)

    def test_a_priority_of_odd_size_is_a_fault_of_its_frame(self):
        """6.3"""
        client = self.client(post(1) + frame(PRIORITY, b"1234", 0, 1))
        client.until(lambda: client.goaway or client.message(1).reset is not None)
        self.assertEqual(FRAME_SIZE_ERROR, client.goaway[1] if client.goaway else client.message(1).reset)

    def test_a_window_of_one_byte_lets_one_byte_through(self):
        """6.9.1 and 6.9.2"""
        client = H2Client(self.shared.address, window=1, grants=False, timeout=PATIENCE)
        self.addCleanup(client.close)
        stream = client.begin(target="/bytes/3", end=True)
        client.until(lambda: client.message(stream).body)
        self.assertEqual(1, len(client.message(stream).body))
        client.send_frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 0)))   # the window is negative now
        self.assert_alive(client)
        self.assertEqual(1, len(client.message(stream).body))
        client.send_frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 5), (INITIAL_WINDOW_SIZE, 3)))   # 6.5.3: the last one counts
        self.assertEqual(pattern(3), bytes(client.response(stream).body))

    def test_a_goaway_with_an_unknown_code_is_a_goaway(self):
        """7"""
        client = self.client(frame(GOAWAY, number(0) + number(UNKNOWN_CODE)))
        self.assertTrue(client.is_closed(PATIENCE))

    def test_a_wrong_preface_ends_the_connection(self):
        """3.4"""
        with RawClient(self.shared.address) as client:
            client.send(PREFACE[:-2] + b"!!")
            client.sock.settimeout(PATIENCE)
            while client.stream.fill():
                pass

    def test_no_origin_sees_a_request_that_is_longer_than_it_says(self):
        """8.1.1: neither whole nor as a part of one, if it says that it has no body."""
        for body, pieces in (("0", [b"x"]), ("0", [b"", b"x"]), ("5", [b"sixsix"]), ("5", [b"12345", b"6"]),
                             ("5", [b"123", b"45", b"6"])):
            with self.subTest(f"{body}: {pieces}"):
                self.api.requests.clear()
                client = self.client(post(1, ("content-length", body)))
                for piece in pieces:
                    self.assert_alive(client)        # what came before it was handled
                    client.send(data(1, piece, 0))
                client.until(lambda: client.message(1).reset is not None)
                self.assertEqual(PROTOCOL_ERROR, client.message(1).reset)
                client.next_stream = 3
                self.assertEqual(200, client.get("/status/200").status)
                self.assertEqual(["/status/200"], [request.target for request in self.api.requests])


if __name__ == "__main__":
    unittest.main()
