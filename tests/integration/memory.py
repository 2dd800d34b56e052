"""9,000 idle connections that each served a request cost at most 1 KiB each."""

import resource
import unittest

from backend import pattern
from harness import ReleaseCase, eventually, settings
from load import FastOrigin
from wire import RawClient, request_bytes

CONNECTIONS = 9000
KIB_EACH = 1.0


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


if __name__ == "__main__":
    unittest.main()
