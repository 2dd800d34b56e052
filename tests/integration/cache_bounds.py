"""Whatever is thrown at it, the cache stays within its bytes, and keeps what is asked for often."""

import random
import unittest

from backend import pattern
from cache_case import CacheCase, Page, status_of
from cache_settings import BYTES, CACHE_LABEL, EVICTIONS, OBJECTS, collapse
from harness import eventually
from wire import RawClient, request_bytes

FRESH = "max-age=600"
MIB = 1 << 20


class Bounds(CacheCase):
    caches = {f"/{name}/": {"max_size": "1MiB", "max_object": "64KiB"}
              for name in ("flood", "keys", "heads", "scan", "zipf", "churn")}

    def figure(self, name, cache):
        return self.shared.metric(name, **{CACHE_LABEL: cache})

    def assert_within(self, cache):
        self.assertLessEqual(self.figure(BYTES, cache), 1.1 * MIB)

    def flood(self, cache, targets, fields=(), batch=20):
        """Asks for each of them, a batch at a time over one connection."""
        with RawClient(self.shared.address) as client:
            for start in range(0, len(targets), batch):
                client.send(b"".join(request_bytes(target=target, fields=fields) for target in targets[start:start + batch]))
                for _ in targets[start:start + batch]:
                    self.assertEqual(200, client.response().status)
                client.stream.received.clear()
                if start % 200 == 0:
                    self.assert_within(cache)
        self.assert_within(cache)

    def everywhere(self, cache, **what):
        page = Page(**{"cache_control": FRESH, **what})
        self.page(lambda connection, request, number: page(connection, request, 1), path=f"/{cache}/all")
        return f"/{cache}/all"

    def test_a_flood_of_unique_urls(self):
        path = self.everywhere("flood", body=pattern(8000))
        self.flood("flood", [f"{path}?{number}" for number in range(600)])
        self.assertGreater(self.figure(EVICTIONS, "flood"), 300)
        self.assertGreater(self.figure(OBJECTS, "flood"), 60)
        self.assertGreater(self.figure(BYTES, "flood"), 0.5 * MIB)

    def test_keys_count(self):
        """A body of a byte under an URL of 4 KiB isn't a byte."""
        path = self.everywhere("keys", body=b"x")
        self.flood("keys", [f"{path}?{'k' * 4000}{number}" for number in range(600)])
        self.assertLess(self.figure(OBJECTS, "keys"), 1.1 * MIB / 4000)
        self.assertGreater(self.figure(EVICTIONS, "keys"), 0)

    def test_heads_count(self):
        path = self.everywhere("heads", body=b"x", fields=[("X-Long", "h" * 5000)])
        self.flood("heads", [f"{path}?{number}" for number in range(600)])
        self.assertLess(self.figure(OBJECTS, "heads"), 1.1 * MIB / 5000)

    def test_what_takes_the_place_of_another_gives_its_bytes_back(self):
        path = self.everywhere("churn", body=pattern(30_000))
        with RawClient(self.shared.address) as client:
            for _ in range(100):
                client.get(path, {"Cache-Control": "no-cache"})
        self.assertLessEqual(self.figure(OBJECTS, "churn"), 1)
        eventually(lambda: self.figure(BYTES, "churn") < 70_000, "one object's bytes")

    def test_the_hot_set_keeps_its_rate_while_a_scan_goes_through(self):
        path = self.everywhere("scan", body=pattern(8000))
        hot = [f"{path}?hot{number}" for number in range(40)]     # a third of the bytes
        with RawClient(self.shared.address) as client:
            for _ in range(3):
                self.rate(client, hot)
            self.assertGreaterEqual(self.rate(client, random.Random(5).choices(hot, k=500), f"{path}?cold"), 0.9)

    def test_a_load_by_zipf_keeps_most_of_its_rate_while_a_scan_goes_through(self):
        path = self.everywhere("zipf", body=pattern(8000))
        pages = [f"{path}?page{number}" for number in range(400)]  # three times the bytes
        weights = [1 / rank**0.9 for rank in range(1, 401)]
        load = lambda seed: random.Random(seed).choices(pages, weights, k=600)
        with RawClient(self.shared.address) as client:
            self.rate(client, load(1))
            alone = self.rate(client, load(2))
            scanned = self.rate(client, load(3), f"{path}?cold")
        self.assertGreater(alone, 0.5)
        self.assertGreaterEqual(scanned, 0.8 * alone)

    def rate(self, client, targets, scan=None):
        """The share of hits; between them, two others each that nobody wants again."""
        hits = 0
        for number, target in enumerate(targets):
            if scan:
                client.get(f"{scan}{2 * number}")
                client.get(f"{scan}{2 * number + 1}")
            hits += status_of(client.get(target)).is_hit
            client.stream.received.clear()
        return hits / len(targets)


class Fills(CacheCase):
    """What is on its way counts, too."""

    caches = {"/": {"max_size": "1MiB", "max_object": "256KiB", **collapse(wait="30s")}}

    def test_many_large_fills_at_once(self):
        body = pattern(200_000)
        path = self.page(lambda connection, request, number: Page(body=body, cache_control=FRESH)(connection, request, 1))
        clients = [self.client(self.shared) for _ in range(40)]
        for number, client in enumerate(clients):
            client.send(request_bytes(target=f"{path}?{number}"))
        for client in clients:
            self.assertEqual(body, bytes(client.response().body))
        self.assertLessEqual(self.shared.metric(BYTES), 1.1 * MIB)


if __name__ == "__main__":
    unittest.main()
