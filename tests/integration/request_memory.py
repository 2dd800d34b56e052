"""What one request may cost: at most 16 times its size and 64 KiB, in however hostile pieces it comes.

Its size is that of its body or its long field, without what the pieces are wrapped in. Counted by a preloaded library:
the most bytes that the process held beyond what it held before.
"""

import mmap
import os
import struct
import threading
import time
import unittest

import cache_settings
from h2_wire import H2Server
from harness import ReleaseCase, eventually, settings
from wire import chunk, chunked, request_bytes

COUNTER = os.environ.get("MALLOC_COUNTER", "")      # the preloaded library, built beside this test
TIMES, BESIDES = 16, 64 * 1024
HELD, MOST, NUMBERS = 4, 5, 6
PIECES = 60_000                                     # of one byte each
LONG = 31 * 1024                                    # a field that still fits a head


def in_pieces(method="GET", target="/", fields=(), **more):
    head = request_bytes(method, target, [*fields, ("Transfer-Encoding", "chunked")], **more)
    return head + chunked(*[b"x"] * PIECES)


@unittest.skipUnless(os.path.exists(COUNTER), "the counter is not built")
class RequestMemory(ReleaseCase):
    def serve(self, *filters, upstream=None, **config):
        path = os.path.join(self.folder(), "counts")
        with open(path, "wb") as file:
            file.write(bytes(8 * NUMBERS))
        with open(path, "r+b") as file:
            self.counts = mmap.mmap(file.fileno(), 8 * NUMBERS)
        self.addCleanup(self.counts.close)
        return self.weir({
            "upstreams": {"api": upstream or settings.upstream(self.backend("a"), self.backend("b"))},
            "routes": [settings.route("/", "api", "all", filters=list(filters))],
            **config,
        }, environment={"LD_PRELOAD": COUNTER, "MALLOC_COUNT": path})

    def is_quiet(self):
        """Nothing has been allocated for a while."""
        before = self.number(0), self.number(HELD)
        time.sleep(0.3)
        return before == (self.number(0), self.number(HELD))

    def number(self, index):
        return struct.unpack_from("q", self.counts, 8 * index)[0]

    def assert_cost(self, weir, wire, size, statuses=(200,)):
        """After an ordinary request, which has filled what is kept for the next."""
        self.fetch(weir, target="/warm")
        eventually(self.is_quiet, "the ordinary request and its connection have ended")
        client = self.client(weir)
        before = self.number(HELD)
        struct.pack_into("q", self.counts, 8 * MOST, before)
        client.send(wire)
        self.assertIn(client.response().status, statuses)
        cost = self.number(MOST) - before
        print(f"\n{self.id().rpartition('.')[2]}: {cost / size:.1f} times {size} bytes")
        self.assertGreater(self.number(HELD), 0, "the counter does not count")
        self.assertLessEqual(cost, TIMES * size + BESIDES)

    def test_a_hedged_request_in_60_000_pieces(self):
        slow, quick = self.backend("slow"), self.backend("quick")
        slow.delay = quick.delay = 0.5
        weir = self.serve(settings.hedge("100ms", **settings.ample()), upstream=settings.upstream(slow, quick))
        self.assert_cost(weir, in_pieces(), PIECES)
        self.assertEqual(2, weir.log_of("/")[0]["upstream"]["attempts"])

    def test_a_request_in_60_000_pieces_that_falls_back_on_what_is_stored(self):
        weir = self.serve(settings.fallback(settings.to_stale("1h")), cache_settings.cache(ttl="1h"))
        self.assert_cost(weir, in_pieces(target="/status/503"), PIECES, (503,))

    def test_a_retried_request_in_60_000_pieces(self):
        weir = self.serve(settings.retry(attempts=3, on=[503], backoff={"base": "1ms"}, **settings.ample()))
        self.assert_cost(weir, in_pieces(target="/status/503"), PIECES, (503,))

    def test_an_upload_in_60_000_pieces_to_an_endpoint_that_takes_nothing(self):
        go_on = threading.Event()

        def script(connection):
            server = H2Server(connection, window=0)
            stream, _ = server.request()
            go_on.wait(60)
            server.answer(stream)
            connection.wait_closed()
        weir = self.serve(upstream=settings.upstream(self.scripted(script)) | {"protocol": "http2"})
        client = self.client(weir)
        client.send(request_bytes("POST", fields={"Transfer-Encoding": "chunked"}) + chunk(b"x"))
        eventually(lambda: weir.metric(settings.ENDPOINT_ACTIVE) == 1, "the upload has begun")
        before = self.number(HELD)
        struct.pack_into("q", self.counts, 8 * MOST, before)
        client.send(chunk(b"x") * PIECES, fragment=6 * 100)
        eventually(lambda: self.is_quiet(), "all of it has come")
        cost = self.number(MOST) - before
        go_on.set()
        print(f"\nheld for an endpoint: {cost / PIECES:.1f} times {PIECES} bytes")
        self.assertLessEqual(cost, TIMES * PIECES + BESIDES)

    def test_an_order_to_forget_in_60_000_pieces(self):
        weir = self.serve(cache_settings.cache(ttl="1h"))
        wire = in_pieces("POST", "/cache/purge", [("Content-Type", "application/json")], host="localhost")
        self.fetch(weir.admin, target="/cache")
        before = self.number(HELD)
        struct.pack_into("q", self.counts, 8 * MOST, before)
        client = self.client(weir.admin)
        client.send(wire)
        self.assertEqual(400, client.response().status)
        self.assertLessEqual(self.number(MOST) - before, TIMES * PIECES + BESIDES)

    def test_a_list_of_proxies(self):
        weir = self.serve(**settings.forwarded(style="rfc7239", trusted_proxies=["127.0.0.0/8"]))
        for member in ("for=127.0.0.1", "for=127.0.0.1;proto=https;host=a", "a"):
            with self.subTest(member):
                many = ",".join([member] * (LONG // (len(member) + 1)))
                self.assert_cost(weir, request_bytes(fields={"Forwarded": many}), len(many))

    def test_a_key_of_many_parameters(self):
        weir = self.serve(cache_settings.cache(ttl="1h", **cache_settings.query(deny=["x"], sort=True)))
        query = "&".join(["a"] * 4000)
        self.assert_cost(weir, request_bytes(target="/?" + query), len(query))

    def test_a_field_that_64_stored_responses_were_chosen_by(self):
        page = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=600\r\nVary: accept\r\n\r\nok"

        def script(connection):
            while True:
                connection.request()
                connection.send(page)
        weir = self.serve(cache_settings.cache(), upstream=settings.upstream(self.scripted(script)))
        with self.client(weir) as client:
            for number in range(64):
                self.assertEqual(200, client.get("/", {"Accept": f"text/{number}"}).status)
        self.assert_cost(weir, request_bytes(fields={"Accept": "a," * (LONG // 2)}), LONG)


if __name__ == "__main__":
    unittest.main()
