"""HTTP/2 is carried whole, in all pairings with HTTP/1.1: the same promises on each side."""

import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from backend import HttpBackend, digest, fields_of, ok, pattern
from certificates import Authority
from h2_wire import (CANCEL, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, INTERNAL_ERROR, MAX_CONCURRENT_STREAMS, NO_ERROR, PROTOCOL_ERROR,
                     HTTP_1_1_REQUIRED, REFUSED_STREAM, H2Client, H2Server, block, fetch2, number)
from harness import PATIENCE, SharedWeirCase, Weir, WeirCase, eventually, free_address, own_host, settings
from wire import Cut, chunk, chunked, read_body, request_bytes

MIB = 1 << 20
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


class Backend(HttpBackend):
    """Also /hints: a 103 first. /cut, /cut-chunks: half an answer, then the end. /hang: none. /never: not even a read."""

    def _serve(self, connection):
        while True:
            request = connection.request_head()
            if request.target.startswith("/never"):
                connection.wait_closed()
                return
            read_body(connection.stream, request, until_close=False)
            if not self._misbehaves(connection, request):
                request.connection = connection.index
                self.requests.append(request)
                self._answer(connection, request)

    def _misbehaves(self, connection, request):
        path = request.target.split("?")[0]
        if path == "/hints":
            connection.send(HINTS + ok())
        elif path == "/cut":
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
            connection.close()
        elif path == "/cut-chunks":
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"begun"))
            connection.close()
        elif path == "/garbage":
            connection.send("NONSENSE\r\n\r\n")
            connection.close()
        elif path == "/cookies":
            connection.send(ok(fields="Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"))
        elif path.startswith("/hang"):
            connection.wait_closed()
        else:
            return False
        return True


def over_http2(upstream):
    return upstream | {"protocol": "http2"}


class H2Front:
    """The client's side speaks HTTP/2."""

    client_version = "HTTP/2"

    def ask(self, *what, **more):
        client = H2Client(self.shared.address)
        self.addCleanup(client.close)
        return client.request(*what, **more)

    def assert_cut(self, target):
        response = self.ask(target=target)
        self.assertEqual((200, b"begun", False), (response.status, bytes(response.body), response.complete))
        self.assertIsNotNone(response.reset, "the stream ended cleanly")

    def leave(self, method, target, body=b"", fields=()):
        client = H2Client(self.shared.address)
        self.addCleanup(client.close)
        stream = client.begin(method, target, fields, end=not body)
        if body:
            client.send_data(stream, body, end=False)
        return lambda: client.send_reset(stream)


class H1Front:
    """The client's side speaks HTTP/1.1."""

    client_version = "HTTP/1.1"

    def ask(self, method="GET", target="/", fields=(), body=b"", trailers=(), sized=True, **more):
        client = self.client(self.shared)
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        if trailers or not sized:
            pairs.append(("Transfer-Encoding", "chunked"))
            pieces = [body[start:start + 50_000] for start in range(0, len(body), 50_000)]
            body = chunked(*pieces, trailers=trailers)
        return client.request(method, target, pairs, body, **more)

    def assert_cut(self, target):
        with self.assertRaises(Cut) as cut:
            self.ask(target=target)
        self.assertEqual((200, b"begun"), (cut.exception.partial.status, bytes(cut.exception.partial.body)))

    def leave(self, method, target, body=b"", fields=()):
        client = self.client(self.shared)
        pairs = list(dict(fields).items()) + ([("Content-Length", str(10 * len(body)))] if body else [])
        client.send(request_bytes(method, target, pairs))
        client.send(body)
        return client.reset


class Promises:
    """What holds in every pairing."""

    @classmethod
    def serve(cls):
        backends = {"a": Backend()}
        config = {
            "upstreams": {"api": settings.upstream(backends["a"])},
            "routes": [settings.route("/hang/briefly", "api", timeout="300ms"),
                       settings.route({"path": "/", "host": "weir.test"}, "api")],
            **settings.client_limits(body="8MiB"),
        }
        if cls.backend_speaks_http2:
            backends["inner"] = Weir(config).start()
            config = config | {"upstreams": {"api": over_http2(settings.upstream(backends["inner"].address))}}
        return backends, config

    def setUp(self):
        self.api = self.backends["a"]

    def account(self, *what, **more):
        response = self.ask(*what, **more)
        self.assertEqual(200, response.status, response)
        return response.json()

    def assert_gone(self, path, part):
        """The backend's connection, or its inner stream, has ended, and the log says who left."""
        eventually(lambda: any(part in connection.received and connection.ended.is_set()
                               for connection in self.api.connections), "the backend's request has ended")
        self.assertIn("DC", self.shared.log_of(path)[0].flags)
        eventually(lambda: self.shared.metric(settings.IN_FLIGHT) == 0, "nothing in flight")

    def test_a_get_arrives_with_its_fields_and_is_logged(self):
        account = self.account("GET", "/get?q=1", {"X-A": "b c"})
        self.assertEqual(("GET", "/get?q=1", ["b c"], ["weir.test"]),
                         (account["method"], account["target"], fields_of(account, "x-a"), fields_of(account, "host")))
        line = self.shared.log_of("/get")[0]
        self.assertEqual((self.client_version, 200), (line["proto"], line.status))

    def test_head_has_the_length_and_no_body(self):
        response = self.ask("HEAD", "/bytes/1000")
        self.assertEqual((200, "1000", b""), (response.status, response.get("content-length"), bytes(response.body)))

    def test_204_and_304_have_no_body(self):
        for status in (204, 304):
            response = self.ask(target=f"/status/{status}")
            self.assertEqual((status, b"", True), (response.status, bytes(response.body), response.complete))

    def test_bodies_of_known_and_unknown_length_go_up_whole(self):
        for size in (0, 1, 30_000, MIB, 5 * MIB):
            for sized in (True, False):
                with self.subTest(size=size, sized=sized):
                    account = self.account("POST", "/up", body=pattern(size), sized=sized)
                    self.assertEqual((size, digest(pattern(size))), (account["length"], account["digest"]))
                    known = fields_of(account, "content-length")
                    self.assertEqual([str(size)] if sized and size else [], known if size else [])

    def test_bodies_of_known_and_unknown_length_come_down_whole(self):
        for size in (0, 1, 30_000, MIB, 5 * MIB):
            for kind in ("bytes", "chunked"):
                with self.subTest(size=size, kind=kind):
                    response = self.ask(target=f"/{kind}/{size}")
                    self.assertEqual((size, digest(pattern(size))), (len(response.body), digest(response.body)))
                    self.assertEqual(str(size) if kind == "bytes" else None, response.get("content-length"))

    def test_trailers_go_up(self):
        account = self.account("POST", "/t", {"Trailer": "X-Check"}, b"abc", trailers=[("x-check", "42")], sized=False)
        self.assertEqual("abc", account["body"])
        self.assertIn(["x-check", "42"], [[name.lower(), value] for name, value in account["trailers"]])

    def test_trailers_come_down(self):
        response = self.ask(target="/chunked/200000", fields={"TE": "trailers"})
        self.assertIn(("x-sum", digest(pattern(200_000))), [(name.lower(), value) for name, value in response.trailers])

    def test_te_trailers_reaches_the_backend_and_nothing_else_of_te(self):
        self.assertEqual(["trailers"], fields_of(self.account(fields={"TE": "trailers"}), "te"))
        self.assertEqual([], fields_of(self.account(), "te"))

    def test_103_comes_before_the_answer(self):
        response = self.ask(target="/hints")
        self.assertEqual([103], [interim.status for interim in response.interim])
        self.assertEqual("</a.css>; rel=preload", response.interim[0].get("link"))
        self.assertEqual((200, b"ok"), (response.status, bytes(response.body)))

    def test_cookies_are_one_field_for_the_backend_and_each_set_cookie_its_own(self):
        account = self.account(fields=[("Cookie", "a=1; b=2")])
        self.assertEqual(["a=1; b=2"], fields_of(account, "cookie"))
        self.assertEqual(["a=1", "b=2"], self.ask(target="/cookies").all("set-cookie"))

    def test_the_body_waits_for_100_continue(self):
        account = self.account("POST", "/expect", {"Expect": "100-continue"}, b"hello")
        self.assertEqual(("hello", []), (account["body"], fields_of(account, "expect")))

    def test_what_weir_answers_by_itself_has_a_body(self):
        for status, request in ((404, {"host": "nowhere.test"}), (502, {"target": "/garbage"}),
                                (504, {"target": "/hang/briefly"})):
            with self.subTest(status):
                response = self.ask(**request)
                self.assertEqual(status, response.status)
                self.assertIn(str(status).encode(), response.body)

    def test_an_answer_cut_short_does_not_end_cleanly(self):
        for target in ("/cut", "/cut-chunks"):
            with self.subTest(target):
                self.assert_cut(target)

    def test_a_client_that_leaves_before_the_answer_cancels_it(self):
        leave = self.leave("GET", "/hang/gone")
        eventually(lambda: b"/hang/gone" in self.api.received, "the request at the backend")
        leave()
        self.assert_gone("/hang/gone", b"/hang/gone")

    def test_a_client_that_leaves_in_mid_upload_cancels_it(self):
        leave = self.leave("POST", "/never/up", b"begun-and-left")
        eventually(lambda: b"/never/up" in self.api.received, "the request at the backend")
        leave()
        self.assert_gone("/never/up", b"/never/up")


class Http2ToHttp1(H2Front, Promises, SharedWeirCase):
    backend_speaks_http2 = False

    def test_a_post_that_ends_with_its_head_has_length_0(self):
        for method, told in (("POST", ["0"]), ("PUT", ["0"]), ("PATCH", ["0"]), ("GET", []), ("DELETE", [])):
            with self.subTest(method):
                self.assertEqual(told, fields_of(self.account(method, "/empty"), "content-length"))

    def test_trailers_behind_a_sized_body_are_dropped_alone(self):
        """HTTP/1.1 has no place for them (RFC 9110 section 6.5.1)."""
        account = self.account("POST", "/sized", (), b"abc", trailers=[("x-check", "42")])
        self.assertEqual((3, []), (account["length"], account["trailers"]))


class Http1ToHttp2(H1Front, Promises, SharedWeirCase):
    backend_speaks_http2 = True


class Http2ToHttp2(H2Front, Promises, SharedWeirCase):
    backend_speaks_http2 = True


class Http1ToHttp1(H1Front, Promises, SharedWeirCase):
    backend_speaks_http2 = False


class Limits(WeirCase):
    """Over HTTP/2 a limit costs the stream that passes it, and no other."""

    def limited(self, *blocks):
        self.api = self.backend()
        self.served = self.in_front_of(self.api, **settings.merged(*blocks))
        self.asking = H2Client(self.served.address)
        self.addCleanup(self.asking.close)
        return self.asking

    def assert_refused_alone(self, status, response):
        self.assertEqual(status, response.status, response)
        self.assertEqual([], [request.target for request in self.api.requests])
        self.assertEqual(200, self.asking.get("/next").status)

    def test_a_large_head_is_431(self):
        client = self.limited(settings.client_limits(head="2KiB"))
        self.assert_refused_alone(431, client.get("/", {"x-large": "x" * 3000}))

    def test_too_many_fields_are_431(self):
        client = self.limited(settings.client_limits(headers=20))
        self.assert_refused_alone(431, client.get("/", [(f"x-{number}", "v") for number in range(25)]))

    def test_a_long_target_is_414(self):
        client = self.limited(settings.client_limits(request_line="1KiB"))
        self.assert_refused_alone(414, client.get("/" + "x" * 1100))

    def test_a_long_body_is_413_by_its_length(self):
        client = self.limited(settings.client_limits(body="1KiB"))
        stream = client.begin("POST", "/", {"content-length": "1025"})
        self.assert_refused_alone(413, client.response(stream))

    def test_a_long_body_of_unknown_length_is_413_when_it_passes_the_limit(self):
        client = self.limited(settings.client_limits(body="4KiB"))
        stream = client.begin("POST")
        client.send_data(stream, b"x" * 5000, end=False)
        self.assert_refused_alone(413, client.response(stream))

    def test_a_body_that_stops_is_408(self):
        client = self.limited(settings.client_timeouts(body="500ms"))
        stream = client.begin("POST", "/", {"content-length": "100"})
        client.send_data(stream, b"begun", end=False)
        self.assert_refused_alone(408, client.response(stream))

    def test_a_head_that_never_ends_costs_the_connection(self):
        client = self.limited(settings.client_timeouts(head="500ms"))
        self.assertEqual(200, client.get("/first").status)
        client.send_frame(HEADERS, block([(":method", "GET")]), 0, 3)
        self.assertTrue(client.is_closed())
        self.assertEqual(ENHANCE_YOUR_CALM, client.goaway[1])
        eventually(lambda: self.served.access_log()[-1].flags == {"DT"}, "the flag of a client that was too slow")
        self.assertEqual(200, fetch2(self.served.address).status)

    def test_an_idle_connection_is_closed(self):
        client = self.limited(settings.client_timeouts(idle="500ms"))
        self.assertEqual(200, client.get().status)
        self.assertTrue(client.is_closed())
        self.assertEqual(NO_ERROR, client.goaway[1])

    def test_a_request_that_crosses_the_idle_timeout_is_served(self):
        client = self.limited(settings.client_timeouts(idle="500ms"))
        client.until(lambda: client.goaway)
        self.assertEqual(200, client.get("/crossing").status)

    def test_after_so_many_requests_a_connection_goes_away(self):
        client = self.limited(settings.client_limits(requests_per_connection=3))
        self.assertEqual([200] * 3, [client.get().status for _ in range(3)])
        client.until(lambda: client.goaway)
        self.assertEqual(NO_ERROR, client.goaway[1])


class Records(WeirCase):
    """Each stream has its line in the log, however it ended."""

    def setUp(self):
        self.served = self.in_front_of(self.backend(), **settings.client_limits(head="2KiB", request_line="1KiB"))
        self.asking = H2Client(self.served.address)
        self.addCleanup(self.asking.close)

    def line(self, path):
        line = self.served.log_of(path)[0]
        self.assertEqual("HTTP/2", line["proto"])
        return line.status, line.flags

    def test_one_that_was_served(self):
        self.asking.get("/fine")
        self.assertEqual((200, set()), self.line("/fine"))

    def test_one_that_its_client_reset(self):
        self.asking.send_reset(self.asking.ask(target="/hold"))
        self.assertEqual((settings.NO_STATUS_SENT, {"DC"}), self.line("/hold"))

    def test_one_whose_client_closed_the_connection(self):
        self.asking.ask(target="/hold")
        eventually(lambda: self.served.metric(settings.IN_FLIGHT) > 0, "in flight")
        self.asking.close()
        self.assertEqual((settings.NO_STATUS_SENT, {"DC"}), self.line("/hold"))

    def test_one_whose_head_is_too_large(self):
        self.assertEqual(431, self.asking.get("/large", {"x-a": "x" * 3000}).status)
        self.assertEqual((431, {"DPE"}), self.line("/large"))

    def test_one_that_is_malformed(self):
        self.assertEqual(PROTOCOL_ERROR, self.asking.get("", {"connection": "close"}).reset)
        self.assertEqual((400, {"DPE"}), self.line(""))


class OverTls(WeirCase):
    """By ALPN, with a real client: curl agrees on HTTP/2 with one Weir, which agrees on it with another."""

    def test_both_sides_agree_on_http_2(self):
        authority = Authority(self.folder())
        listener = lambda: settings.listener(
            free_address(), tls={"certificates": [authority.issue("127.0.0.1", own_host(), name="site").yaml()]})
        inner = self.in_front_of(self.backend(), listeners=[listener()])
        tls = {"tls": {"ca": authority.ca, "server_name": "127.0.0.1"}}
        outer = self.in_front_of(upstreams={"api": settings.upstream(inner.address) | tls}, listeners=[listener()])
        told = subprocess.run(["curl", "-sS", "--http2", "--cacert", authority.ca, "-w", "%{http_version}", "-o", "/dev/null",
                               f"https://{outer.address}/bytes/[0-2]"], capture_output=True, text=True, timeout=30)
        self.assertEqual("222", told.stdout, told.stderr)
        self.assertEqual(["HTTP/2"] * 2, [weir.log_of("/bytes/2")[0]["proto"] for weir in (outer, inner)])
        self.assertEqual(1, inner.metric(settings.CONNECTIONS))


def serves(**how):
    """An HTTP/2 backend that answers `ok`."""
    def script(connection):
        server = H2Server(connection, **how)
        while True:
            server.answer(server.request()[0])
    return script


class OverHttp1Instead(WeirCase):
    """An endpoint chooses HTTP/2, and wants some requests over HTTP/1.1 (HTTP_1_1_REQUIRED)."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="weir-test-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.authority = Authority(folder)
        cls.pair = cls.authority.issue("a.test", "127.0.0.1", name="site")

    def setUp(self):
        self.spoken, self.requests = [], []

    def serving(self, refuse, takes_http1=True, upstream=None, **config):
        """/wanted is refused over HTTP/2; where no HTTP/1.1 is taken, the handshake succeeds and the connection ends."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair.cert, self.pair.key)
        context.set_alpn_protocols(["h2", "http/1.1"])

        def script(connection):
            connection.sock = context.wrap_socket(connection.sock, server_side=True)
            connection.stream.sock = connection.sock
            self.spoken.append(connection.sock.selected_alpn_protocol())
            if self.spoken[-1] == "h2":
                server = H2Server(connection)
                while True:
                    stream, head = server.request()
                    if head.get(":path").startswith("/wanted"):
                        refuse(server, stream)
                    else:
                        server.answer(stream, b"over 2")
            while takes_http1:
                request = connection.request()
                self.requests.append((request.method, request.target, bytes(request.body)))
                connection.send(ok("over 1.1"))
        self.api = self.scripted(script)
        api = settings.upstream(self.api) | {"tls": {"ca": self.authority.ca}} | (upstream or {})
        return self.in_front_of(self.api, upstreams={"api": api}, **config)

    @staticmethod
    def by_reset(server, stream):
        server.send_reset(stream, HTTP_1_1_REQUIRED)

    def test_a_request_is_repeated_over_http1_when_the_endpoint_wants_so(self):
        for name, refuse in (
                ("by a reset", self.by_reset),
                ("by a goodbye", lambda server, _: server.send_frame(GOAWAY, number(0) + number(HTTP_1_1_REQUIRED)))):
            with self.subTest(name):
                self.requests.clear()
                weir = self.serving(refuse)
                for target in ("/wanted/a", "/wanted/b"):
                    response = self.fetch(weir, target=target)
                    self.assertEqual((200, b"over 1.1"), (response.status, bytes(response.body)))
                self.assertEqual([("GET", "/wanted/a", b""), ("GET", "/wanted/b", b"")], self.requests)
                self.assertEqual(2, weir.metric("weir_http1_instead_total", upstream="api"))
                self.assertIn("LR", weir.log_of("/wanted/a")[0].flags)
                eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")

    def test_a_body_that_was_kept_is_repeated_over_http1(self):
        weir = self.serving(self.by_reset, filters=[settings.retry(attempts=2, non_idempotent=True)])
        response = self.fetch(weir, "POST", "/wanted", body=b"x" * 1000)
        self.assertEqual(200, response.status)
        self.assertEqual([("POST", "/wanted", b"x" * 1000)], self.requests)

    def test_what_the_endpoint_resets_retires_no_connection(self):
        client = self.client(self.serving(self.by_reset))
        for _ in range(100):
            self.assertEqual(200, client.get("/wanted").status)
        self.assertEqual(1, self.spoken.count("h2"))

    def in_front_of_http2_alone(self, **upstream):
        """With circuits and outlier detection that open at a few failures."""
        rule = {"circuit_breaker": {"scope": ["upstream", "endpoint"]}, "outlier_detection": {}}
        return self.serving(self.by_reset, takes_http1=False, upstream=rule | upstream)

    def assert_others_are_served(self, weir):
        client = self.client(weir)
        self.assertEqual(200, client.get("/other").status)
        for _ in range(50):
            self.assertEqual(502, client.get("/wanted").status)
            self.assertEqual(200, client.get("/other").status)

    def test_an_endpoint_that_takes_no_http1_is_not_worse_for_it(self):
        weir = self.in_front_of_http2_alone()
        self.assert_others_are_served(weir)
        self.assertIn("http/1.1", self.spoken)

    def test_where_http2_is_set_no_http1_is_spoken(self):
        weir = self.in_front_of_http2_alone(protocol="http2")
        self.assert_others_are_served(weir)
        self.assertEqual(["h2"], self.spoken)
        self.assertEqual(0, weir.metric("weir_http1_instead_total", upstream="api"))


class Upstreams(WeirCase):
    """Requests share connections to an endpoint that speaks HTTP/2."""

    def serving(self, script, **config):
        self.api = self.scripted(script)
        return self.in_front_of(self.api, upstreams={"api": over_http2(settings.upstream(self.api))}, **config)

    def statuses(self, client, count, target="/"):
        streams = [client.ask(target=target) for _ in range(count)]
        return [client.response(stream).status for stream in streams]

    def test_a_hundred_requests_share_one_connection(self):
        weir = self.serving(serves())
        with H2Client(weir.address) as client:
            for _ in range(3):
                self.assertEqual([200] * 100, self.statuses(client, 100))
        self.assertEqual(1, len(self.api.connections))

    def test_more_connections_are_opened_when_an_endpoint_takes_few_streams(self):
        everyone, waiting = threading.Event(), []

        def script(connection):
            server = H2Server(connection, settings=[(MAX_CONCURRENT_STREAMS, 10)])
            streams = []
            while True:
                streams.append(server.request()[0])
                waiting.append(streams[-1])
                if len(streams) == 10:
                    everyone.wait(10)
                    for stream in streams:
                        server.answer(stream)
                    streams = []
        weir = self.serving(script)
        with H2Client(weir.address) as client:
            streams = [client.ask() for _ in range(40)]
            eventually(lambda: len(waiting) == 40, "all of them at the backend")
            everyone.set()
            self.assertEqual([200] * 40, [client.response(stream).status for stream in streams])
        self.assertEqual(4, len(self.api.connections))

    def test_an_endpoint_that_goes_away_in_use_fails_no_request(self):
        def script(connection):
            server = H2Server(connection)
            for _ in range(7):
                stream = server.request()[0]
                server.answer(stream)
            server.send_frame(GOAWAY, number(stream) + number(NO_ERROR))
            connection.wait_closed(2)                # what came behind isn't looked at
        weir = self.serving(script)
        with H2Client(weir.address) as client:
            for _ in range(5):
                self.assertEqual([200] * 10, self.statuses(client, 10))

    def test_a_refused_stream_is_tried_again(self):
        refused = []

        def script(connection):
            server = H2Server(connection)
            while True:
                stream = server.request()[0]
                if not refused:
                    refused.append(stream)
                    server.send_reset(stream, REFUSED_STREAM)
                else:
                    server.answer(stream)
        weir = self.serving(script)
        self.assertEqual(200, fetch2(weir.address).status)
        self.assertEqual(1, len(refused))

    def test_a_request_without_host_has_no_authority(self):
        heads = []

        def script(connection):
            server = H2Server(connection)
            while True:
                stream, head = server.request()
                heads.append(dict(head.fields))
                server.answer(stream)
        client = self.client(self.serving(script))
        client.send(b"GET /old HTTP/1.0\r\n\r\n")
        self.assertEqual(200, client.response().status)
        self.assertNotIn(":authority", heads[0])
        self.assertNotIn("host", heads[0])

    def test_a_reset_in_mid_body_does_not_end_cleanly(self):
        def script(connection):
            server = H2Server(connection)
            while True:
                stream = server.request()[0]
                server.send_headers(stream, [(":status", "200")])
                server.send_data(stream, b"begun", end=False)
                server.send_reset(stream, INTERNAL_ERROR)
        weir = self.serving(script)
        response = fetch2(weir.address)
        self.assertEqual((b"begun", False), (bytes(response.body), response.complete))
        self.assertIsNotNone(response.reset)
        with self.assertRaises(Cut):
            self.fetch(weir)
        curl = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", f"http://{weir.address}/"], capture_output=True)
        self.assertEqual(92, curl.returncode, curl.stderr)

    def test_a_reset_before_the_answer_is_502(self):
        def script(connection):
            server = H2Server(connection)
            while True:
                server.send_reset(server.request()[0], INTERNAL_ERROR)
        self.assertEqual(502, fetch2(self.serving(script).address).status)

    def test_an_endpoint_that_breaks_the_rules_is_502(self):
        def script(connection):
            server = H2Server(connection)
            stream = server.request()[0]
            server.send_headers(stream, [(":status", "200"), ("Upper-Case", "no")], end=True)
            connection.wait_closed()
        self.assertEqual(502, fetch2(self.serving(script).address).status)

    def test_an_endpoint_that_speaks_http_1_is_502(self):
        def script(connection):
            connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            connection.wait_closed()
        self.assertEqual(502, fetch2(self.serving(script).address).status)

    def test_the_client_that_leaves_resets_its_upstream_stream_alone(self):
        resets = []
        both_are_there = threading.Event()

        def script(connection):
            server = H2Server(connection)
            held = server.request()[0]
            other = server.request()[0]
            both_are_there.set()
            server.until(lambda: server.message(held).reset is not None)
            resets.append(server.message(held).reset)
            server.answer(other)
            connection.wait_closed()
        weir = self.serving(script)
        with H2Client(weir.address) as client:
            held, other = client.ask(target="/held"), client.ask(target="/other")
            self.assertTrue(both_are_there.wait(PATIENCE))
            client.send_reset(held)
            self.assertEqual(200, client.response(other).status)
        self.assertEqual([CANCEL], resets)
        self.assertIn("DC", weir.log_of("/held")[0].flags)
        self.assertNotIn("DC", weir.log_of("/other")[0].flags)

    def test_cookies_that_came_apart_are_joined(self):
        api = self.backend()
        weir = self.in_front_of(api)
        account = fetch2(weir.address, fields=[("cookie", "a=1"), ("cookie", "b=2")]).json()
        self.assertEqual(["a=1; b=2"], fields_of(account, "cookie"))


if __name__ == "__main__":
    unittest.main()
