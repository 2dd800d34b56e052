"""What idle connections cost that each served a request: at most 1 KiB in the clear, more with TLS and HTTP/2, whose
libraries keep a state of their own (OpenSSL 13.7 KiB, a session of nghttp2 25)."""

import resource
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
KIB_EACH_HTTPS, KIB_EACH_H2, KIB_EACH_H2C = 15.3, 44.0, 30.0


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

    def each(self, open_one, **listener):
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
        for _ in range(FEWER):
            self.addCleanup(open_one(weir).close)
        return (weir.proportional_memory() - before) / FEWER

    def assert_costs(self, what, most, each):
        print(f"\nan idle connection, {what}: {each:.2f} KiB")
        self.assertLessEqual(each, most)

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
        self.assert_costs("HTTPS/1.1", KIB_EACH_HTTPS, self.each(self.open_https, **self.secured))

    def test_h2(self):
        self.trusting = self.context()
        self.trusting.set_alpn_protocols(["h2"])
        self.assert_costs("HTTP/2 over TLS", KIB_EACH_H2, self.each(self.open_h2, **self.secured))

    def test_h2c(self):
        self.assert_costs("HTTP/2 in the clear", KIB_EACH_H2C, self.each(self.open_h2c))


if __name__ == "__main__":
    unittest.main()
