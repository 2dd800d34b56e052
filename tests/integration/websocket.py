"""WebSockets: what goes in at one end comes out at the other, over either version, and each end learns of the other's."""

import asyncio
import signal
import ssl
import time
import unittest

import websockets

import tls
from backend import pattern, reply_bytes
from h2_wire import H2Server
from harness import WeirCase, eventually, free_address, settings
from settings import route
from websocket_peers import (BINARY, CLOSE, CONTINUATION, GOING_AWAY, KEY, PING, PONG, TEXT, EchoBackend, Frame,
                             Http2Client, WebSocketClient, accept, accept_of, frame, read_exactly, upgrade_fields)
from wire import Closed, Cut, Stream, request_bytes

CONNECTIONS = "weir_endpoint_connections"
HOPS = ("h1", "h1 to h2 to h1")


def upstream(*endpoints, timeouts=None, **more):
    return settings.upstream(*endpoints, timeouts=timeouts) | more


def tunnel_timeout(duration):
    return {"tunnel": duration}


class WebSocketCase(WeirCase):
    def echo_backend(self):
        return self._kept(EchoBackend())

    def in_front(self, backend, hops="h1", patience=None, **config):
        """The Weir that clients talk to; with a second one behind it, to which it speaks HTTP/2."""
        if hops != "h1":
            self.inner = self.weir({"upstreams": {"api": upstream(backend)}, "routes": [route("/", "api", "inner")]})
            config["upstreams"] = {"api": upstream(self.inner.address, timeouts=patience, protocol="http2")}
        else:
            config.setdefault("upstreams", {"api": upstream(backend, timeouts=patience)})
        return self.weir({"routes": [route("/", "api", "all")], **config})

    def web_socket(self, weir, target="/chat", *fields):
        client = WebSocketClient(weir if isinstance(weir, str) else weir.address)
        self.addCleanup(client.close)
        client.answer = client.open(target, *fields)
        return client

    def opened(self, weir, target="/chat", *fields):
        client = self.web_socket(weir, target, *fields)
        self.assertEqual(101, client.answer.status, client.answer)
        return client

    def assert_nothing_left(self, weir, connections=0):
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        eventually(lambda: weir.metric(CONNECTIONS) <= connections, "no connection to the endpoint")

    def assert_ends(self, client, within=2):
        started = time.monotonic()
        self.assertTrue(client.is_closed(10), "it stayed open")
        self.assertLess(time.monotonic() - started, within)


class Frames(WebSocketCase):
    def test_frames_pass_both_ways_as_they_are(self):
        backend = self.echo_backend()
        for hops in HOPS:
            with self.subTest(hops):
                client = self.opened(self.in_front(backend, hops))
                for payload, opcode, final in ((b"", TEXT, True), ("grüß dich".encode(), TEXT, True), (b"frag", BINARY, False),
                                               (b"ment", CONTINUATION, False), (b"ed", CONTINUATION, True),
                                               (pattern(126), BINARY, True), (pattern(70_000), BINARY, True)):
                    client.say(payload, opcode, final)
                    self.assertEqual(Frame(opcode, payload, final, False), client.hear())
                client.say(b"are you there", PING)
                self.assertEqual(Frame(PONG, b"are you there", True, False), client.hear())
                self.assertTrue(all(come.masked for come in backend.frames))

    def test_large_messages(self):
        backend = self.echo_backend()
        for hops in HOPS:
            with self.subTest(hops):
                client = self.opened(self.in_front(backend, hops))
                for _ in range(3):
                    self.assertEqual(pattern(1 << 20), client.echo(pattern(1 << 20)))

    def test_bytes_that_trickle(self):
        client = self.opened(self.in_front(self.echo_backend(), "h1 to h2 to h1"))
        client.send(frame(b"drop by drop", masked=True), fragment=1)
        self.assertEqual(b"drop by drop", client.hear().payload)

    def test_what_is_sent_before_the_answer_is_not_lost(self):
        for hops in HOPS:
            with self.subTest(hops):
                weir = self.in_front(self.echo_backend(), hops)
                client = self._kept_client(weir)
                client.send(request_bytes(target="/early", fields=upgrade_fields()) + frame(b"early bird", masked=True))
                self.assertEqual(101, client.response().status)
                self.assertEqual(b"early bird", client.hear().payload)
                self.assertEqual(b"later", client.echo(b"later"))

    def _kept_client(self, weir):
        client = WebSocketClient(weir.address)
        self.addCleanup(client.close)
        return client

    def test_many_at_once_over_one_connection(self):
        weir = self.in_front(self.echo_backend(), "h1 to h2 to h1")
        clients = [self.opened(weir) for _ in range(20)]
        for number, client in enumerate(clients):
            client.say(f"for {number}")
        for number, client in reversed(list(enumerate(clients))):
            self.assertEqual(f"for {number}".encode(), client.hear().payload)
        self.assertEqual(1, weir.metric(CONNECTIONS))


class Handshake(WebSocketCase):
    def test_the_answer_has_what_rfc_6455_asks_for(self):
        for hops in HOPS:
            with self.subTest(hops):
                answer = self.opened(self.in_front(self.echo_backend(), hops)).answer
                self.assertEqual([accept_of(KEY)], answer.all("sec-websocket-accept"))
                self.assertEqual(["websocket"], [value.lower() for value in answer.all("upgrade")])
                self.assertIn("upgrade", answer.get("connection").lower())
                self.assertEqual([], answer.all("content-length") + answer.all("transfer-encoding"))

    def test_subprotocols_extensions_and_other_fields_pass_end_to_end(self):
        for hops in HOPS:
            with self.subTest(hops):
                backend = self.echo_backend()
                client = self.opened(self.in_front(backend, hops), "/chat?room=1", ("Sec-WebSocket-Protocol", "soap, wamp"),
                                     ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
                                     ("Origin", "https://a.test"), ("Cookie", "a=b"))
                asked = backend.requests[0]
                self.assertEqual("/chat?room=1", asked.target)
                self.assertEqual("soap, wamp", asked.get("sec-websocket-protocol"))
                self.assertEqual("permessage-deflate; client_max_window_bits", asked.get("sec-websocket-extensions"))
                self.assertEqual(("13", "https://a.test", "a=b"),
                                 (asked.get("sec-websocket-version"), asked.get("origin"), asked.get("cookie")))
                self.assertEqual(1, len(asked.all("sec-websocket-key")))
                self.assertNotEqual(KEY, asked.get("sec-websocket-key"))      # each hop has its own
                self.assertEqual("soap", client.answer.get("sec-websocket-protocol"))
                self.assertEqual("backend", client.answer.get("x-from"))

    def test_a_handshake_may_say_that_it_has_no_body(self):
        backend = self.echo_backend()
        for hops in HOPS:
            with self.subTest(hops):
                client = self.opened(self.in_front(backend, hops), "/chat", ("Content-Length", "0"))
                self.assertEqual(b"hello", client.echo(b"hello"))

    def test_a_refusal_reaches_the_client_and_the_connection_stays_usable(self):
        backend = self.echo_backend()
        for hops in HOPS:
            weir = self.in_front(backend, hops)
            client = self.web_socket(weir, "/status/403")
            for status in (403, 426, 503, *[200] * (hops == "h1")):
                with self.subTest((hops, status)):
                    answer = client.open(f"/status/{status}")
                    self.assertEqual((status, "no", b"refused"), (answer.status, answer.get("x-why"), bytes(answer.body)))
                    self.assertEqual(200, client.get("/status/200").status)
            self.assertEqual(101, client.open().status)
            self.assertEqual(b"at last", client.echo(b"at last"))

    def test_over_http2_a_success_that_grants_nothing_is_a_502(self):
        """It would be taken for a tunnel there."""
        client = self.web_socket(self.in_front(self.echo_backend(), "h1 to h2 to h1"), "/status/200")
        self.assertEqual(502, client.answer.status)
        self.assertEqual(101, client.open().status)

    def test_an_answer_that_breaks_the_handshake_is_a_502(self):
        wrong = {
            "accept": [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_of("other"))],
            "no accept": [("Upgrade", "websocket"), ("Connection", "Upgrade")],
            "protocol": [("Upgrade", "h2c"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_of(KEY))],
        }
        for name, fields in wrong.items():
            def script(connection):
                connection.request()
                connection.send(reply_bytes(101, fields) + b"anything")
                connection.wait_closed()
            for hops in HOPS:
                with self.subTest((name, hops)):
                    weir = self.in_front(self.scripted(script), hops)
                    client = self.web_socket(weir)
                    self.assertEqual(502, client.answer.status)
                    self.assert_nothing_left(weir, connections=hops != "h1")

    def test_a_101_that_nobody_asked_for_is_a_502(self):
        def script(connection):
            accept(connection, _with_key(connection.request()))
            connection.wait_closed()
        weir = self.in_front(self.scripted(script))
        self.assertEqual(502, self.fetch(weir).status)

    def test_other_upgrades_are_stripped(self):
        backend = self.backend()
        weir = self.in_front_of(backend)
        for upgrade in ("h2c", "TLS/1.0", "foo", "websocket, h2c"):
            with self.subTest(upgrade):
                client = self.client(weir)
                answer = client.get("/plain", [("Upgrade", upgrade), ("Connection", "Upgrade, HTTP2-Settings"),
                                               ("HTTP2-Settings", "AAMAAABkAAQAAP__"), ("Sec-WebSocket-Version", "13"),
                                               ("Sec-WebSocket-Key", KEY)])
                self.assertEqual(200, answer.status)
                sent = {name.lower() for name, _ in answer.json()["fields"]}
                self.assertEqual(set(), sent & {"upgrade", "http2-settings", "connection"})
                self.assertEqual(200, client.get("/next").status)

    def test_what_is_no_sound_request_for_a_web_socket_is_a_plain_one(self):
        backend = self.backend()
        weir = self.in_front_of(backend)
        without = lambda name: [pair for pair in upgrade_fields() if pair[0] != name]
        for name, how in {
            "POST": {"method": "POST", "fields": upgrade_fields(), "body": b"body"},
            "POST without a body": {"method": "POST", "fields": upgrade_fields()},
            "HTTP/1.0": {"fields": upgrade_fields(), "version": "1.0"},
            "no key": {"fields": without("Sec-WebSocket-Key")},
            "a bad key": {"fields": upgrade_fields(key="short")},
            "no version": {"fields": without("Sec-WebSocket-Version")},
            "no Connection": {"fields": without("Connection")},
        }.items():
            with self.subTest(name):
                answer = self.fetch(weir, **how)
                self.assertEqual(200, answer.status)
                self.assertNotIn("upgrade", {field.lower() for field, _ in answer.json()["fields"]})


class Http2(WebSocketCase):
    def connected(self, weir, *how):
        client = Http2Client(weir.address)
        self.addCleanup(client.close)
        client.connect(weir.address, *how)
        return client

    def test_an_extended_connect_is_a_web_socket(self):
        for hops in HOPS:
            with self.subTest(hops):
                backend = self.echo_backend()
                weir = self.in_front(backend, hops)
                client = self.connected(weir)
                client.put(client.DATA, frame(b"early bird", masked=True))
                kind, flags, _ = client.get(client.HEADERS, client.RST_STREAM)
                self.assertEqual((client.HEADERS, client.END_HEADERS), (kind, flags))
                self.assertEqual(frame(b"early bird"), client.get(client.DATA)[2])
                client.put(client.DATA, frame(GOING_AWAY, CLOSE, masked=True), client.END_STREAM)
                self.assertEqual(frame(GOING_AWAY, CLOSE), client.get(client.DATA)[2])
                client.close()
                self.assertEqual((101, "HTTP/2"), tuple(weir.log_of("/chat")[0][key] for key in ("status", "proto")))
                self.assert_nothing_left(weir, connections=hops != "h1")

    def test_it_is_told_at_the_deadline(self):
        weir = self.in_front(self.echo_backend(), **settings.shutdown(drain_timeout="300ms"))
        client = self.connected(weir)
        client.get(client.HEADERS)
        weir.signal(signal.SIGTERM)
        self.assertEqual(frame(GOING_AWAY, CLOSE), client.get(client.DATA)[2])
        client.close()
        self.assertEqual(0, weir.wait())

    def test_tunnels_of_other_protocols_are_not_implemented(self):
        backend = self.echo_backend()
        weir = self.in_front(backend)
        client = self.connected(weir, "/other", "connect-udp")
        client.get(client.HEADERS)
        client.close()
        self.assertEqual(501, weir.log_of("/other")[0].status)
        self.assertEqual([], backend.requests)


class Ends(WebSocketCase):
    def pair(self, hops, **config):
        """A tunnel, and the backend's end of it."""
        backend = self.echo_backend()
        weir = self.in_front(backend, hops, **config)
        client = self.opened(weir)
        self.assertEqual(b"hello", client.echo(b"hello"))
        return weir, client, backend.connections[0]

    def assert_ended(self, connection):
        self.assertTrue(connection.ended.wait(2), "the backend didn't learn of it")

    def both(self, check):
        for hops in HOPS:
            with self.subTest(hops):
                weir = check(*self.pair(hops))
                self.assert_nothing_left(weir, connections=hops != "h1")
                if hops != "h1":
                    self.assert_nothing_left(self.inner)
                lines = weir.log_of("/chat")
                self.assertEqual(1, len(lines))
                self.assertEqual(101, lines[0].status)

    def test_a_client_that_closes(self):
        def check(weir, client, connection):
            client.close()
            self.assert_ended(connection)
            return weir
        self.both(check)

    def test_a_client_that_resets(self):
        def check(weir, client, connection):
            client.reset()
            self.assert_ended(connection)
            return weir
        self.both(check)

    def test_a_client_that_is_done_still_hears_the_rest(self):
        """FIN is a half-close in a tunnel."""
        def check(weir, client, connection):
            client.send(frame(b"last words", masked=True))
            client.half_close()
            self.assertEqual(b"last words", client.hear().payload)
            self.assert_ends(client)
            return weir
        self.both(check)

    def test_a_backend_that_closes(self):
        def check(weir, client, connection):
            connection.close()
            self.assert_ends(client)
            client.close()
            return weir
        self.both(check)

    def test_a_backend_that_resets(self):
        def check(weir, client, connection):
            client.say(b"reset")
            self.assert_ends(client)
            client.close()
            return weir
        self.both(check)

    def test_a_goodbye_that_is_said_by_the_rules(self):
        def check(weir, client, connection):
            client.say(GOING_AWAY, CLOSE)
            self.assertEqual(Frame(CLOSE, GOING_AWAY, True, False), client.hear())
            self.assert_ends(client)
            client.close()
            self.assert_ended(connection)
            return weir
        self.both(check)

    def test_the_log_counts_the_bytes(self):
        weir, client, _ = self.pair("h1")
        client.echo(pattern(1000))
        client.close()
        line = weir.log_of("/chat")[0]
        masked, plain = len(frame(b"hello", masked=True)) + 1008, len(frame(b"hello")) + 1004
        self.assertEqual((masked, plain), (line["bytes_in"], line["bytes_out"]))

    def test_tunnels_are_not_in_the_latencies(self):
        weir, client, _ = self.pair("h1")
        client.close()
        weir.log_of("/chat")
        eventually(lambda: weir.metric(settings.REQUESTS, route="all"), "it counted")
        self.assertEqual(0, weir.metric(settings.REQUEST_SECONDS + "_count", route="all"))

    def test_one_over_which_nothing_goes_ends(self):
        for hops in HOPS:
            with self.subTest(hops):
                weir, client, connection = self.pair(hops, patience=tunnel_timeout("300ms"))
                started = time.monotonic()
                self.assertEqual(GOING_AWAY, client.hear().payload)
                self.assert_ends(client)
                self.assertGreater(time.monotonic() - started, 0.2)
                client.close()
                self.assert_ended(connection)
                self.assert_nothing_left(weir, connections=hops != "h1")

    def test_both_ends_are_told_that_nothing_went_for_too_long(self):
        for hops in HOPS:
            with self.subTest(hops):
                backend = self.echo_backend()
                weir = self.in_front(backend, hops, patience=tunnel_timeout("300ms"))
                client = self.opened(weir)
                self.assertEqual(b"hello", client.echo(b"hello"))
                self.assertEqual(Frame(CLOSE, GOING_AWAY, True, False), client.hear())
                self.assert_ends(client)
                self.assertTrue(backend.connections[0].ended.wait(2))
                self.assertEqual(Frame(CLOSE, GOING_AWAY, True, True), backend.frames[-1])
                client.close()
                self.assert_nothing_left(weir, connections=hops != "h1")
                self.assertEqual({"UT"}, weir.log_of("/chat")[0].flags)

    def test_an_end_that_is_deaf_does_not_hold_it_up(self):
        weir = self.in_front(self.echo_backend(), patience=tunnel_timeout("200ms"))
        client = self.opened(weir, "/silent")
        self.assertEqual(GOING_AWAY, client.hear().payload)
        self.assert_nothing_left(weir)

    def test_bytes_either_way_keep_it_open(self):
        weir = self.in_front(self.echo_backend(), patience=tunnel_timeout("400ms"))
        talks, whispers = self.opened(weir, "/chat"), self.opened(weir, "/silent")
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            self.assertEqual(b"tick", talks.echo(b"tick"))
            whispers.say(b"tick")
            time.sleep(0.1)
        self.assertEqual(b"still", talks.echo(b"still"))


class Limits(WebSocketCase):
    def test_the_limits_of_requests_do_not_bind_tunnels(self):
        policy = settings.merged(settings.client_limits(body="1KiB", body_rate="1MiB"),
                                 settings.client_timeouts(body="200ms", idle="200ms"))
        for hops in HOPS:
            with self.subTest(hops):
                config = {**policy, "routes": [route("/", "api", "all", timeout="300ms")]}
                weir = self.in_front(self.echo_backend(), hops, patience={"response": "200ms", "between_bytes": "200ms"},
                                     **config)
                client = self.opened(weir)
                self.assertEqual(pattern(100_000), client.echo(pattern(100_000)))
                time.sleep(1.5)                      # every one of those timeouts has passed
                self.assertEqual(b"still", client.echo(b"still"))

    def test_an_endpoint_that_does_not_answer_the_handshake_is_given_up(self):
        weir = self.in_front(self.scripted(lambda connection: connection.wait_closed()), patience={"response": "200ms"})
        self.assertEqual(504, self.web_socket(weir).answer.status)


class Reloads(WebSocketCase):
    def test_a_hundred_survive_twenty_reloads(self):
        backend = self.echo_backend()
        for hops in HOPS:
            with self.subTest(hops):
                weir = self.in_front(backend, hops, workers=2)
                clients = [self.opened(weir) for _ in range(100)]
                upstreams = {"api": upstream(self.inner.address, protocol="http2") if hops != "h1" else upstream(backend)}
                for turn in range(20):
                    routes = [route(f"/new/{turn}", "api", f"new-{turn}"), route("/", "api", "all")]
                    weir.reload({"workers": 2, "upstreams": upstreams, "routes": routes})
                for client in clients:
                    self.assertEqual(b"still here", client.echo(b"still here"))
                for client in clients:
                    client.close()

    def test_a_listener_that_goes_takes_its_tunnels_along_after_the_grace(self):
        backend = self.echo_backend()
        stays, goes = (settings.listener(free_address(), name) for name in ("stays", "goes"))
        common = {"upstreams": {"api": upstream(backend)}, "routes": [route("/", "api", "all")], "stream_grace": "800ms"}
        weir = self.weir({"listeners": [stays, goes], **common})
        kept, lost = self.opened(stays["bind"]), self.opened(goes["bind"])
        started = time.monotonic()
        weir.reload({"listeners": [stays], **common})
        self.assertEqual(b"in the grace", lost.echo(b"in the grace"))
        self.assertEqual(Frame(CLOSE, GOING_AWAY, True, False), lost.hear())
        self.assertGreater(time.monotonic() - started, 0.7)
        self.assert_ends(lost)
        self.assertEqual(b"as ever", kept.echo(b"as ever"))


    def test_a_route_that_goes_takes_its_tunnels_along_after_the_grace(self):
        for hops in HOPS:
            with self.subTest(hops):
                backend = self.echo_backend()
                common = {"stream_grace": "600ms"}
                stays, goes = route("/stays", "api", "stays"), route("/goes", "api", "goes")
                weir = self.in_front(backend, hops, routes=[stays, goes], **common)
                common["upstreams"] = {"api": upstream(self.inner.address, protocol="http2") if hops != "h1" else upstream(backend)}
                kept, lost = self.opened(weir, "/stays"), self.opened(weir, "/goes")
                started = time.monotonic()
                weir.reload({"routes": [stays], **common})
                weir.reload({"routes": [route("/other", "api", "other"), stays], **common})
                self.assertEqual(b"in the grace", lost.echo(b"in the grace"))
                self.assertEqual(Frame(CLOSE, GOING_AWAY, True, False), lost.hear())
                self.assertGreater(time.monotonic() - started, 0.5)
                self.assert_ends(lost)
                line = weir.log_of("/goes")[0]
                self.assertEqual(("shutting_down", {"SH"}), (line["error"]["code"], line.flags))
                self.assertEqual(b"as ever", kept.echo(b"as ever"))
                eventually(lambda: Frame(CLOSE, GOING_AWAY, True, True) in backend.frames, "the backend is told, too")

    def test_a_route_that_comes_back_within_the_grace_keeps_its_tunnels(self):
        backend = self.echo_backend()
        weir = self.in_front(backend, routes=[route("/a", "api", "a")], stream_grace="400ms")
        client = self.opened(weir, "/a")
        common = {"upstreams": {"api": upstream(backend)}, "stream_grace": "400ms"}
        weir.reload({"routes": [route("/b", "api", "b")], **common})
        weir.reload({"routes": [route("/b", "api", "b"), route("/a", "api", "a")], **common})
        time.sleep(0.7)
        self.assertEqual(b"here", client.echo(b"here"))


class Drain(WebSocketCase):
    def draining(self, hops="h1", target="/chat", **config):
        backend = self.echo_backend()
        weir = self.in_front(backend, hops, **settings.shutdown(drain_timeout="600ms"), **config)
        client = self.opened(weir, target)
        if target != "/silent":
            self.assertEqual(b"hello", client.echo(b"hello"))
        return weir, client, backend

    def test_both_ends_are_told_at_the_deadline(self):
        for hops in HOPS:
            with self.subTest(hops):
                weir, client, backend = self.draining(hops)
                weir.signal(signal.SIGTERM)
                self.assertEqual(b"not yet", client.echo(b"not yet"))
                self.assertEqual(Frame(CLOSE, GOING_AWAY, True, False), client.hear())
                self.assert_ends(client)
                self.assertTrue(backend.connections[0].ended.wait(2))
                self.assertEqual(Frame(CLOSE, GOING_AWAY, True, True), backend.frames[-1])
                client.close()
                self.assertEqual(0, weir.wait())

    def test_a_client_that_does_not_leave_does_not_hold_it_up(self):
        weir, client, _ = self.draining(target="/silent")
        weir.signal(signal.SIGTERM)
        self.assertEqual(0, weir.wait(10))

    def test_inside_a_frame_there_is_only_the_end(self):
        def script(connection):
            accept(connection, connection.request())
            connection.send(frame(pattern(1000))[:500])
            read_exactly(connection.stream, 4)
            connection.rest = bytearray()
            connection.stream.rest(connection.rest)
        backend = self.scripted(script)
        weir = self.in_front(backend, **settings.shutdown(drain_timeout="300ms"))
        client = self.opened(weir)
        client.send(frame(b"whole", masked=True)[:7])
        eventually(lambda: len(client.stream.pending) == 500 or client.stream.fill() is None, "half a frame")
        weir.signal(signal.SIGTERM)
        while client.stream.fill():
            pass
        self.assertEqual(frame(pattern(1000))[:500], bytes(client.stream.pending))
        client.close()
        self.assertEqual(0, weir.wait())
        eventually(backend.connections[0].ended.is_set, "the backend's end")
        self.assertEqual(3, len(backend.connections[0].rest))


class Secure(tls.TlsCase, WebSocketCase):
    def test_wss(self):
        weir = self.serving(backend=self.echo_backend())
        client = WebSocketClient(weir.address)
        self.addCleanup(client.close)
        client.sock = self.context().wrap_socket(client.sock, server_hostname="a.test")
        client.stream = Stream(client.sock)
        self.assertEqual(101, client.open().status)
        self.assertEqual(pattern(1 << 20), client.echo(pattern(1 << 20)))
        client.close()
        self.assert_nothing_left(weir)

    def test_an_endpoint_that_takes_none_over_http2_is_spoken_to_by_http1(self):
        """By ALPN it is an HTTP/2 endpoint, without RFC 8441: the handshake goes over a connection of its own."""
        chosen = []

        class Endpoint(EchoBackend):
            def _play(self, connection):
                connection.sock = context.wrap_socket(connection.sock, server_side=True)
                connection.stream.sock = connection.sock
                super()._play(connection)

            def _serve(self, connection):
                chosen.append(connection.sock.selected_alpn_protocol())
                if chosen[-1] != "h2":
                    return super()._serve(connection)
                server = H2Server(connection)
                while True:
                    server.answer(server.request()[0])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.site.cert, self.site.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        backend = self._kept(Endpoint())
        weir = self.in_front(backend, upstreams={"api": upstream(backend) | {
            "tls": {"ca": self.authority.ca, "server_name": "a.test"}}})
        for _ in range(2):
            client = self.opened(weir)
            self.assertEqual(pattern(100_000), client.echo(pattern(100_000)))
            self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(["h2", "http/1.1", "http/1.1"], chosen)
        self.assertEqual(2, weir.metric("weir_http1_instead_total", upstream="api"))

    def test_wss_is_told_at_the_deadline(self):
        weir = self.serving(backend=self.echo_backend(), **settings.shutdown(drain_timeout="300ms"))
        client = WebSocketClient(weir.address)
        self.addCleanup(client.close)
        client.sock = self.context().wrap_socket(client.sock, server_hostname="a.test")
        client.stream = Stream(client.sock)
        self.assertEqual(101, client.open().status)
        weir.signal(signal.SIGTERM)
        self.assertEqual(GOING_AWAY, client.hear().payload)
        client.close()
        self.assertEqual(0, weir.wait())

    def test_a_well_kept_client_over_both(self):
        """Python's websockets: permessage-deflate, subprotocols, pings, an orderly end."""
        async def talk(url, **how):
            async with websockets.connect(url, subprotocols=["chat"], max_size=None, **how) as socket:
                self.assertEqual("chat", socket.subprotocol)
                for message in ("text", b"\x00\xff", "x" * 200_000, pattern(1 << 20)):
                    await socket.send(message)
                    self.assertEqual(message, await socket.recv())
                await asyncio.wait_for(await socket.ping(), 5)
            self.assertEqual(1000, socket.close_code)

        async def serve(socket):
            async for message in socket:
                await socket.send(message)

        async def main():
            async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as server:
                address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
                loop = asyncio.get_running_loop()
                for hops in HOPS:
                    plain = await loop.run_in_executor(None, lambda: self.in_front(address, hops))
                    await talk(f"ws://{plain.address}/")
                secure = await loop.run_in_executor(None, lambda: self.serving(backend=address))
                host, port = secure.address.split(":")
                await talk(f"wss://a.test:{port}/", host=host, ssl=self.context(), server_hostname="a.test")

        asyncio.run(main())


def _with_key(request):
    request.fields.append(("Sec-WebSocket-Key", KEY))
    return request


if __name__ == "__main__":
    unittest.main()
