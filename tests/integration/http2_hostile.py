"""HTTP/2 that attacks or breaks the rules gets the RFC's own word; the backend sees nothing of it, and the next client is
served."""

import threading
import time
import unittest

from backend import ok
from h2_wire import (CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
                     FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, PROTOCOL_ERROR,
                     PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, H2Client, block, fetch2, frame,
                     integer, number, setting, string)
from harness import LITTLE_QUARANTINE, WeirCase, eventually, settings
from wire import Closed, RawClient

GROWTH = 8 * 1024                                   # KiB
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "weir.test"), (":path", "/")]


def head(stream, fields=GET, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, block(fields), flags, stream)


class Hostile(WeirCase):
    environment = LITTLE_QUARANTINE

    def setUp(self):
        self.api = self.backend()
        self.api_weir = self.in_front_of(self.api, **settings.client_timeouts(head="1s", idle="1s"))

    def attack(self, *pieces, repeat=1):
        """Sends until the other side has had enough; the client, with what it was told."""
        client = H2Client(self.api_weir.address, timeout=20)
        self.addCleanup(client.close)
        try:
            for turn in range(repeat):
                for piece in pieces:
                    client.send(piece(turn) if callable(piece) else piece)
        except OSError:
            pass
        return client

    def assert_let_go(self, client, *codes):
        """GOAWAY with one of these codes, unless a reset overtook it; then the end."""
        self.assertTrue(client.is_closed(), "the connection stayed open")
        if client.goaway:
            self.assertIn(client.goaway[1], codes)
        return client

    def assert_fine(self, seen=0):
        """The backend saw no more than that, and the next client is served."""
        self.assertEqual(seen, len(self.api.requests), "the backend saw it")
        self.assertEqual(200, fetch2(self.api_weir.address).status)
        eventually(lambda: self.api_weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")

    def assert_no_growth(self, flood):
        flood()
        before = self.api_weir.memory()
        for _ in range(10):
            flood()
        self.assertLess(self.api_weir.memory() - before, GROWTH)

    # -- floods

    def flooded(self, *pieces, repeat):
        self.assert_no_growth(lambda: self.assert_let_go(self.attack(*pieces, repeat=repeat), ENHANCE_YOUR_CALM))
        self.assertEqual(200, fetch2(self.api_weir.address).status)

    def test_rapid_reset(self):
        self.flooded(lambda turn: head(2 * turn + 1) + frame(RST_STREAM, number(CANCEL), 0, 2 * turn + 1), repeat=5000)
        self.assertLess(len(self.api.requests), 11 * 400)

    def test_many_pings(self):
        self.flooded(frame(PING, b"12345678") * 100, repeat=500)

    def test_many_settings(self):
        self.flooded(frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 70_000))) * 100, repeat=500)

    def test_much_empty_data(self):
        begin = head(1, [(":method", "POST"), *GET[1:]], END_HEADERS)
        self.flooded(lambda turn: (begin if turn == 0 else b"") + frame(DATA, b"", 0, 1) * 100, repeat=500)

    def test_many_small_windows(self):
        self.flooded(frame(WINDOW_UPDATE, number(1)) * 100, repeat=500)

    def test_many_continuations(self):
        begin = frame(HEADERS, block(GET), END_STREAM, 1)
        more = frame(CONTINUATION, block([("x-a", "b")]), 0, 1)
        self.flooded(lambda turn: (begin if turn == 0 else b"") + more * 20, repeat=500)

    def test_empty_continuations(self):
        begin = frame(HEADERS, block(GET), END_STREAM, 1)
        self.flooded(lambda turn: (begin if turn == 0 else b"") + frame(CONTINUATION, b"", 0, 1) * 20, repeat=500)

    def test_a_bomb_of_hpack(self):
        stored = b"\x40" + string("x-bomb") + string("y" * 3900)    # the dynamic table's first
        self.flooded(frame(HEADERS, block(GET) + stored + integer(62, 7, 0x80) * 10_000, END_HEADERS | END_STREAM, 1),
                     repeat=1)
        self.assertEqual(1, len(self.api.requests))

    # -- rules: what costs the connection

    def test_what_costs_the_connection(self):
        post = head(1, [(":method", "POST"), *GET[1:]], END_HEADERS)
        for name, wire, codes in (
                ("a window that overflows", frame(WINDOW_UPDATE, number(0x7FFFFFFF)) * 2, [FLOW_CONTROL_ERROR]),
                ("a window update of nothing", frame(WINDOW_UPDATE, number(0)), [PROTOCOL_ERROR]),
                ("an initial window too large", frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 1 << 31))), [FLOW_CONTROL_ERROR]),
                ("SETTINGS of odd size", frame(SETTINGS, b"12345"), [FRAME_SIZE_ERROR]),
                ("PING of odd size", frame(PING, b"1234"), [FRAME_SIZE_ERROR]),
                ("a frame too large", frame(DATA, b"x" * 20_000, 0, 1), [FRAME_SIZE_ERROR]),
                ("DATA on stream 0", frame(DATA, b"x"), [PROTOCOL_ERROR]),
                ("DATA on an idle stream", frame(DATA, b"x", 0, 1), [PROTOCOL_ERROR]),
                ("HEADERS on an even stream", head(2), [PROTOCOL_ERROR]),
                ("a head inside a head", frame(HEADERS, block(GET), END_STREAM, 1) + head(3), [PROTOCOL_ERROR]),
                ("CONTINUATION of nothing", frame(CONTINUATION, b"", END_HEADERS, 1), [PROTOCOL_ERROR]),
                ("a push of the client's", post + frame(PUSH_PROMISE, number(2) + block(GET), END_HEADERS, 1), [PROTOCOL_ERROR]),
                ("RST_STREAM of an idle stream", frame(RST_STREAM, number(CANCEL), 0, 1), [PROTOCOL_ERROR]),
                ("broken HPACK", frame(HEADERS, b"\xff" * 30, END_HEADERS | END_STREAM, 1), [COMPRESSION_ERROR]),
                ("garbage behind the preface", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 10, [PROTOCOL_ERROR, FRAME_SIZE_ERROR])):
            with self.subTest(name):
                client = self.assert_let_go(self.attack(wire), *codes)
                self.assertIsNotNone(client.goaway, "the client wasn't told why")
                self.assertEqual(200, fetch2(self.api_weir.address).status)

    def test_settings_that_are_none(self):
        with RawClient(self.api_weir.address) as client:
            client.send(PREFACE + b"\0" * 100)
            while client.stream.fill():
                pass
        self.assert_fine()

    def test_half_a_preface_and_silence(self):
        for size in (1, 10, len(PREFACE) - 1, len(PREFACE)):
            with self.subTest(size), RawClient(self.api_weir.address) as client:
                client.send(PREFACE[:size])
                client.sock.settimeout(10)
                while client.stream.fill():
                    pass
        self.assert_fine()

    # -- rules: what costs the stream

    def test_a_malformed_request_costs_its_stream_alone(self):
        post = [(":method", "POST"), *GET[1:]]
        for name, fields in (
                ("Connection", GET + [("connection", "close")]),
                ("Transfer-Encoding", GET + [("transfer-encoding", "chunked")]),
                ("Upgrade", GET + [("upgrade", "h2c")]),
                ("Keep-Alive", GET + [("keep-alive", "1")]),
                ("Proxy-Connection", GET + [("proxy-connection", "close")]),
                ("TE other than trailers", GET + [("te", "gzip")]),
                ("upper case", GET + [("X-Upper", "a")]),
                ("a colon in a name", GET + [("x:a", "a")]),
                ("a space in a name", GET + [("x a", "a")]),
                ("no name", GET + [("", "a")]),
                ("CR in a value", GET + [("x-a", "a\rb")]),
                ("LF in a value", GET + [("x-a", "a\nx-b: c")]),
                ("NUL in a value", GET + [("x-a", "a\0b")]),
                ("a space before a value", GET + [("x-a", " b")]),
                ("no :path", GET[:3]),
                ("an empty :path", GET[:3] + [(":path", "")]),
                ("a :path without a slash", GET[:3] + [(":path", "x")]),
                ("a space in :path", GET[:3] + [(":path", "/a b HTTP/1.1\r\nX: y")]),
                ("no :method", GET[1:]),
                ("a :method that is none", [(":method", "GE T"), *GET[1:]]),
                ("no :scheme", GET[:1] + GET[2:]),
                ("no authority", GET[:2] + GET[3:]),
                ("two :path", GET + [(":path", "/b")]),
                ("an unknown pseudo-field", GET + [(":nonsense", "1")]),
                (":status in a request", GET + [(":status", "200")]),
                ("a pseudo-field behind a field", GET[:3] + [("x-a", "b"), (":path", "/")]),
                ("Host that isn't :authority", GET + [("host", "other.test")]),
                ("userinfo in :authority", GET[:2] + [(":authority", "user@weir.test"), (":path", "/")]),
                ("a Content-Length that is none", post + [("content-length", "+5")]),
                ("a Content-Length and no body", post + [("content-length", "5")]),
                ("two lengths", post + [("content-length", "0"), ("content-length", "1")])):
            with self.subTest(name):
                client = self.attack(head(1, fields))
                client.next_stream = 3
                refused = client.response(1)
                if refused.has_head:
                    self.assertEqual(400, refused.status, refused)
                else:
                    self.assertEqual(PROTOCOL_ERROR, refused.reset)
                self.assertEqual(0, len(self.api.requests), "the backend saw it")
                client.get("/status/200")
                self.assertTrue(client.message(3).complete, "the next stream")
                self.api.requests.clear()

    def test_a_body_longer_or_shorter_than_its_length(self):
        post = [(":method", "POST"), *GET[1:], ("content-length", "5")]
        for body in (b"four", b"sixsix"):
            with self.subTest(body):
                client = self.attack(head(1, post, END_HEADERS) + frame(DATA, body, END_STREAM, 1))
                refused = client.response(1)
                self.assertTrue(refused.reset == PROTOCOL_ERROR or refused.status == 400, refused)
                self.assertEqual(0, len(self.api.requests), "the backend saw a whole request")

    def test_data_behind_the_end_of_its_stream(self):
        client = self.attack(head(1) + frame(DATA, b"x", END_STREAM, 1))
        client.sock.settimeout(10)
        try:
            client.until(lambda: client.goaway or client.message(1).reset is not None)
        except Closed:
            pass
        self.assertTrue(client.goaway is None or client.goaway[1] in (STREAM_CLOSED, PROTOCOL_ERROR))
        self.assertEqual(200, fetch2(self.api_weir.address).status)

    def test_more_streams_than_allowed_are_refused_alone(self):
        client = H2Client(self.api_weir.address)
        self.addCleanup(client.close)
        streams = [client.ask(target="/hold") for _ in range(200)]
        client.until(lambda: sum(client.message(stream).reset is not None for stream in streams) == 72)
        self.api.release.set()
        statuses = [client.response(stream).status for stream in streams]
        self.assertEqual([200] * 128 + [0] * 72, statuses)


class Proxies(WeirCase):
    def test_resets_by_one_client_of_a_trusted_proxy_end_no_request_of_another(self):
        may_answer = threading.Event()
        self.addCleanup(may_answer.set)

        def script(connection):
            while True:
                request = connection.request()
                if request.target == "/hang":
                    connection.wait_closed(60)
                    return
                may_answer.wait(60)
                connection.send(ok("x"))
        weir = self.in_front_of(self.scripted(script), **settings.forwarded(trusted_proxies=["127.0.0.0/8"]))
        with H2Client(weir.address, timeout=60) as client:
            others = [client.begin("GET", "/", [("x-forwarded-for", f"9.9.9.{number}")], end=True) for number in range(10)]
            for _ in range(1000):
                client.send_reset(client.begin("GET", "/hang", [("x-forwarded-for", "6.6.6.6")], end=True))
                client.sock.settimeout(0.005)
                try:
                    while True:
                        client.pump()
                except (TimeoutError, BlockingIOError):
                    client.sock.settimeout(60)
                if client.goaway:
                    break
            self.assertTrue(client.goaway, "the flood went on")
            may_answer.set()
            self.assertEqual({200}, {client.response(stream).status for stream in others})
            self.assertEqual(0, client.goaway[1])
        self.assertEqual(1, weir.metric("weir_connections_worn_total"))

    def test_nor_when_it_goes_on_before_the_proxy_has_heard_of_the_end(self):
        def script(connection):
            while True:
                request = connection.request()
                if request.target == "/hang":
                    connection.wait_closed(60)
                    return
                time.sleep(3)
                connection.send(ok("x"))
        weir = self.in_front_of(self.scripted(script), **settings.forwarded(trusted_proxies=["127.0.0.0/8"]))
        with H2Client(weir.address, timeout=60) as client:
            others = [client.begin("GET", "/", [("x-forwarded-for", f"9.9.9.{number}")], end=True) for number in range(10)]
            for _ in range(350):                     # without reading a byte
                client.send_reset(client.begin("GET", "/hang", [("x-forwarded-for", "6.6.6.6")], end=True))
            self.assertEqual({200}, {client.response(stream).status for stream in others})
            self.assertEqual(0, client.goaway[1])
        self.assertEqual(1, weir.metric("weir_connections_worn_total"))


if __name__ == "__main__":
    unittest.main()
