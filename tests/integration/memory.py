"""What idle connections cost that each served a request: at most 1 KiB in the clear, more with TLS and HTTP/2, whose
libraries keep a state of their own (OpenSSL 13.7 KiB, a session of nghttp2 25 until it rests). And what a flood leaves
behind."""

import resource
import time
import unittest

import tls
from backend import pattern
from h2_wire import H2Client
from harness import ReleaseCase, eventually, free_address, settings
from load import FastOrigin
from wire import RawClient, request_bytes

CONNECTIONS = 9000
KIB_EACH = 1.0
FEWER = 1000                                        # of those that cost more, here too
KIB_EACH_HTTPS, KIB_EACH_H2, KIB_EACH_H2C = 15.3, 20.0, 8.0
REST = 10                                           # seconds until what an idle connection doesn't need is given back
FLOOD = 400                                         # clients that take nothing of 3 MB each
KEEP = 4 * 1024                                     # KiB of free blocks that each worker keeps by default
LEFT = 8 * 1024                                     # KiB of everything else that a flood may leave behind


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Memory(ReleaseCase):
    def setUp(self):
        super().setUp()
        if raise_file_limit() < CONNECTIONS + 1000:
            self.skipTest("too few files allowed")

    def serve(self):
        return self.weir({
            "upstreams": {"api": settings.upstream(self._kept(FastOrigin(pattern(1024))))},
            "filters": ["request_id"],
            "routes": [settings.route("/", "api")],
            **settings.client_limits(connections=20_000),
            **settings.client_timeouts(idle="10m"),
        })

    def open(self, weir, count):
        """Connections that each served a request, 100 of them at a time."""
        clients, wire = [], request_bytes()
        while len(clients) < count:
            batch = [RawClient(weir.address) for _ in range(min(100, count - len(clients)))]
            for client in batch:
                client.send(wire)
            for client in batch:
                self.assertEqual(200, client.response().status)
                client.stream.received.clear()
            clients += batch
        for client in clients:
            self.addCleanup(client.close)
        return clients

    def test_idle_connections_are_cheap(self):
        weir = self.serve()
        warm = self.open(weir, 200)
        for client in warm:
            client.close()
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        before = weir.proportional_memory()
        self.open(weir, CONNECTIONS)
        each = (weir.proportional_memory() - before) / CONNECTIONS
        print(f"\nan idle connection: {each:.2f} KiB")
        self.assertLessEqual(each, KIB_EACH)


class CostlierMemory(tls.TlsCase, ReleaseCase):
    """By PSS, over connections that are opened one after the other."""

    def assert_costs(self, what, most, open_one, **listener):
        weir = self.weir({
            "listeners": [settings.listener(free_address(), **listener)],
            "upstreams": {"api": settings.upstream(self._kept(FastOrigin(pattern(1024))))},
            "routes": [settings.route("/", "api")],
            "access_log": {"path": "/dev/null"},
            **settings.client_timeouts(idle="10m"),
        })
        warm = [open_one(weir) for _ in range(100)]
        for client in warm:
            client.close()
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 0, "no connection")
        before = weir.proportional_memory()
        clients = [open_one(weir) for _ in range(FEWER)]
        for client in clients:
            self.addCleanup(client.close)
        each = lambda: (weir.proportional_memory() - before) / FEWER
        at_first = each()
        try:
            eventually(lambda: each() <= most, "idle connections are cheap", REST)
        finally:
            print(f"\nan idle connection, {what}: {each():.2f} KiB, at first {at_first:.2f}")
        for client in clients[:100]:
            self.assertEqual(200, client.get().status)

    def setUp(self):
        super().setUp()
        raise_file_limit()
        self.secured = {"tls": {"certificates": [self.site.yaml()]}}

    def open_https(self, weir):
        client = tls.TlsClient(weir.address, self.trusting)
        self.assertEqual(200, client.get().status)
        return client

    def open_h2(self, weir):
        client = H2Client(weir.address, self.trusting)
        self.assertEqual(200, client.get().status)
        return client

    def open_h2c(self, weir):
        client = H2Client(weir.address)
        self.assertEqual(200, client.get().status)
        return client

    def test_https_1_1(self):
        self.trusting = self.context()
        self.assert_costs("HTTPS/1.1", KIB_EACH_HTTPS, self.open_https, **self.secured)

    def test_h2(self):
        self.trusting = self.context()
        self.trusting.set_alpn_protocols(["h2"])
        self.assert_costs("HTTP/2 over TLS", KIB_EACH_H2, self.open_h2, **self.secured)

    def test_h2c(self):
        self.assert_costs("HTTP/2 in the clear", KIB_EACH_H2C, self.open_h2c)


class MemoryAfterAFlood(ReleaseCase):
    def flood(self, weir):
        """Until nothing more comes in: all the room that there is for them is full. In chunks, which pass no kernel pipe."""
        clients = [RawClient(weir.address, receive_buffer=4096) for _ in range(FLOOD)]
        for client in clients:
            client.send(request_bytes(target="/chunked/3000000"))
        eventually(lambda: weir.metric(settings.ENDPOINT_ACTIVE) == FLOOD, "all are answered")
        sizes = []

        def is_full():
            time.sleep(0.2)
            sizes.append(weir.memory())
            return sizes[-3:] == [sizes[-1]] * 3
        eventually(is_full, "nothing more comes in", 60)
        for client in clients:
            client.reset()
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        return sizes[-1]

    def test_the_system_has_free_blocks_back_within_10_seconds(self):
        weir = self.weir({
            "upstreams": {"api": settings.upstream(self.backend())},
            "routes": [settings.route("/", "api")],
        })
        self.assertEqual(200, self.fetch(weir).status)
        before = weir.memory()
        flooded = self.flood(weir)
        self.assertGreater(flooded, before + 20 * 1024, "that was no flood")
        try:
            eventually(lambda: weir.memory() <= before + KEEP + LEFT, "the memory is back", 10)
        finally:
            print(f"\nresident before, in and after a flood: {before}, {flooded}, {weir.memory()} KiB")
        self.assertEqual(200, self.fetch(weir).status)


if __name__ == "__main__":
    unittest.main()
