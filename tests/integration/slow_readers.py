"""Clients of HTTP/2 that take nothing cost what one connection may hold, and the upstream is paused."""

import unittest

from h2_wire import H2Client
from harness import ReleaseCase, eventually, settings

MIB = 1 << 20
STREAMS = 100
SHARED, OWN = 256, 16                               # KiB: of a connection, and of each stream
OBJECTS = 24                                        # KiB a stream: its arena, its codec's record, its upstream connection


class SlowReaders(ReleaseCase):
    def hold(self, weir, window):
        client = H2Client(weir.address, window=window, grants=False, timeout=40)
        self.addCleanup(client.close)
        for stream in [client.ask(target=f"/chunked/{MIB}") for _ in range(STREAMS)]:
            client.head(stream)
        return client

    def test_a_hundred_streams_with_closed_windows(self):
        weir = self.in_front_of(self.backend(), workers=1)
        self.hold(weir, 1 << 20).close()
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        before = weir.memory()
        clients = [self.hold(weir, 0) for _ in range(10)]
        took = weir.memory() - before
        print(f"\n10 connections of {STREAMS} stalled streams: {took} KiB, {took / 10 / STREAMS:.1f} a stream")
        self.assertLess(took, len(clients) * (SHARED + STREAMS * (OWN + OBJECTS)))


if __name__ == "__main__":
    unittest.main()
