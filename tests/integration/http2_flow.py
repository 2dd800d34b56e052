"""HTTP/2's windows hold every flow at its source, and a drain or a reload costs no stream."""

import re
import signal
import subprocess
import threading
import unittest

from backend import HttpBackend, digest, ok, pattern
from h2_wire import NO_ERROR, H2Client, H2Server, fetch2
from harness import LITTLE_QUARANTINE, WeirCase, eventually, free_address, settings

MIB = 1 << 20
SIZE = 50 * MIB
GROWTH = 12 * 1024                                  # KiB: windows, buffers, and what a sanitizer adds to both
WINDOW = 65535


class Backpressure(WeirCase):
    environment = LITTLE_QUARANTINE

    def settled(self, position):
        """Waits until `position()` has stopped moving for a while."""
        seen, pause = [-1], threading.Event()

        def stands():
            before, seen[0] = seen[0], position()
            if before != seen[0]:
                pause.wait(0.3)
                return False
            return True
        eventually(stands, "the flow stands still")

    def h2_client(self, weir, **how):
        client = H2Client(weir.address, timeout=40, **how)
        self.addCleanup(client.close)
        return client

    def in_front(self, script, protocol, **how):
        backend = self.scripted(script, **how)
        return self.in_front_of(backend, upstreams={"api": settings.upstream(backend) | {"protocol": protocol}})

    def test_a_slow_stream_does_not_hold_the_others(self):
        weir = self.in_front_of(self.backend())
        client = self.h2_client(weir, window=WINDOW, grants=False)
        slow = client.ask(target=f"/bytes/{5 * MIB}")
        client.until(lambda: len(client.message(slow).body) == WINDOW)
        for _ in range(50):
            self.assertEqual(digest(pattern(60_000)), digest(client.get("/bytes/60000").body))
        client.grants = True
        client.grant(slow, 10 * MIB)
        self.assertEqual(digest(pattern(5 * MIB)), digest(client.response(slow).body))

    def hold_response(self, script, protocol, sent):
        weir = self.in_front(script, protocol)
        before = weir.memory()
        client = self.h2_client(weir, window=WINDOW, grants=False)
        stream = client.ask()
        client.until(lambda: len(client.message(stream).body) == WINDOW)
        self.settled(lambda: sent[0])
        self.assertLess(sent[0], SIZE * 3 // 4, "the backend could send all of it")
        self.assertLess(weir.memory() - before, GROWTH)
        client.grants = True
        client.grant(stream, WINDOW)
        self.assertEqual(digest(pattern(SIZE)), digest(client.response(stream).body))
        self.assertLess(weir.memory("VmHWM") - before, GROWTH)

    def test_a_slow_client_holds_a_large_response_at_an_http_1_backend(self):
        sent, body = [0], pattern(SIZE)

        def script(connection):
            connection.request()
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
            for start in range(0, SIZE, 65536):
                connection.send(body[start:start + 65536])
                sent[0] = start
            connection.wait_closed()
        self.hold_response(script, "http1", sent)

    def test_a_slow_client_holds_a_large_response_at_an_http_2_backend(self):
        sent, body = [0], pattern(SIZE)

        def script(connection):
            server = H2Server(connection)
            stream, _ = server.request()
            server.send_headers(stream, [(":status", "200")])
            for start in range(0, SIZE, 65536):
                server.send_data(stream, body[start:start + 65536], end=start + 65536 >= SIZE)
                sent[0] = start
            connection.wait_closed()
        self.hold_response(script, "http2", sent)

    def hold_upload(self, script, protocol, go, received, **how):
        weir = self.in_front(script, protocol, **how)
        before, sent, body = weir.memory(), [0], pattern(SIZE)
        client = self.h2_client(weir)
        stream = client.begin("POST", "/up", {"content-length": str(SIZE)})

        def upload():
            for start in range(0, SIZE, 65536):
                client.send_data(stream, body[start:start + 65536], end=start + 65536 >= SIZE)
                sent[0] = start
        uploading = self.in_background(upload)
        self.settled(lambda: sent[0])
        self.assertLess(sent[0], SIZE // 4, "the client could send a lot of it")
        self.assertLess(weir.memory() - before, GROWTH)
        go.set()
        uploading.result()
        self.assertEqual(b"done", bytes(client.response(stream).body))
        self.assertEqual([digest(body)], received)
        self.assertLess(weir.memory("VmHWM") - before, GROWTH)

    def test_each_of_several_responses_over_new_connections_arrives_whole(self):
        """The later ones are promised less room; their endpoints have not acknowledged any settings yet."""
        def script(connection):
            server = H2Server(connection)
            stream, _ = server.request()
            server.answer(stream, pattern(100_000))
            server.is_closed(30)
        servers = [self.scripted(script) for _ in range(5)]
        weir = self.weir({
            "upstreams": {f"api{index}": settings.upstream(server) | {"protocol": "http2"} for index, server in enumerate(servers)},
            "routes": [settings.route(f"/{index}", f"api{index}") for index in range(len(servers))],
        })
        client = self.h2_client(weir)
        streams = [client.ask(target=f"/{index}") for index in range(len(servers))]
        self.assertEqual([100_000] * len(servers), [len(client.response(stream).body) for stream in streams])

    def test_a_slow_http_1_backend_holds_an_upload_at_its_client(self):
        go, received = threading.Event(), []

        def script(connection):
            connection.request_head()
            go.wait(40)
            taken = bytearray()
            connection.stream.exactly(SIZE, taken)
            received.append(digest(taken))
            connection.send(ok(b"done"))
        self.hold_upload(script, "http1", go, received, receive_buffer=65536)

    def test_a_slow_http_2_backend_holds_an_upload_at_its_client(self):
        go, received = threading.Event(), []

        def script(connection):
            server = H2Server(connection, window=WINDOW, grants=False)
            stream, request = server.request()
            go.wait(40)
            server.grants = True
            server.grant(stream, 4 * WINDOW)
            server.until(lambda: request.complete)
            received.append(digest(request.body))
            server.answer(stream, b"done")
            connection.wait_closed()
        self.hold_upload(script, "http2", go, received)


class DrainAndReload(WeirCase):
    def holding(self, **config):
        """A client with one request in flight, and one behind it answered."""
        self.api = self.backend()
        weir = self.in_front_of(self.api, **settings.shutdown(drain_timeout="20s", delay="0s"), **config)
        client = H2Client(weir.address)
        self.addCleanup(client.close)
        held = client.ask(target="/hold")
        self.assertTrue(self.api.held.acquire(timeout=10))
        self.assertEqual(200, client.get("/behind").status)
        return weir, client, held

    def assert_let_go(self, client, held):
        """GOAWAY, then what is in flight ends, then the connection."""
        client.until(lambda: client.goaway)
        self.assertEqual(NO_ERROR, client.goaway[1])
        self.api.release.set()
        self.assertEqual("/hold", client.response(held).json()["target"])
        self.assertTrue(client.is_closed())

    def test_a_stop_signal_lets_streams_end(self):
        weir, client, held = self.holding()
        weir.signal(signal.SIGTERM)
        self.assert_let_go(client, held)
        self.assertEqual(0, weir.wait())

    def test_a_stream_that_crosses_the_goaway_is_served(self):
        weir, client, held = self.holding()
        weir.signal(signal.SIGTERM)
        pump, client.pump = client.pump, lambda: None
        eventually(lambda: weir.readiness() != 200, "draining")
        client.pump = pump
        self.assertEqual(200, client.get("/crossing").status)
        self.assert_let_go(client, held)
        self.assertEqual(0, weir.wait())

    def test_an_idle_connection_is_told_and_does_not_hold_the_end(self):
        weir = self.in_front_of(self.backend(), **settings.shutdown(drain_timeout="20s", delay="0s"))
        client = H2Client(weir.address)
        self.addCleanup(client.close)
        self.assertEqual(200, client.get().status)
        weir.signal(signal.SIGTERM)
        self.assertTrue(client.is_closed(5))
        self.assertEqual(NO_ERROR, client.goaway[1])
        self.assertEqual(0, weir.wait(5))

    def test_a_listener_that_a_reload_takes_away_lets_streams_end(self):
        other = free_address()
        weir, client, held = self.holding(stream_grace="20s")
        weir.reload({"upstreams": {"api": settings.upstream(self.api)}, "routes": [settings.route("/", "api", "all")],
                     "listeners": [settings.listener(other)]})
        self.assert_let_go(client, held)
        self.assertEqual(200, fetch2(other).status)

    def test_an_idle_connection_of_a_listener_that_went_is_closed(self):
        weir = self.in_front_of(self.backend(), stream_grace="20s")
        client = H2Client(weir.address)
        self.addCleanup(client.close)
        self.assertEqual(200, client.get().status)
        weir.reload({"routes": [settings.answers(200, "ok")], "listeners": [settings.listener(free_address())]})
        self.assertTrue(client.is_closed())
        self.assertEqual(NO_ERROR, client.goaway[1])

    def test_reloads_under_load_fail_no_request(self):
        weir = self.in_front_of(self.backend(), workers=2, **settings.client_limits(requests_per_connection=0))
        load = subprocess.Popen(["h2load", "-D", "4", "-c", "8", "-m", "16", f"http://{weir.address}/bytes/1000"],
                                stdout=subprocess.PIPE, text=True)
        reloads = 0
        while load.poll() is None:
            weir.reload()
            reloads += 1
        told = re.search(r"requests: (\d+) total, .* (\d+) succeeded, (\d+) failed, (\d+) errored", load.stdout.read())
        self.assertEqual(("0", "0"), (told[3], told[4]), told[0])
        self.assertGreater(int(told[2]), 100)
        self.assertGreater(reloads, 3)


if __name__ == "__main__":
    unittest.main()
