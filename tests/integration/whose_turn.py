"""What ended because of a client counts against no endpoint, upstream or route; what ended because of the endpoint does."""

import base64
import hashlib
import struct
import threading
import time
import unittest
from collections import Counter

import settings
from backend import ok, reply_bytes
from h2_wire import PING, H2Client, H2Server
from harness import WeirCase, eventually
from settings import route
from wire import RawClient, request_bytes

CALL = {"content-type": "application/grpc", "te": "trailers"}
MESSAGE = b"\0\0\0\0\0"
WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
BREAKER = {"min_requests": 5, "open": "1m"}


class Watched(WeirCase):
    """An endpoint whose failures open the circuits of endpoint, upstream and route, and eject it."""

    def watched(self, script, filters=(), upstream=(), **more):
        self.api = self.scripted(script)
        block = settings.upstream(self.api) | {"circuit_breaker": BREAKER | {"scope": ["upstream", "endpoint"]},
                                               "outlier_detection": {}} | dict(upstream)
        return self.weir({"upstreams": {"api": block},
                          "routes": [route("/", "api", "all", filters=[{"circuit_breaker": BREAKER}, *filters]) | more]})

    def watched_calls(self, script, upstream=(), **more):
        def serve(connection):
            server = H2Server(connection)
            while True:
                stream, request = server.request()
                script(server, stream, dict(request.fields))
        return self.watched(serve, upstream={"protocol": "http2"} | dict(upstream), **more)

    def changes(self, weir):
        return weir.metric("weir_circuit_breaker_transitions_total"), weir.metric("weir_outlier_ejections_total")

    def assert_neutral(self, weir):
        self.assertEqual((0, 0), self.changes(weir), weir.stderr())
        self.assertEqual(200, self.fetch(weir, "GET", "/victim").status)

    def assert_counted(self, weir):
        eventually(lambda: self.changes(weir)[0] >= 1, "a circuit that opened")

    def uploads(self, weir, count=8, method="POST", first=b"12345", size=10):
        clients = [self.client(weir, timeout=60) for _ in range(count)]
        for client in clients:
            client.send(request_bytes(method, "/upload", fields={"Content-Length": str(size)}) + first)
        return clients


def answers_gets(server, stream, fields):
    if fields[":method"] == "GET":
        server.answer(stream)


def takes(pause):
    """Answers a whole upload after `pause` seconds, everything else at once."""
    def script(connection):
        while True:
            request = connection.request()
            time.sleep(pause if request.method in ("POST", "PUT") else 0)
            connection.send(ok("x"))
    return script


class Deadlines(Watched):
    def test_a_call_whose_client_sends_nothing_until_the_route_s_time_is_over_is_neutral(self):
        weir = self.watched_calls(answers_gets, timeout="1s")
        with H2Client(weir.address) as client:
            streams = [client.begin("POST", "/x.Y/Upload", CALL) for _ in range(8)]
            self.assertEqual({"4"}, {client.response(stream).get("grpc-status") for stream in streams})
        self.assert_neutral(weir)

    def test_a_call_s_own_deadline_is_neutral_for_the_route_with_and_without_a_cache(self):
        for filters in ([], [{"cache": {"ttl": "1m"}}]):
            with self.subTest(filters):
                weir = self.watched_calls(answers_gets, filters=filters, timeout="20s")
                with H2Client(weir.address) as client:
                    for _ in range(12):
                        told = client.request("POST", "/x.Y/Hang", CALL | {"grpc-timeout": "5m"}, body=MESSAGE)
                        self.assertEqual("4", told.get("grpc-status"))
                self.assert_neutral(weir)

    def test_an_upload_whose_last_byte_comes_at_the_end_of_the_route_s_time_is_neutral(self):
        weir = self.watched(takes(1), timeout="2s")
        clients = self.uploads(weir)
        time.sleep(1.7)
        for client in clients:
            client.send(b"67890")
        self.assertEqual({504}, {client.response().status for client in clients})
        self.assert_neutral(weir)

    def test_an_upload_whose_last_byte_comes_at_the_end_of_a_try_s_time_is_neutral(self):
        weir = self.watched(takes(1), filters=[{"retry": {"attempts": 2, "on": ["timeout"], "per_try_timeout": "1500ms",
                                                          "budget": {"min": 100}}}])
        clients = self.uploads(weir, method="PUT")
        time.sleep(1.2)
        for client in clients:
            client.send(b"67890")
        for client in clients:
            client.response()
        self.assert_neutral(weir)

    def test_a_deadline_that_weir_does_not_heed_is_not_passed_on(self):
        def script(server, stream, fields):
            if "grpc-timeout" in fields:
                server.send_reset(stream)
            else:
                server.answer(stream)
        weir = self.watched_calls(script)
        for method, kind in (("POST", "application/grpc"), ("GET", "application/grpc"), ("GET", "text/plain")):
            fields = {"Content-Type": kind, "grpc-timeout": "1n", "Content-Length": "0"}
            self.assertEqual({200}, {self.fetch(weir, method, "/x.Y/Z", fields=fields).status for _ in range(8)})
        self.assert_neutral(weir)

    def test_an_endpoint_that_ends_a_call_when_its_deadline_is_over_is_neutral(self):
        def script(server, stream, fields):
            if "grpc-timeout" in fields:
                time.sleep(0.45)
                server.send_reset(stream)
            else:
                server.answer(stream)
        weir = self.watched_calls(script)
        for _ in range(8):
            with H2Client(weir.address) as client:
                told = client.request("POST", "/x.Y/Hang", CALL | {"grpc-timeout": "480m"}, body=MESSAGE)
                self.assertNotEqual("0", told.get("grpc-status"))
        self.assert_neutral(weir)

    def test_an_endpoint_that_hangs_after_a_whole_upload_counts(self):
        for how in ({"timeout": "1s"}, {"upstream": settings.upstream_timeouts(response="1s")},
                    {"upstream": settings.upstream_timeouts(total="1s")}):
            with self.subTest(how):
                weir = self.watched(takes(20), **how)
                clients = self.uploads(weir, first=b"1234567890")
                self.assertEqual({504}, {client.response().status for client in clients})
                self.assert_counted(weir)

    def test_an_endpoint_that_hangs_on_a_whole_call_counts(self):
        weir = self.watched_calls(answers_gets, timeout="1s")
        with H2Client(weir.address) as client:
            streams = [client.ask("POST", "/x.Y/Hang", CALL, body=MESSAGE) for _ in range(8)]
            self.assertEqual({"4"}, {client.response(stream).get("grpc-status") for stream in streams})
        self.assert_counted(weir)


class Bytes(Watched):
    def test_an_upload_that_stalls_after_an_early_response_is_neutral(self):
        def script(connection):
            while True:
                request = connection.request_head()
                size = int(request.get("content-length") or 0)
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                connection.stream.exactly(size, bytearray())
                connection.send(b"ok")
        weir = self.watched(script, upstream=settings.upstream_timeouts(read="1s"))
        clients = self.uploads(weir)
        for client in clients:
            client.head()
            self.assertTrue(client.is_closed(within=30))
        self.assert_neutral(weir)

    def test_an_endpoint_that_gives_up_on_an_upload_that_does_not_come_is_neutral(self):
        def script(connection):
            while True:
                request = connection.request_head()
                size = int(request.get("content-length") or 0)
                connection.sock.settimeout(1)
                try:
                    connection.stream.exactly(size, bytearray())
                except TimeoutError:
                    return
                connection.sock.settimeout(60)
                connection.send(ok("x"))
        weir = self.watched(script)
        clients = self.uploads(weir, size=1000)
        self.assertEqual({502}, {client.response().status for client in clients})
        self.assert_neutral(weir)

    def gives_up(self, status, after=1):
        """A server, or a proxy before it, whose time for a request's body is over."""
        def script(connection):
            while True:
                request = connection.request_head()
                size = int(request.get("content-length") or 0)
                connection.sock.settimeout(after)
                try:
                    connection.stream.exactly(size, bytearray())
                except TimeoutError:
                    connection.sock.settimeout(60)
                    connection.send(reply_bytes(status, [("Connection", "close")]))
                    return
                connection.sock.settimeout(60)
                connection.send(ok("x"))
        return script

    def test_an_endpoint_that_gives_up_by_a_status_on_an_upload_that_does_not_come_is_neutral(self):
        for status in (500, 502, 503, 504):
            with self.subTest(status):
                weir = self.watched(self.gives_up(status), filters=[{"circuit_breaker": BREAKER | {
                    "name": "more", "statuses": [408, 500, 502, 503, 504]}}])
                self.assertEqual({status}, {client.response().status for client in self.uploads(weir, size=1000)})
                self.assert_neutral(weir)

    def test_an_endpoint_that_gives_up_after_the_last_byte_of_a_slow_upload_is_neutral(self):
        for how, after in (("status", 0.1), ("reset", 0.1), ("status", 3)):
            with self.subTest(how, after=after):
                def script(connection, how=how, after=after):
                    while True:
                        request = connection.request()
                        if request.method == "GET":
                            connection.send(ok("x"))
                            continue
                        time.sleep(after)
                        if how == "reset":
                            connection.reset()
                        else:
                            connection.send(reply_bytes(503, [("Connection", "close")]))
                        return
                weir = self.watched(script)
                clients = self.uploads(weir)
                time.sleep(2)
                for client in clients:
                    client.send(b"67890")
                self.assertEqual({503 if how == "status" else 502}, {client.response().status for client in clients})
                self.assert_neutral(weir)

    def test_an_endpoint_that_ends_a_silent_call_is_neutral(self):
        def script(server, stream, fields):
            if fields[":method"] == "GET":
                server.answer(stream)
            else:
                threading.Timer(1, server.send_headers, (stream, told), {"end": True}).start()
        for told in ([(":status", "503")],
                     [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14")]):
            with self.subTest(told):
                weir = self.watched_calls(script)
                with H2Client(weir.address) as client:
                    streams = [client.begin("POST", "/x.Y/Silent", CALL) for _ in range(8)]
                    self.assertEqual({told[0][1]}, {str(client.response(stream).status) for stream in streams})
                self.assert_neutral(weir)

    def test_a_failing_status_at_once_counts_for_uploads_and_calls(self):
        def script(connection):
            while True:
                request = connection.request_head()
                connection.send(reply_bytes(503, [("Connection", "close")]) if request.method == "POST" else ok("x"))
                if request.method == "POST":
                    return
        for first in (b"12345", b"1234567890"):
            with self.subTest(first):
                weir = self.watched(script)
                self.assertEqual(503, self.uploads(weir, first=first)[0].response().status)
                self.assert_counted(weir)

    def test_a_failing_status_after_a_whole_upload_counts_however_late(self):
        def script(connection):
            connection.request()
            time.sleep(1.5)
            connection.send(reply_bytes(503))
        weir = self.watched(script)
        self.assertEqual({503}, {client.response().status for client in self.uploads(weir, first=b"1234567890")})
        self.assert_counted(weir)

    def expectant(self, weir):
        clients = [self.client(weir) for _ in range(8)]
        for client in clients:
            client.send(request_bytes("POST", "/upload", fields={"Content-Length": "10", "Expect": "100-continue"}))
        return {client.response().status for client in clients}

    def test_an_endpoint_that_fails_at_once_instead_of_a_100_counts(self):
        def script(connection):
            connection.request_head()
            connection.send(reply_bytes(503, [("Connection", "close")]))
        weir = self.watched(script, expect="forward")
        self.assertEqual({503}, self.expectant(weir))
        self.assert_counted(weir)

    def test_an_endpoint_that_gives_up_on_a_client_that_waits_for_a_100_is_neutral(self):
        for how in ("status", "reset"):
            with self.subTest(how):
                def script(connection):
                    while connection.request_head().method == "GET":
                        connection.send(ok("x"))
                    time.sleep(1)
                    if how == "reset":
                        connection.reset()
                    else:
                        connection.send(reply_bytes(503, [("Connection", "close")]))
                weir = self.watched(script, expect="forward")
                self.assertEqual({503 if how == "status" else 502}, self.expectant(weir))
                self.assert_neutral(weir)

    def test_an_endpoint_that_ignores_the_expectation_of_a_waiting_client_is_neutral(self):
        def script(connection):
            while True:
                request = connection.request_head()
                connection.stream.exactly(int(request.get("content-length") or 0), bytearray())
                connection.send(ok("x"))
        weir = self.watched(script, expect="forward", upstream={"timeouts": {"response": "1s"}})
        self.assertEqual({504}, self.expectant(weir))
        self.assert_neutral(weir)

    def test_an_endpoint_that_gives_up_on_a_client_that_does_not_read_is_neutral(self):
        size = 8 << 20

        def script(connection):
            while True:
                request = connection.request()
                if request.target != "/large":
                    connection.send(ok("x"))
                    continue
                connection.sock.settimeout(2)
                connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
                try:
                    connection.sock.sendall(b"x" * size)
                except TimeoutError:
                    connection.reset()
                    return
        weir = self.watched(script)
        clients = [self.client(weir, receive_buffer=4096) for _ in range(6)]
        for client in clients:
            client.send(request_bytes(target="/large"))
        eventually(lambda: len(self.api.connections) == 6 and all(one.ended.is_set() for one in self.api.connections),
                   "the endpoint's own timeouts")
        for client in clients:
            self.drain(client)
        self.assert_neutral(weir)

    def drain(self, client):
        try:
            while client.sock.recv(1 << 20):
                pass
        except OSError:
            pass

    def test_an_endpoint_that_ends_websockets_is_neutral(self):
        def script(connection):
            while True:
                request = connection.request_head()
                if not request.get("upgrade"):
                    connection.send(ok("x"))
                    continue
                key = request.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
                connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                f"Sec-WebSocket-Accept: {accept}\r\n\r\n")
                time.sleep(0.2)
                connection.reset()
                return
        weir = self.watched(script)
        for _ in range(8):
            client = self.client(weir)
            client.send(request_bytes(target="/ws", fields=WEBSOCKET))
            self.assertEqual(101, client.head().status)
            self.assertTrue(client.is_closed(within=30))
        self.assert_neutral(weir)

    def test_an_endpoint_that_does_not_read_what_a_client_has_to_give_counts(self):
        def script(connection):
            connection.request_head()
            connection.stall()
        weir = self.watched(script, upstream=settings.upstream_timeouts(read="1s"))
        for client in self.uploads(weir, first=b"", size=64 << 20):
            self.in_background(self.give, client, 64 << 20)
        self.assert_counted(weir)

    def give(self, client, size):
        client.sock.settimeout(60)
        try:
            client.sock.sendall(b"x" * size)
        except OSError:
            pass

    def test_an_endpoint_that_resets_uploads_at_once_counts(self):
        def script(connection):
            connection.request_head()
            connection.reset()
        weir = self.watched(script)
        for client in self.uploads(weir):
            client.response()
        self.assert_counted(weir)

    def test_an_endpoint_that_breaks_responses_off_counts(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            connection.reset()
        weir = self.watched(script)
        for _ in range(8):
            with self.client(weir) as client:
                client.send(request_bytes())
                self.drain(client)
        self.assertGreater(self.changes(weir)[0] + self.changes(weir)[1], 0)


class Latency(Watched):
    def trickled(self, weir, seconds, **how):
        clients = self.uploads(weir, **how)
        time.sleep(seconds)
        for client in clients:
            client.send(b"67890")
        self.assertEqual({200}, {client.response().status for client in clients})

    def slow_breaker(self):
        slow = {"circuit_breaker": BREAKER | {"slow": {"after": "500ms", "ratio": "50%"}}}
        return {"upstream": slow, "filters": [slow]}

    def test_a_slow_upload_is_no_slow_answer(self):
        weir = self.watched(takes(0), **self.slow_breaker())
        self.trickled(weir, 1)
        self.assert_neutral(weir)

    def test_a_slow_answer_to_an_upload_is_one(self):
        weir = self.watched(takes(0.8), **self.slow_breaker())
        for client in self.uploads(weir, first=b"1234567890"):
            client.response()
        self.assert_counted(weir)

    def test_a_slow_upload_moves_no_requests_to_other_endpoints(self):
        def script(name):
            def play(connection):
                while True:
                    connection.request()
                    time.sleep(0.05)                 # what the machine does meanwhile makes no difference beside it
                    connection.send(reply_bytes(200, body=name.encode()))
            return play
        backends = [self.scripted(script(name)) for name in "ab"]
        weir = self.weir({"upstreams": {"api": settings.upstream(*backends, balance="peak_ewma")},
                          "routes": [route("/", "api", "all")]})
        both = [self.client(weir) for _ in range(2)]

        def ask():
            """Two at a time: the second goes to the other endpoint, unless that one counts as more than twice as slow."""
            for client in both:
                client.send(request_bytes())
            return [bytes(client.response().body) for client in both]
        ask()
        self.trickled(weir, 2, count=1)
        shares = Counter(name for _ in range(20) for name in ask())
        self.assertGreater(min(shares[b"a"], shares[b"b"]), 5, shares)

    def test_slow_uploads_do_not_delay_hedges(self):
        def script(name):
            def play(connection):
                while True:
                    request = connection.request()
                    time.sleep(2 if name == "slow" and request.target == "/v" else 0)
                    connection.send(ok(name))
            return play
        slow, fast = self.scripted(script("slow")), self.scripted(script("fast"))
        weir = self.weir({"upstreams": {"api": settings.upstream(slow, fast)}, "routes": [
            route("/", "api", "all", filters=[{"hedge": {"after": "p95", "min": "300ms", "budget": {"ratio": "50%"}}}])]})
        with self.client(weir) as client:
            for _ in range(160):
                client.get("/w")
        self.trickled(weir, 2, count=40, method="GET")
        with self.client(weir) as client:
            for _ in range(20):
                client.get("/w")
        for _ in range(6):
            self.assertEqual(b"fast", bytes(self.fetch(weir, "GET", "/v").body))


class Probes(WeirCase):
    """Whose circuit is half open; the endpoint is well again."""

    def recovered(self, script, filters=(), breaker=True, **upstream):
        self.is_bad = True
        api = self.scripted(script)
        block = settings.upstream(api) | upstream
        if breaker:
            block = {"circuit_breaker": {"min_requests": 5, "open": "500ms", "scope": "upstream"}} | block
        weir = self.weir({"upstreams": {"api": block}, "routes": [route("/", "api", "all", filters=list(filters))]})
        for _ in range(8):
            self.fetch(weir)
        self.assertEqual(1, weir.metric("weir_circuit_breaker_state", state="open"))
        self.is_bad = False
        time.sleep(0.8)
        return weir

    def http1(self, connection):
        while True:
            connection.request()
            connection.send(ok("x") if not self.is_bad else b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

    def http2(self, connection):
        server = H2Server(connection)
        while True:
            stream, request = server.request()
            fields = dict(request.fields)
            if fields[":method"] == "GET" or fields[":path"] == "/x.Y/Answer":
                server.answer(stream, status=503 if self.is_bad else 200)

    def assert_closes(self, weir, at_once=True):
        statuses = [self.fetch(weir).status for _ in range(4)]
        if at_once:
            self.assertEqual([200] * 4, statuses)
        eventually(lambda: self.fetch(weir).status == 200, "a victim's answer")
        eventually(lambda: weir.metric("weir_circuit_breaker_state", state="closed") == 1, "a closed circuit")

    def trickle(self, weir):
        for number in range(3):                      # one client has no more than two of three places
            client = self.client(weir, source=f"127.0.0.{50 + number}")
            client.send(request_bytes("POST", "/slow", fields={"Content-Length": "1000000"}) + b"x" * 100)
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 3, "uploads under way")

    def http1_with_hanging_urls(self, connection):
        while True:
            request = connection.request()
            if not self.is_bad and request.target == "/hang":
                connection.wait_closed(60)
                return
            connection.send(ok("x") if not self.is_bad else b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

    def cancel_probes(self, weir, source, ended):
        """Asks without end for a response that doesn't come, and gives up whatever has waited for a second."""
        with H2Client(weir.address, source=source, timeout=60) as client:
            held = {}
            while not ended.is_set():
                held[client.begin("GET", "/hang", end=True)] = time.monotonic()
                client.sock.settimeout(0.005)
                try:
                    while True:
                        client.pump()
                except (TimeoutError, BlockingIOError):
                    client.sock.settimeout(60)
                for stream, since in list(held.items()):
                    if client.message(stream).is_over:
                        del held[stream]
                    elif time.monotonic() - since > 1:
                        client.send_reset(stream)
                        del held[stream]

    def test_cancelled_probes_keep_no_circuit_from_closing(self):
        for breaker, sources in (({"half_open_requests": 1}, 1), ({}, 3)):
            with self.subTest(breaker):
                weir = self.recovered(self.http1_with_hanging_urls, circuit_breaker={
                    "min_requests": 5, "open": "500ms", "scope": "upstream"} | breaker)
                ended = threading.Event()
                self.addCleanup(ended.set)
                threads = [self.in_background(self.cancel_probes, weir, f"127.0.0.{60 + number}", ended)
                           for number in range(sources)]
                eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 1, "a probe under way")
                began = time.monotonic()
                while weir.metric("weir_circuit_breaker_state", state="closed") != 1:
                    self.fetch(weir)
                    self.assertLess(time.monotonic() - began, 20, "still half-open")
                    time.sleep(0.05)
                ended.set()

    def test_trickling_uploads_keep_no_circuit_of_an_upstream_from_closing(self):
        weir = self.recovered(self.http1)
        self.trickle(weir)
        self.assert_closes(weir)

    def test_trickling_uploads_keep_no_circuit_of_a_route_from_closing(self):
        weir = self.recovered(self.http1, breaker=False,
                              filters=[{"circuit_breaker": {"min_requests": 5, "open": "500ms"}}])
        self.trickle(weir)
        self.assert_closes(weir)

    def watch(self, weir):
        for number in range(3):
            client = H2Client(weir.address, source=f"127.0.0.{50 + number}")
            self.addCleanup(client.close)
            client.ask("POST", "/x.Y/Watch", CALL, body=MESSAGE)
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 3, "calls under way")

    def test_silent_calls_keep_no_circuit_from_closing(self):
        weir = self.recovered(self.http2, protocol="http2")
        self.watch(weir)
        self.assert_closes(weir)

    def test_silent_calls_keep_no_circuit_from_closing_where_everything_is_a_call(self):
        weir = self.recovered(self.http2, protocol="http2")
        self.watch(weir)

        def is_answered():
            with H2Client(weir.address) as client:
                return client.request("POST", "/x.Y/Answer", CALL, body=MESSAGE).get("grpc-status") is None
        eventually(lambda: all(is_answered() for _ in range(3)), "answers to calls", patience=10)
        self.assertEqual(1, weir.metric("weir_circuit_breaker_state", state="closed"))


class Pings(WeirCase):
    """An endpoint that counts PINGs as gRPC servers do: too many of them without a response in between end the connection."""

    def setUp(self):
        self.most_pings = 0                          # on one connection
        test = self

        class Strict(H2Server):
            pings = 0

            def _take(self, came):
                if came.kind == PING and not came.flags & 1:
                    self.pings += 1
                    test.most_pings = max(test.most_pings, self.pings)
                    if self.pings > 2:
                        self.send_frame(7, struct.pack("!II", 2**31 - 1, 11) + b"too_many_pings")
                        raise OSError("gone")
                return super()._take(came)

        def script(connection):
            server = Strict(connection)
            while True:
                server.request()
        self.api = self.scripted(script)
        block = settings.upstream(self.api) | {"protocol": "http2", "http2": {"ping_timeout": "500ms"}}
        self.served = self.weir({"upstreams": {"api": block}, "routes": [route("/", "api", "all")]})
        self.others = [H2Client(self.served.address) for _ in range(5)]
        for client in self.others:
            self.addCleanup(client.close)
            client.ask("POST", "/x.Y/Watch", CALL, body=MESSAGE)
        eventually(lambda: self.served.metric(settings.IN_FLIGHT) == 5, "calls of others")

    def assert_others_go_on(self):
        self.assertLessEqual(self.most_pings, 2)
        self.assertEqual(5, self.served.metric(settings.IN_FLIGHT))

    def test_deadlines_of_one_client_end_no_calls_of_others(self):
        with H2Client(self.served.address) as client:
            for _ in range(10):
                client.request("POST", "/x.Y/Hang", CALL | {"grpc-timeout": "20m"}, body=MESSAGE)
                time.sleep(0.1)
        self.assert_others_go_on()

    def test_clients_that_leave_end_no_calls_of_others(self):
        for _ in range(6):
            with RawClient(self.served.address) as client:
                client.send(request_bytes(target="/poll"))
                client.is_closed(within=0.7)
        eventually(lambda: self.served.metric(settings.IN_FLIGHT) == 5, "the calls of others alone")
        self.assert_others_go_on()


if __name__ == "__main__":
    unittest.main()
