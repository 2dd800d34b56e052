"""HTTP/2 streams end on both sides: no late frame of a peer hangs a worker, no end of a response is lost, and every
connection has a timer."""

import os
import threading
import time
import unittest

import tls
from backend import ok, pattern
from h2_wire import (CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                     INTERNAL_ERROR, NO_ERROR, PING, PREFACE, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, H2Client, H2Server, block, fetch2,
                     frame, number, setting)
from harness import LITTLE_QUARANTINE, WeirCase, eventually, settings
from settings import route
from websocket_peers import accept
from wire import RawClient, connect

MIB = 1 << 20
ENABLE_CONNECT_PROTOCOL = 8
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "weir.test"), (":path", "/")]
CONNECT = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "weir.test"),
           (":path", "/chat"), ("sec-websocket-version", "13")]


def get(stream, path="/", flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, block([*GET[:3], (":path", path)]), flags, stream)


class StreamsCase(WeirCase):
    environment = LITTLE_QUARANTINE

    def assert_serves(self, weir):
        """The one worker turns, and nothing of the conversation is left."""
        self.assertEqual(200, fetch2(weir.address, target="/alive").status)
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")

    def h2_client(self, weir, **how):
        client = H2Client(weir.address, timeout=20, **how)
        self.addCleanup(client.close)
        return client

    def in_front_of_h2(self, script, **config):
        backend = self.scripted(script)
        upstream = settings.upstream(backend) | {"protocol": "http2"} | config.pop("upstream", {})
        return self.in_front_of(backend, **{"workers": 1, "upstreams": {"api": upstream}} | config)


def endpoint_of_few_bytes(connection):
    """/chunked: five bytes in a chunk, the end a moment later; /none: 204; else 200."""
    while True:
        request = connection.request()
        if request.target == "/chunked":
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "5\r\nhello\r\n")
            time.sleep(0.05)
            connection.send("0\r\n\r\n")
        elif request.target == "/none":
            connection.send("HTTP/1.1 204 No Content\r\n\r\n")
        elif request.target == "/unmodified":
            connection.send("HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            connection.send(ok())


class ClientsThatReset(StreamsCase):
    def test_an_end_that_a_closed_window_keeps_back(self):
        weir = self.in_front_of(self.scripted(endpoint_of_few_bytes), workers=1)
        with RawClient(weir.address) as client:
            client.send(PREFACE + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 5))) + get(1, "/chunked"))
            eventually(lambda: weir.metric(settings.IN_FLIGHT) == 1, "the response waits for its end")
            time.sleep(0.3)
            self.assertEqual(1, weir.metric(settings.IN_FLIGHT), "a response is over before its END_STREAM has left")
            client.send(frame(RST_STREAM, number(CANCEL), 0, 1))
            self.assert_serves(weir)

    def test_responses_without_a_body_behind_a_full_socket(self):
        weir = self.in_front_of(self.scripted(endpoint_of_few_bytes), self.backend("b"), workers=1, upstreams={
            "api": settings.upstream(self.scripted(endpoint_of_few_bytes)),
            "large": settings.upstream(self.backend("large"))},
            routes=[route("/bytes", "large", "large"), {"match": {"path": "/moved"}, "redirect": "https://a.test/"},
                    route("/", "api", "all")])
        for path in ("/none", "/unmodified", "/moved", "/chunked"):
            with self.subTest(path):
                client = self.h2_client(weir, receive_buffer=4096)
                client.send(get(1, f"/bytes/{20 * MIB}"))
                time.sleep(0.5)                       # the socket is full of the first response
                streams = range(3, 43, 2)
                client.send(b"".join(get(stream, path) for stream in streams))
                time.sleep(0.3)
                client.send(b"".join(frame(RST_STREAM, number(CANCEL), 0, stream) for stream in streams))
                time.sleep(0.2)
                self.assertEqual(200, fetch2(weir.address, target="/alive").status)
                client.close()
                self.assert_serves(weir)


class RequestsThatDoNotEnd(StreamsCase):
    def test_a_request_without_a_body_that_does_not_end_costs_its_own_stream_alone(self):
        release, seen = threading.Event(), []

        def script(connection):
            while True:
                seen.append(connection.request().target)
                release.wait(20)
                connection.send(ok())
        weir = self.in_front_of(self.scripted(script), **settings.client_timeouts(head="500ms"))
        client = self.h2_client(weir)
        others = [client.ask(target="/held") for _ in range(5)]
        unended = client.begin("POST", "/unended", [("content-length", "0")])
        self.assertEqual(408, client.response(unended).status)
        line = weir.log_of("/unended")[0]
        self.assertEqual((408, {"DT"}), (line.status, line.flags))
        client.send_frame(DATA, b"", END_STREAM, unended)  # too late, and no fault
        release.set()
        self.assertEqual([200] * 5, [client.response(stream).status for stream in others])
        self.assertIsNone(client.goaway)
        self.assertNotIn("/unended", seen)
        self.assert_serves(weir)

    def test_a_header_block_that_does_not_end_ends_the_connection_that_it_blocks(self):
        weir = self.in_front_of(self.backend(), **settings.client_timeouts(head="500ms"))
        client = self.h2_client(weir)
        self.assertEqual(200, client.get().status)
        client.begin("POST", "/unended", [("content-length", "0")])
        client.send(frame(HEADERS, block(GET), END_STREAM, 5))
        self.assertTrue(client.is_closed())
        self.assertEqual(ENHANCE_YOUR_CALM, client.goaway[1])


class EndpointsThatReset(StreamsCase):
    REQUESTS = 100  # more than the resets of Weir's own that retire a connection

    def test_a_stream_that_is_reset_is_an_answer_and_its_connection_stays_in_use(self):
        codes = {"/broken": INTERNAL_ERROR, "/busy": ENHANCE_YOUR_CALM, "/gone": CANCEL, "/none": NO_ERROR}
        connections, seen = [], []

        def script(connection):
            connections.append(connection)
            server = H2Server(connection)
            while True:
                stream, head = server.request()
                seen.append(head.get(":path"))
                if seen[-1] in codes:
                    server.send_reset(stream, codes[seen[-1]])
                else:
                    server.answer(stream)
        client = self.h2_client(self.in_front_of_h2(script))
        self.assertEqual(200, client.get("/fine").status)
        for path in codes:
            with self.subTest(path):
                self.assertEqual([502] * self.REQUESTS, [client.get(path).status for _ in range(self.REQUESTS)])
                self.assertEqual((self.REQUESTS, 1), (seen.count(path), len(connections)))

    def test_a_refused_request_goes_again_over_the_connection_that_has_room(self):
        connections, refused = [], set()

        def script(connection):
            connections.append(connection)
            server = H2Server(connection)
            while True:
                stream, head = server.request()
                if head.get(":path") in refused:
                    server.answer(stream)
                else:
                    refused.add(head.get(":path"))
                    server.send_reset(stream, REFUSED_STREAM)
        client = self.h2_client(self.in_front_of_h2(script))
        paths = [f"/{number}" for number in range(self.REQUESTS)]
        self.assertEqual([200] * self.REQUESTS, [client.get(path).status for path in paths])
        self.assertEqual((set(paths), 1), (refused, len(connections)))


class EndpointsThatEndEarly(StreamsCase):
    def answer_early(self, weir, client_asks):
        client = self.h2_client(weir)
        client_asks(client)
        self.assert_serves(weir)

    def test_a_refused_web_socket_and_a_late_reset(self):
        may_go = threading.Event()

        def script(connection):
            server = H2Server(connection, settings=[(ENABLE_CONNECT_PROTOCOL, 1)])
            while True:
                stream, request = server.request()
                if request.get(":protocol") == "websocket":
                    server.answer(stream, b"", 403)
                    may_go.wait(5)
                    server.send_reset(stream, NO_ERROR)
                else:
                    server.answer(stream)
        weir = self.in_front_of_h2(script)
        client = self.h2_client(weir)
        client.send(frame(HEADERS, block(CONNECT), END_HEADERS, 1))
        self.assertEqual(403, client.response(1).status)
        may_go.set()
        self.assert_serves(weir)

    def test_a_response_before_the_end_of_an_upload_and_a_late_reset(self):
        def script(connection):
            server = H2Server(connection)
            while True:
                stream, request = server.request()
                server.answer(stream)
                if request.get(":method") == "POST":
                    time.sleep(0.3)
                    server.send_reset(stream, NO_ERROR)
        weir = self.in_front_of_h2(script)
        client = self.h2_client(weir)
        for _ in range(3):
            stream = client.begin("POST", "/", {"content-length": str(MIB)})
            client.send_data(stream, b"x" * 1000, end=False)
            self.assertEqual(200, client.response(stream).status)
        time.sleep(0.5)
        self.assert_serves(weir)

    def test_a_connection_that_fails_with_a_finished_stream_in_its_codec(self):
        def script(connection):
            server = H2Server(connection, window=0)
            stream, _ = server.request()
            server.answer(stream)
            connection.reset()
        weir = self.in_front_of_h2(script, upstream={"retry_reused": False})
        for _ in range(5):
            client = self.h2_client(weir)
            stream = client.begin("POST", "/", {"content-length": "10"})
            client.send_data(stream, b"12345", end=False)
            client.response(stream)
            client.close()
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")


class TunnelsThatEnd(StreamsCase):
    def test_a_client_that_answers_the_close_frame_of_a_silent_tunnel(self):
        def script(connection):
            accept(connection, connection.request_head())
            connection.wait_closed()
        backend = self.scripted(script)
        weir = self.in_front_of(backend, workers=1, upstreams={
            "api": settings.upstream(backend) | {"timeouts": {"tunnel": "500ms"}},
            "other": settings.upstream(self.backend())},
            routes=[route("/chat", "api", "chat"), route("/", "other", "rest")])
        for _ in range(3):
            client = self.h2_client(weir)
            client.send(frame(HEADERS, block(CONNECT), END_HEADERS, 1))
            self.assertEqual(200, client.head(1).status)
            client.until(lambda: client.message(1).complete or client.message(1).reset is not None)
            client.send(frame(DATA, b"\x88\x82\0\0\0\0\x03\xe9", 0, 1))    # as a browser does
            time.sleep(0.2)
            client.send(frame(DATA, b"", END_STREAM, 1))
            self.assert_serves(weir)
            client.close()


class SlowReaders(StreamsCase):
    def test_a_reader_that_has_stopped_loses_its_connection_after_the_write_timeout(self):
        weir = self.in_front_of(self.backend(), workers=1, timeouts={"idle": "60s", "write": "1s"})
        sock = connect(weir.address, receive_buffer=4096)
        self.addCleanup(sock.close)
        sock.sendall(PREFACE + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 10 * MIB))) +
                     frame(WINDOW_UPDATE, number(10 * MIB)) + get(1, f"/bytes/{10 * MIB}"))
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 1, "it is under way")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "the stream is given up")
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 0, "the connection is given up")

    def test_what_the_kernel_has_yet_to_deliver_is_lost_by_no_idle_timeout(self):
        weir = self.in_front_of(self.backend(), workers=1, timeouts={"idle": "1s"})
        size = 200_000                               # more than the client's kernel takes, less than Weir's has room for
        for _ in range(3):
            with H2Client(weir.address, receive_buffer=4096) as client:
                stream = client.begin("GET", f"/bytes/{size}", end=True)
                eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "all of it has left")
                time.sleep(3.5)                      # the idle timeout, and the time after a FIN in which a client may still read
                client.send_frame(PING, b"12345678")
                self.assertEqual(pattern(size), client.response(stream).body)


class Timers(StreamsCase):
    def in_front(self, **timeouts):
        return self.in_front_of(self.backend(), workers=1, limits={"head": "4KiB"},
                                timeouts={"idle": "1s", "head": "1s", **timeouts})

    def test_a_connection_is_idle_after_any_end_of_its_streams(self):
        weir = self.in_front()
        ends = {
            "a reset by the client": get(1, "/hold") + frame(RST_STREAM, number(CANCEL), 0, 1),
            "a reset by Weir": frame(HEADERS, block([*GET, ("connection", "close")]), END_HEADERS | END_STREAM, 1),
            "a refused head": frame(HEADERS, block([*GET, ("x", "y" * 6000)]), END_HEADERS | END_STREAM, 1),
            "a refused head of an upload": frame(HEADERS, block([*GET, ("x", "y" * 6000)]), END_HEADERS, 1),
            "a response": get(1),
        }
        for name, wire in ends.items():
            with self.subTest(name):
                client = self.h2_client(weir)
                client.send(wire)
                self.assertTrue(client.is_closed(8), "the connection stayed open")

    def test_no_tick_of_a_stream_is_taken_for_the_idle_timeout(self):
        weir = self.in_front(idle="60s", head="60s")
        client = self.h2_client(weir)
        stream = client.begin("POST", "/", {"content-length": "100"})
        client.send_data(stream, b"x", end=False)
        client.send_reset(stream)
        time.sleep(2.5)
        client.send(frame(PING, b"12345678"))
        client.until(lambda: client.pongs == 1)
        self.assertIsNone(client.goaway)
        self.assertEqual(200, client.get().status)

    def test_a_client_that_has_said_goaway_is_let_go(self):
        weir = self.in_front(idle="60s")
        client = self.h2_client(weir)
        self.assertEqual(200, client.get().status)
        client.send(frame(GOAWAY, number(0) + number(NO_ERROR)) + frame(PING, b"12345678"))
        self.assertTrue(client.is_closed(8), "the connection stayed open")

    def test_a_client_that_says_goaway_gets_the_response_under_way(self):
        weir = self.in_front(idle="60s")
        client = self.h2_client(weir)
        stream = client.ask(target=f"/bytes/{MIB}")
        client.send(frame(GOAWAY, number(0) + number(NO_ERROR)))
        self.assertEqual(pattern(MIB), bytes(client.response(stream).body))
        self.assertTrue(client.is_closed(8), "the connection stayed open")


class Uploads(tls.TlsCase):
    def test_uploads_that_no_endpoint_takes_hold_up_no_other_upload_of_their_connection(self):
        def takes_nothing(connection):
            H2Server(connection, window=0).is_closed(60)
        stuck, taken = self.scripted(takes_nothing), self.backend()
        weir = self.serving(backend=taken, workers=1, routes=[route("/stuck", "stuck"), route("/taken", "api")], upstreams={
            "api": settings.upstream(taken), "stuck": settings.upstream(stuck) | {"protocol": "http2"}})
        upload = os.path.join(self.folder(), "upload")
        with open(upload, "wb") as file:
            file.write(b"x" * 4 * MIB)
        port = weir.address.rsplit(":", 1)[1]
        targets = [f"https://a.test:{port}/{name}" for name in (*["stuck"] * 7, "taken")]
        done = self.curl(weir, "/stuck", "--http2", "--parallel", "--max-time", "6", "--data-binary", f"@{upload}",
                         *(word for target in targets for word in ("-o", "/dev/null", target)), "-o", "/dev/null",
                         "-w", "%{url_effective} %{http_code} %{num_connects}\n")
        told = [line.split() for line in done.stdout.decode().splitlines()]
        self.assertIn([targets[-1], "200"], [line[:2] for line in told], done.stderr)
        self.assertEqual(1, sum(int(line[2]) for line in told), told)


class EarlyResponses(tls.TlsCase):
    """A response whose END_STREAM and RST_STREAM come in one read is lost by Debian 12's curl."""

    def test_curl_shows_a_response_that_comes_before_the_end_of_its_upload(self):
        weir = self.in_front_of(self.backend(), listeners=[self.secure()], routes=[
            {"match": {"path": "/forbidden"}, "respond": {"status": 403, "body": "no"}},
            {"match": {"path": "/small"}, "upstream": "api", "max_body": "1KiB"}])
        upload = os.path.join(self.folder(), "upload")
        with open(upload, "wb") as file:
            file.write(b"x" * 5 * MIB)
        for path, status in (("/forbidden", "403"), ("/small", "413")):
            for _ in range(4):
                done = self.curl(weir, path, "--http2", "--data-binary", f"@{upload}", "-H", "Expect:", "-o", "/dev/null",
                                 "-w", "%{http_code}")
                self.assertEqual((0, status), (done.returncode, done.stdout.decode()), done.stderr)


if __name__ == "__main__":
    unittest.main()
