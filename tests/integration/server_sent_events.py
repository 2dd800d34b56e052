"""Server-sent events: each leaves when it comes, and a stream lives as long as something comes."""

import queue
import subprocess
import threading
import time
import unittest

from harness import WeirCase, eventually, settings
from settings import route
from wire import Cut, chunk, request_bytes

AT_ONCE = 0.1                                        # seconds from the backend to the client
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(number):
    return f"data: {number}\n\n".encode()


class Events(WeirCase):
    def serving(self, hops="h1", patience=None, **config):
        self.to_send = to_send = queue.Queue()       # events, or None for the end
        self.addCleanup(to_send.put, None)

        def stream(connection):
            connection.request()
            connection.send(HEAD)
            while (data := to_send.get()) is not None:
                connection.sent = time.monotonic()
                connection.send(chunk(data))
            connection.send("0\r\n\r\n")
        self.events = self.scripted(stream)
        usual = settings.upstream(self.events, timeouts=patience)
        if hops == "h2":
            inner = self.weir({"upstreams": {"api": usual}, "routes": [route("/", "api", "inner")]})
            usual = settings.upstream(inner.address, timeouts=patience) | {"protocol": "http2"}
        return self.weir({"upstreams": {"api": usual}, "routes": [route("/", "api", "all")], **config})

    def curl(self, weir, *options):
        process = subprocess.Popen(["curl", "-sSN", *options, f"http://{weir.address}/events"], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_at_once(self, read):
        """`read` blocks until the event that was sent is there."""
        delays = []
        for number in range(10):
            self.to_send.put(event(number))
            self.assertEqual(event(number), read(len(event(number))))
            delays.append(time.monotonic() - self.events.connections[0].sent)
        self.assertLess(sorted(delays)[5], AT_ONCE, delays)

    def test_an_event_leaves_at_once(self):
        for hops in ("h1", "h2"):
            for options in (["--http1.1"], ["--http2-prior-knowledge"]):
                with self.subTest(hops=hops, client=options):
                    process = self.curl(self.serving(hops), *options)
                    self.assert_at_once(process.stdout.read)
                    self.to_send.put(None)
                    self.assertEqual(b"", process.stdout.read())
                    self.assertEqual(0, process.wait())

    def test_the_head_leaves_before_the_first_event(self):
        weir = self.serving()
        client = self.client(weir)
        client.send(request_bytes(target="/events"))
        self.assertEqual("text/event-stream", client.head().get("content-type"))

    def test_only_silence_ends_it(self):
        """Neither the time for an answer nor that between two requests counts."""
        for options in (["--http1.1"], ["--http2-prior-knowledge"]):
            with self.subTest(client=options):
                patience = {"between_bytes": "600ms", "response": "300ms"}
                weir = self.serving(patience=patience, **settings.client_timeouts(idle="300ms", body="300ms", head="300ms"))
                process = self.curl(weir, *options)
                for number in range(10):
                    self.to_send.put(event(number))
                    self.assertEqual(event(number), process.stdout.read(len(event(number))))
                    time.sleep(0.2)
                self.assertEqual(b"", process.stdout.read())         # then nothing comes
                self.assertNotEqual(0, process.wait())               # and it isn't a clean end
                self.assertIn("UT", weir.log_of("/events")[0].flags)

    def test_a_total_timeout_ends_it_where_one_is_set(self):
        weir = self.serving(routes=[route("/", "api", "all", timeout="500ms")])
        client = self.client(weir)
        client.send(request_bytes(target="/events"))
        stop = threading.Event()
        self.addCleanup(stop.set)
        self.in_background(lambda: [self.to_send.put(event(0)) or stop.wait(0.05) for _ in range(100) if not stop.is_set()])
        with self.assertRaises(Cut):
            client.response()
        self.assertEqual(1, len(weir.log_of("/events")))

    def test_a_client_that_leaves_ends_the_stream_at_the_backend(self):
        """At once over HTTP/2; over HTTP/1.1, where FIN may be a half-close, when the next events come."""
        for options in (["--http1.1"], ["--http2-prior-knowledge"]):
            with self.subTest(client=options):
                weir = self.serving()
                process = self.curl(weir, *options)
                self.to_send.put(event(0))
                process.stdout.read(len(event(0)))
                process.kill()
                eventually(lambda: self.has_left(weir, options), "the log line")
                self.assertIn("DC", weir.log_of("/events")[0].flags)

    def has_left(self, weir, options):
        if options == ["--http1.1"]:
            self.to_send.put(event(1))
        return weir.access_log()


if __name__ == "__main__":
    unittest.main()
