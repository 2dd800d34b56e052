"""The hot path asks nothing of the allocator: 10,000 kept GETs with log and metrics on cost at most 100 calls."""

import os
import struct
import unittest

from backend import pattern
from harness import ReleaseCase, eventually, settings
from load import FastOrigin
from wire import request_bytes

COUNTER = os.environ.get("MALLOC_COUNTER", "")      # the preloaded library, built beside this test
ALLOWED = 100
KINDS = ("malloc", "calloc", "realloc", "posix_memalign")


@unittest.skipUnless(os.path.exists(COUNTER), "the counter is not built")
class MallocCount(ReleaseCase):
    def counted(self):
        with open(self.counts, "rb") as file:
            return dict(zip(KINDS, struct.unpack("4Q", file.read(32))))

    def serve(self, **route):
        self.counts = os.path.join(self.folder(), "counts")
        with open(self.counts, "wb") as file:
            file.write(bytes(32))
        origin = self._kept(FastOrigin(pattern(1024)))
        return self.weir({
            "upstreams": {"api": settings.upstream(origin)},
            "filters": ["request_id", settings.headers_filter(request={"set": {"X-Demo": "weir"}},
                                                              response={"add": {"X-Served-By": "weir"}, "remove": ["Server"]})],
            "routes": [settings.route("/", "api", **route)],
            **settings.client_limits(requests_per_connection=0),
        }, environment={"LD_PRELOAD": COUNTER, "MALLOC_COUNT": self.counts})

    def ask(self, clients, rounds):
        wire = request_bytes(fields={"User-Agent": "probe", "Accept": "*/*"})
        for _ in range(rounds):
            for client in clients:
                client.send(wire)
            for client in clients:
                response = client.response()
                self.assertEqual((200, 1024), (response.status, len(response.body)))
                client.stream.received.clear()

    def test_10_000_requests_over_8_connections(self):
        self.assert_frugal(self.serve())

    def test_10_000_hits_of_a_cache(self):
        weir = self.serve(filters=[{"cache": {"ttl": "1h"}}])
        self.assert_frugal(weir)
        hits = weir.metric("weir_cache_requests_total", status="hit")
        self.assertGreaterEqual(hits, 10_900)

    def assert_frugal(self, weir):
        clients = [self.client(weir) for _ in range(8)]
        self.ask(clients, 125)
        before = self.counted()
        self.assertGreater(sum(before.values()), 0, "the counter does not count")
        self.ask(clients, 1250)
        after = self.counted()
        calls = {kind: after[kind] - before[kind] for kind in KINDS}
        print(f"\n10,000 requests: {calls}")
        self.assertLessEqual(sum(calls.values()), ALLOWED, calls)
        self.assertEqual(11_000, sum(line.status == 200 for line in self.all_logged(weir)))

    def all_logged(self, weir):
        eventually(lambda: len(weir.access_log()) >= 11_000, "all lines in the access log")
        return weir.access_log()


if __name__ == "__main__":
    unittest.main()
