"""Peers that read slowly are served, and peers that read nothing harm no one."""

import os
import socket
import threading
import time
import unittest
from unittest import mock

from h2_wire import (CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, RST_STREAM, SETTINGS,
                     WHOLE_BODY, WINDOW_UPDATE, H2Client, block, frame, number, setting)
from harness import LITTLE_QUARANTINE, WeirCase, eventually, fetch, settings
from settings import answers, route
from wire import RawClient, connect, request_bytes

MIB = 1 << 20


class ReadsNothing(WeirCase):
    environment = LITTLE_QUARANTINE

    def test_a_client_that_has_more_under_way_is_let_go_and_the_process_lives(self):
        path = os.path.join(self.folder(), "weir.sock")
        for more in (request_bytes(target="/again"), b"half of an upload"):
            with self.subTest(more=more[:20]):
                weir = self.weir({"listeners": [{"bind": f"unix:{path}"}], "workers": 1, "timeouts": {"write": "1s"},
                                  "routes": [answers(200, "x" * 2 * MIB)]})
                head = request_bytes("POST", fields={"content-length": 100}) if b"half" in more else request_bytes()
                client = RawClient(f"unix:{path}")
                self.addCleanup(client.close)
                client.send(head + more)
                eventually(lambda: weir.metric(settings.IN_FLIGHT) == 1, "the response under way")
                eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "it is given up")
                time.sleep(2.5)                      # the connection lingers
                self.assertEqual(2 * MIB, len(fetch(f"unix:{path}").body))
                weir.stop()

    def test_responses_that_the_client_resets_and_does_not_read_are_not_piled_up(self):
        weir = self.weir({"workers": 1, "routes": [
            {"match": {"path": "/large"}, "respond": {"status": 200, "body": "x" * 2 * MIB}}, answers(200, "small")]})
        sock = connect(weir.address, receive_buffer=4096, timeout=2)
        self.addCleanup(sock.close)

        def ask(stream, path):
            return frame(HEADERS, block([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path),
                                         *[(f"x-{n}", "y" * 40) for n in range(10)]]), END_HEADERS | END_STREAM, stream)
        sock.sendall(PREFACE + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, WHOLE_BODY))) + frame(WINDOW_UPDATE, number(WHOLE_BODY)) +
                     b"".join(ask(stream, "/large") for stream in range(1, 9, 2)))
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 4, "four downloads")
        before, stream = weir.memory(), 9
        try:
            for _ in range(300):
                sock.sendall(b"".join(ask(at, "/") for at in range(stream, stream + 100, 2)))
                time.sleep(0.005)
                sock.sendall(b"".join(frame(RST_STREAM, number(CANCEL), 0, at) for at in range(stream, stream + 100, 2)))
                stream += 100
        except OSError:
            pass                                     # Weir reads no more
        self.assertLess(weir.memory() - before, 12 * 1024)
        self.assertEqual(200, fetch(weir.address).status)


class ReadsSlowly(WeirCase):
    RATE, SECONDS = 200_000, 4

    def read_slowly(self, weir, sock):
        """At a steady rate, four times as long as a peer may take nothing."""
        got, until = 0, time.monotonic() + self.SECONDS
        while time.monotonic() < until:
            piece = sock.recv(self.RATE // 20)
            self.assertTrue(piece, f"cut off after {got} B: {weir.access_log()}")
            got += len(piece)
            time.sleep(0.05)

    def test_a_steady_reader_is_cut_off_by_no_timeout(self):
        weir = self.in_front_of(self.backend(), workers=1, timeouts={"write": "1s"})
        target = f"/bytes/{40 * MIB}"
        opening = (PREFACE + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, WHOLE_BODY))) + frame(WINDOW_UPDATE, number(WHOLE_BODY)) +
                   frame(HEADERS, block([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", target)]),
                         END_HEADERS | END_STREAM, 1))
        for name, request in (("HTTP/1.1", request_bytes(target=target)), ("HTTP/2", opening)):
            with self.subTest(name):
                sock = connect(weir.address)
                self.addCleanup(sock.close)
                sock.sendall(request)
                self.read_slowly(weir, sock)

    def test_a_steady_endpoint_is_sent_all_of_an_upload(self):
        def script(connection):
            connection.request_head()
            self.read_slowly(weir, connection.sock)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        upstream = settings.upstream(self.scripted(script), **settings.upstream_timeouts(read="1s"))
        weir = self.weir({"workers": 1, "upstreams": {"api": upstream}, "routes": [route("/", "api")]})
        client = self.client(weir, timeout=30)
        upload = threading.Thread(target=lambda: client.send(request_bytes("POST", body=b"x" * 30 * MIB)), daemon=True)
        upload.start()
        self.assertEqual(200, client.head().status)

    def test_a_client_that_goes_on_uploading_gets_all_of_an_early_response(self):
        size = MIB
        weir = self.weir({"workers": 1, "routes": [answers(413, "x" * size)]})
        sock = socket.create_connection(weir.address.split(":"))
        self.addCleanup(sock.close)
        sock.sendall(request_bytes("POST", fields={"content-length": 100 * MIB}))
        got, until = 0, time.monotonic() + 20
        try:
            while time.monotonic() < until:
                piece = sock.recv(size // 50)
                if not piece:
                    break
                got += len(piece)
                time.sleep(0.1)
                sock.sendall(b"u" * 1000)
        except OSError:
            pass
        self.assertGreaterEqual(got, size)


class WriteTimeout(WeirCase):
    """Counts from the last byte that the client acknowledged."""

    def test_nothing_that_a_client_sends_makes_up_for_bytes_that_it_does_not_take(self):
        def resets(client):
            client.send_reset(client.ask(target="/bytes/3000000"))

        def opens(client):
            client.send(frame(WINDOW_UPDATE, number(1)))

        def uploads(client):
            if not hasattr(client, "upload"):
                client.upload = client.begin("POST", "/echo", {"content-length": str(MIB)})
            client.send_frame(DATA, b"u" * 10, stream=client.upload)

        def pings(client):
            client.send_frame(PING, b"12345678")
        for poke in (resets, opens, uploads, pings):
            with self.subTest(poke.__name__):
                weir = self.in_front_of(self.backend(), workers=1, timeouts={"write": "2s"})
                client = H2Client(weir.address, receive_buffer=4096)
                self.addCleanup(client.close)
                for _ in range(20):
                    client.ask(target="/bytes/3000000")
                until = time.monotonic() + 15
                while weir.metric(settings.CONNECTIONS):
                    self.assertLess(time.monotonic(), until, "the connection is still there")
                    time.sleep(0.5)
                    try:
                        poke(client)
                    except OSError:
                        break
                weir.stop()

    def client_with_a_small_window(self, weir):
        """Of the connection: 65,535 bytes, until it is told to grant more."""
        client = H2Client.__new__(H2Client)
        with mock.patch.object(H2Client, "send"):
            H2Client.__init__(client, weir.address, grants=False)
        self.addCleanup(client.close)
        client.send(PREFACE + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, WHOLE_BODY))))
        client.sock.settimeout(0.02)
        return client

    def read_steadily(self, client, streams, until, rate, seconds):
        """Grants `rate` bytes at most of what came, every 0.1 s."""
        seen, end = 0, time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            turn = time.monotonic() + 0.1
            while time.monotonic() < turn:
                try:
                    client.pump()
                except TimeoutError:
                    pass
            more = min(sum(len(client.message(stream).body) for stream in streams) - seen, rate)
            if more:
                client.send(frame(WINDOW_UPDATE, number(more)))
                seen += more

    def test_a_response_that_waits_behind_more_urgent_ones_is_not_given_up(self):
        for name, others, mine in (("in turn", "u=3", "u=3"), ("less urgent", "u=1, i", "u=5"), ("without priorities", "", "")):
            with self.subTest(name):
                weir = self.in_front_of(self.backend(), workers=1, timeouts={"write": "1s"})
                client = self.client_with_a_small_window(weir)
                large = [client.ask(target="/bytes/400000", fields=[("priority", others)] if others else []) for _ in range(3)]
                client.sock.settimeout(10)
                client.until(lambda: all(client.message(stream).has_head for stream in large))
                client.sock.settimeout(0.02)
                small = client.ask(target="/bytes/20000", fields=[("priority", mine)] if mine else [])
                message = client.message(small)
                self.read_steadily(client, large + [small], lambda: message.is_over, rate=40_000, seconds=30)
                self.assertIsNone(message.reset)
                self.assertEqual(20_000, len(message.body))
                weir.stop()

    def test_streams_of_a_connection_whose_window_stays_shut_are_given_up(self):
        weir = self.in_front_of(self.backend(), workers=1, timeouts={"write": "1s"})
        client = self.client_with_a_small_window(weir)
        streams = [client.ask(target="/bytes/400000") for _ in range(3)]
        for _ in range(30):
            time.sleep(0.2)
            client.send_frame(PING, b"12345678")     # reads, and takes no response
            try:
                while True:
                    client.pump()
            except TimeoutError:
                pass
            if all(client.message(stream).reset is not None for stream in streams):
                break
        self.assertNotIn(None, [client.message(stream).reset for stream in streams])
        self.assertGreater(client.pongs, 0)


if __name__ == "__main__":
    unittest.main()
