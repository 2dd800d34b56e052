"""What a full cache costs: by its own account no more than it may, by the kernel's a third more at most: what the allocator
makes of a flood that comes and goes, and the workers' read buffers, are in it, too. For the release build."""

import multiprocessing
import unittest

from backend import pattern
from cache_settings import BYTES, EVICTIONS, cache
from harness import ReleaseCase, settings
from load import FastOrigin
from wire import RawClient, request_bytes

MIB = 1 << 20
SIZE = 64 * MIB
BATCH = 10
MOST = 4 / 3 * 64       # MiB


class Memory(ReleaseCase):
    def serve(self, size):
        weir = self.weir({
            "workers": 2,
            "upstreams": {"api": settings.upstream(self._kept(FastOrigin(pattern(size))))},
            "routes": [settings.route("/", "api", filters=[
                cache(ttl="1h", max_size="64MiB", max_object="1MiB", bypass=["query.past"])])],
            "access_log": {"path": "/dev/null"},
        })
        self.flood(weir, 16 * MIB // size, "?past=1")   # the same load, past the cache
        return weir

    def flood(self, weir, count, query=""):
        """So many URLs, from two processes."""
        fork = multiprocessing.get_context("fork")
        clients = [fork.Process(target=self.client_of, args=(weir, name, count // 2, query)) for name in "ab"]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual([0, 0], [client.exitcode for client in clients])

    def client_of(self, weir, name, count, query):
        with RawClient(weir.address) as client:
            for start in range(0, count, BATCH):
                targets = [f"/{name}/{number}{query}" for number in range(start, start + BATCH)]
                client.send(b"".join(request_bytes(target=target) for target in targets))
                for _ in range(BATCH):
                    self.assertEqual(200, client.response().status)
                client.stream.received.clear()

    def cost(self, size):
        """MiB that the process grows by in a flood of unique URLs that would fill the cache twice."""
        weir = self.serve(size)
        before = weir.proportional_memory()
        self.flood(weir, 2 * SIZE // size)
        self.assertLessEqual(weir.metric(BYTES), SIZE)
        self.assertGreater(weir.metric(BYTES), 0.5 * SIZE)
        self.assertGreater(weir.metric(EVICTIONS), 0)
        grown = (weir.proportional_memory() - before) / 1024
        print(f"\nobjects of {size} bytes: {grown:.1f} MiB for 64")
        return grown

    def test_a_flood_of_small_objects(self):
        self.assertLessEqual(self.cost(1000), MOST)

    def test_a_flood_of_middling_objects(self):
        self.assertLessEqual(self.cost(16_000), MOST)

    def test_a_flood_of_large_objects(self):
        self.assertLessEqual(self.cost(300_000), MOST)


if __name__ == "__main__":
    unittest.main()
