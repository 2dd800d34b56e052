"""What a full cache costs, by its own account and by the kernel's: what it may, and a tenth more at most, however long a flood
lasts. For the release build."""

import multiprocessing
import unittest

from backend import pattern
from cache_case import Origin, Page
from cache_settings import BYTES, EVICTIONS, cache
from harness import ReleaseCase, eventually, settings
from load import FastOrigin
from wire import RawClient, chunked, request_bytes

MIB = 1 << 20
SIZE = 64 * MIB
BATCH = 10
MOST = 1.1 * 64         # MiB


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

    def cost(self, size, floods):
        """MiB that the process grows by in floods of unique URLs, each of which would fill the cache twice."""
        weir = self.serve(size)
        before = weir.proportional_memory()
        for number in range(floods):
            self.flood(weir, 2 * SIZE // size, f"?flood={number}")
            self.assertLessEqual(weir.metric(BYTES), SIZE)
        self.assertGreater(weir.metric(BYTES), 0.5 * SIZE)
        self.assertGreater(weir.metric(EVICTIONS), 0)
        grown = (weir.proportional_memory() - before) / 1024
        print(f"\nobjects of {size} bytes: {grown:.1f} MiB for 64")
        return grown

    def test_a_flood_of_small_objects(self):
        self.assertLessEqual(self.cost(1000, floods=2), MOST)

    def test_a_flood_of_middling_objects(self):
        self.assertLessEqual(self.cost(16_000, floods=4), MOST)

    def test_a_flood_of_large_objects(self):
        self.assertLessEqual(self.cost(300_000, floods=4), MOST)


class Stalled(ReleaseCase):
    """Clients that take nothing pin what they asked for, and no more than there is room for."""

    CLIENTS = 100
    ROOM = 1.1 * 64 + 0.25 * CLIENTS    # MiB: what a connection takes beside

    def serve(self, page, **limits):
        origin = self._kept(Origin())
        origin.pages["/"] = page
        return self.weir({
            "workers": 2,
            "timeouts": {"write": "6s"},
            "upstreams": {"api": settings.upstream(origin)},
            "routes": [settings.route("/", "api", filters=[cache(max_size="64MiB", **limits)])],
        })

    def cost(self, weir):
        """The most that the process grows by, in MiB, until all clients are cut off."""
        self.fetch(weir, target="/?first")
        before = weir.proportional_memory()
        clients = [self.client(weir, receive_buffer=4096) for _ in range(self.CLIENTS)]
        most = 0
        for number, client in enumerate(clients):
            client.send(request_bytes(target=f"/?{number}"))
            most = max(most, weir.proportional_memory())

        def are_cut_off():
            nonlocal most
            most = max(most, weir.proportional_memory())
            return weir.metric(settings.CONNECTIONS) == 0
        eventually(are_cut_off, "all have been cut off", patience=60)
        grown = (most - before) / 1024
        print(f"\n{self.CLIENTS} stalled clients: {grown:.1f} MiB for 64")
        return grown

    def test_of_what_is_kept(self):
        weir = self.serve(Page(body=pattern(4 * MIB), cache_control="max-age=600"))
        self.assertLessEqual(self.cost(weir), self.ROOM)
        self.assertIn("stored", self.fetch(weir, target="/?new").get("cache-status"))

    def test_of_what_only_passes(self):
        """Nobody knows before how large it is."""
        wire = chunked(pattern(4 * MIB))

        def in_chunks(connection, request, number):
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=600\r\n\r\n" + wire)
        self.assertLessEqual(self.cost(self.serve(in_chunks, max_object="1MiB")), self.ROOM)


if __name__ == "__main__":
    unittest.main()
