"""Peers that read slowly are served, and peers that read nothing harm no one."""

import os
import socket
import threading
import time
import unittest

from backend import pattern
from h2_wire import (CANCEL, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PREFACE, RST_STREAM, SETTINGS, WHOLE_BODY,
                     WINDOW_UPDATE, H2Client, block, frame, number, setting)
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


if __name__ == "__main__":
    unittest.main()
