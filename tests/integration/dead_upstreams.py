"""A connection that an endpoint left dead, or left bytes on, carries no further request, and no response reaches the wrong one."""

import queue
import signal
import socket
import ssl
import threading
import unittest
from contextlib import contextmanager

from backend import digest, ok, pattern
from certificates import Authority
from h2_wire import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, PING, RST_STREAM, H2Server, block, frame, number
from harness import PATIENCE, WeirCase, eventually, settings
from wire import Cut, Stream, request_bytes

FAULTS = "weir_upstream_connection_faults_total"


def over_http2(upstream, **pings):
    return upstream | {"protocol": "http2"} | ({"http2": pings} if pings else {})


class Mute(H2Server):
    """Once `silence` is called it reads and says nothing more, not even PONG."""

    def drain(self):
        try:
            while self.sock.recv(1 << 18):
                pass
        except OSError:
            pass


class DeadHttp2(WeirCase):
    """The first connection falls silent after one response, or never `greets`; the later ones are fine."""

    def serve(self, greets=True, filters=(), **pings):
        self.first_ended = threading.Event()

        def script(connection):
            if connection.index:
                server = H2Server(connection)
                while True:
                    server.answer(server.request()[0], b"fresh")
            if not greets:
                connection.wait_closed()
                return
            server = Mute(connection)
            server.answer(server.request()[0], b"first")
            server.drain()
            self.first_ended.set()
        self.script = self.scripted(script)
        timeouts = settings.upstream_timeouts(response="1s", connect="10s")
        upstream = over_http2(settings.upstream(self.script, **timeouts), **pings)
        return self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api", filters=list(filters))]})

    def test_after_a_timeout_the_next_request_uses_another_connection_and_the_dead_one_is_closed(self):
        weir = self.serve(ping_timeout="1s")
        client = self.client(weir)
        self.assertEqual(b"first", bytes(client.get().body))
        self.assertEqual(504, client.get().status)
        for _ in range(12):
            self.assertEqual(b"fresh", bytes(client.get().body))
        self.assertTrue(self.first_ended.wait(PATIENCE), "the dead connection was kept")
        self.assertEqual(2, len(self.script.connections))
        self.assertEqual(1, weir.metric(FAULTS, upstream="api", reason="silent"))

    def test_after_a_response_that_stops_the_next_request_uses_another_connection(self):
        def script(connection):
            server = Mute(connection)
            if connection.index:
                while True:
                    server.answer(server.request()[0], b"fresh")
            stream, _ = server.request()
            server.send_headers(stream, [(":status", "200")])
            server.send_data(stream, b"begun", end=False)
            server.drain()
        self.script = self.scripted(script)
        upstream = over_http2(settings.upstream(self.script, **settings.upstream_timeouts(read="1s")), ping_timeout="1s")
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        with self.assertRaises(Cut):
            self.fetch(weir)
        for _ in range(3):
            self.assertEqual(b"fresh", bytes(self.fetch(weir).body))
        eventually(lambda: weir.metric(FAULTS, upstream="api", reason="silent") == 1, "the dead connection was kept")

    def test_a_retry_after_a_timeout_uses_another_connection(self):
        weir = self.serve(filters=[settings.retry(attempts=2, on=["timeout"], **settings.ample())])
        client = self.client(weir)
        self.assertEqual(b"first", bytes(client.get().body))
        self.assertEqual(b"fresh", bytes(client.get().body))

    def test_clients_that_leave_before_any_timeout_do_not_keep_a_dead_connection_in_use(self):
        weir = self.serve(ping_timeout="100ms")
        self.assertEqual(b"first", bytes(self.fetch(weir).body))
        leaving = self.client(weir)
        leaving.send(request_bytes())
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 1, "the request in flight")
        self.assertFalse(leaving.is_closed(within=0.5))
        leaving.close()
        self.assertTrue(self.first_ended.wait(PATIENCE), "the dead connection was kept")
        self.assertEqual(b"fresh", bytes(self.fetch(weir).body))

    def test_clients_that_leave_one_after_the_other_do_not_keep_a_dead_connection_in_use(self):
        weir = self.serve(ping_timeout="1s")
        self.assertEqual(b"first", bytes(self.fetch(weir).body))
        for _ in range(8):                           # each waits for less than a PING may take
            leaving = self.client(weir)
            leaving.send(request_bytes())
            leaving.is_closed(within=0.4)
            leaving.close()
        self.assertTrue(self.first_ended.wait(PATIENCE), "the dead connection was kept")
        self.assertEqual(b"fresh", bytes(self.fetch(weir).body))

    def test_an_endpoint_that_accepts_and_never_speaks_holds_nobody_up(self):
        weir = self.serve(greets=False, ping_timeout="200ms")
        first = self.in_background(lambda: self.fetch(weir).status)
        eventually(lambda: len(self.script.connections) == 1, "the first connection")
        self.assertEqual(b"fresh", bytes(self.fetch(weir).body))
        self.assertEqual(504, first.result())
        eventually(lambda: self.script.connections[0].ended.is_set(), "the end of the mute connection")

    def test_keep_alive_pings_find_a_dead_connection_before_a_request_does(self):
        weir = self.serve(ping_interval="1s", ping_timeout="500ms")
        self.assertEqual(b"first", bytes(self.fetch(weir).body))
        self.assertTrue(self.first_ended.wait(PATIENCE), "the dead connection was kept")
        self.assertEqual(b"fresh", bytes(self.fetch(weir).body))

    def test_an_endpoint_that_answers_pings_keeps_its_connection(self):
        pings = []

        class Counting(H2Server):
            def _take(self, came):
                if came.kind == PING and not came.flags:
                    pings.append(came.payload)
                super()._take(came)

        def script(connection):
            server = Counting(connection)
            while True:
                stream, request = server.request()
                if request.get(":path") != "/slow":
                    server.answer(stream)
        backend = self.scripted(script)
        upstream = over_http2(settings.upstream(backend, **settings.upstream_timeouts(response="1s")))
        client = self.client(self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]}))
        self.assertEqual(200, client.get().status)
        self.assertEqual(504, client.get("/slow").status)
        eventually(lambda: pings, "a PING")
        for _ in range(5):
            self.assertEqual(200, client.get().status)
        self.assertFalse(backend.connections[0].ended.is_set(), "a connection that answers was closed")


class LeftBehind(WeirCase):
    """What arrives on an idle connection while Weir is about to use it. Weir stands still meanwhile, so that it finds the next
    request and the endpoint's bytes at once, the request first."""

    @contextmanager
    def standing_still(self, weir):
        weir.signal(signal.SIGSTOP)
        eventually(lambda: self.state(weir) == "T", "the stop")
        yield
        weir.signal(signal.SIGCONT)

    def state(self, weir):
        with open(f"/proc/{weir.pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]

    def serve(self, first=ok(b"good"), method="GET", tls=None):
        """Requests of that method are answered by `first`; then the connection does what `in_its_thread` asks for: two threads must
        not use one TLS connection."""
        self.asked, self.done = queue.SimpleQueue(), queue.SimpleQueue()

        def script(connection):
            if tls:
                connection.sock = tls.wrap_socket(connection.sock, server_side=True)
                connection.stream = Stream(connection.sock)
            while True:
                if connection.request().method != method:
                    connection.send(ok(b"good"))
                    continue
                connection.send(first)
                self.asked.get()(connection)
                self.done.put(None)
        return self.scripted(script)

    def in_its_thread(self, leave):
        def ask(_):
            self.asked.put(leave)
            self.done.get(timeout=PATIENCE)
        return ask

    def assert_unharmed(self, weir, backend, leave, method="GET"):
        client = self.client(weir)
        for _ in range(5):
            client.request(method)
            with self.standing_still(weir):
                client.send(request_bytes("POST", body=b"once"))
                leave(backend.connections[-1])
            response = client.response()
            self.assertEqual((200, b"good"), (response.status, bytes(response.body)))
        self.assertEqual(6, len(backend.connections))

    def assert_poison_answers_nobody(self, weir, backend, method="GET"):
        self.assert_unharmed(weir, backend, self.in_its_thread(lambda connection: connection.send(ok(b"poison"))), method)
        eventually(lambda: weir.metric(FAULTS, upstream="api", reason="unsolicited_bytes") == 5, "each is counted")

    def test_a_second_response_answers_nobody(self):
        backend = self.serve()
        self.assert_poison_answers_nobody(self.in_front_of(backend), backend)

    def test_a_second_response_over_tls_answers_nobody(self):
        authority = Authority(self.folder())
        pair = authority.issue("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        backend = self.serve(tls=context)
        upstream = settings.upstream(backend) | {"tls": {"ca": authority.ca}}
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        self.assert_poison_answers_nobody(weir, backend)

    def test_a_body_where_none_may_be_answers_nobody(self):
        for method, head in (("HEAD", b"200 OK\r\nContent-Length: 99"), ("GET", b"204 None"), ("GET", b"304 Old\r\nETag: \"a\"")):
            with self.subTest(head):
                backend = self.serve(b"HTTP/1.1 " + head + b"\r\n\r\n", method)
                self.assert_poison_answers_nobody(self.in_front_of(backend), backend, method)

    def test_the_end_of_a_connection_costs_no_request(self):
        backend = self.serve()
        self.assert_unharmed(self.in_front_of(backend), backend, self.in_its_thread(lambda connection: connection.close()))

    def assert_http2_unharmed(self, leave):
        servers = []

        def script(connection):
            servers.append(H2Server(connection))
            server = servers[-1]
            while True:
                server.answer(server.request()[0], b"good")
        upstream = over_http2(settings.upstream(backend := self.scripted(script)))
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        self.assert_unharmed(weir, backend, lambda connection: leave(servers[-1]))

    def test_the_end_of_an_http2_connection_costs_no_request(self):
        self.assert_http2_unharmed(lambda server: server.sock.shutdown(socket.SHUT_RDWR))

    def test_goaway_costs_no_request(self):
        self.assert_http2_unharmed(lambda server: server.send_frame(GOAWAY, number(1) + number(NO_ERROR)))


class LastWords(WeirCase):
    """A response that arrived whole reaches the client, whatever the endpoint does next."""

    BODY = pattern(60_000)

    def assert_heard(self, weir, method="GET", body=b"", rounds=20):
        for _ in range(rounds):
            response = self.fetch(weir, method, "/", body=body)
            self.assertEqual((200, digest(self.BODY)), (response.status, digest(response.body)))

    def over_http2(self, script):
        upstream = over_http2(settings.upstream(self.scripted(script)))
        return self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})

    def response(self, stream):
        """Its frames, whole."""
        pieces = [self.BODY[i:i + 16384] for i in range(0, len(self.BODY), 16384)]
        return frame(HEADERS, block([(":status", "200")]), END_HEADERS, stream) + b"".join(
            frame(DATA, piece, END_STREAM if piece is pieces[-1] else 0, stream) for piece in pieces)

    def test_before_a_reset(self):
        def script(connection):
            connection.request()
            connection.send(ok(self.BODY))
            connection.reset()
        self.assert_heard(self.in_front_of(self.scripted(script)))

    def test_before_the_end_of_an_http2_connection(self):
        def script(connection):
            server = H2Server(connection)
            stream, _ = server.request()
            server.send(self.response(stream) + frame(GOAWAY, number(stream) + number(NO_ERROR)))
        self.assert_heard(self.over_http2(script))

    def test_before_the_reset_of_an_http2_connection(self):
        def script(connection):
            server = H2Server(connection)
            stream, _ = server.request()
            server.send(self.response(stream))
            server.abort()
        self.assert_heard(self.over_http2(script))

    def test_before_the_reset_of_a_stream_whose_request_is_not_read(self):
        def script(connection):
            server = H2Server(connection, window=1000, grants=False)
            while True:
                stream, _ = server.request()
                server.send(self.response(stream) + frame(RST_STREAM, number(NO_ERROR), stream=stream))
        self.assert_heard(self.over_http2(script), "POST", body=b"x" * 50_000)


class VanishedPeers(WeirCase):
    KEEP_ALIVE = "02"                               # the timer of an idle socket in /proc/net/tcp

    def timers(self, port):
        """Of established connections of which one end has this port: {"local", "remote"} -> timers."""
        found = {"local": [], "remote": []}
        with open("/proc/net/tcp") as table:
            for line in list(table)[1:]:
                _, local, remote, state, _, timer, *_ = line.split()
                for end, address in (("local", local), ("remote", remote)):
                    if state == "01" and int(address.split(":")[1], 16) == port:
                        found[end].append(timer.split(":")[0])
        return found

    def test_the_kernel_probes_idle_connections_of_both_sides(self):
        backend = self.backend()
        weir = self.in_front_of(backend)
        client = self.client(weir)
        self.assertEqual(200, client.get().status)
        eventually(lambda: self.timers(backend.port)["remote"] == [self.KEEP_ALIVE], "probes of the endpoint")
        eventually(lambda: self.timers(int(weir.address.split(":")[1]))["local"] == [self.KEEP_ALIVE], "probes of the client")


if __name__ == "__main__":
    unittest.main()
