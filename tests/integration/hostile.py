"""Garbage, half requests, slow heads and floods: the right answer or a close, a counter, and no growth of memory."""

import os
import random
import unittest

from harness import LITTLE_QUARANTINE, Closed, Cut, WeirCase, eventually, settings
from wire import RawClient, request_bytes

GROWTH = 16 * 1024                                  # KiB


class Hostile(WeirCase):
    environment = LITTLE_QUARANTINE

    def serve(self, *blocks):
        self.api = self.backend()
        weir = self.in_front_of(self.api, **settings.merged(*blocks))
        self.fetch(weir)
        self.before = weir.memory()
        return weir

    def assert_unharmed(self, weir):
        """Serves on, holds nothing, and has not grown."""
        self.assertEqual(200, self.fetch(weir).status)
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        self.assertLess(weir.memory() - self.before, GROWTH)

    def provoke(self, weir, wire):
        """Sends it and says what came: a status, or None for a close. An endless silence fails."""
        with RawClient(weir.address) as client:
            try:
                client.send(wire)
                client.half_close()
                return client.response().status
            except (Closed, Cut, ConnectionError, OSError):
                return None

    def test_noise_is_400_or_a_close(self):
        weir, noise = self.serve(), random.Random(1)
        for _ in range(300):
            status = self.provoke(weir, noise.randbytes(noise.randrange(1, 3000)))
            self.assertIn(status, (400, 414, 431, 501, 505, None))
        self.assertEqual(1, len(self.api.requests))
        self.assert_unharmed(weir)

    def test_mutilated_requests_never_hang(self):
        weir, chance = self.serve(), random.Random(2)
        whole = request_bytes("POST", "/m?q", {"X-A": "b", "Cookie": "a=b", "Transfer-Encoding": "chunked"}) + b"3\r\nabc\r\n0\r\n\r\n"
        for _ in range(300):
            wire = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                wire[chance.randrange(len(wire))] = chance.randrange(256)
            status = self.provoke(weir, wire[:chance.randrange(1, len(wire) + 1)])
            self.assertNotIn(status, (500, 502, 503, 504))
        self.assert_unharmed(weir)

    def test_half_requests_are_408_and_held_no_longer(self):
        weir = self.serve(settings.client_timeouts(head="700ms", body="700ms"))
        clients = []
        for number in range(200):
            client = self.client(weir)
            client.send(request_bytes("POST", "/half", {"Content-Length": "10"})[:20 + number % 40])
            clients.append(client)
        for client in clients:
            self.assert_refused(client, 408)
        self.assert_unharmed(weir)

    def test_slow_heads_do_not_hold_others_up(self):
        weir = self.serve(settings.client_timeouts(head="30s"))
        for _ in range(300):
            self.client(weir).send(b"GET / HTTP/1.1\r\nX-Slow: ")
        fine = self.client(weir)
        for _ in range(50):
            self.assertEqual(200, fine.get("/bytes/10").status)

    def test_a_flood_of_connections_meets_the_limit_and_leaves_nothing(self):
        weir = self.serve(settings.client_limits(connections=200))
        flood = []
        for _ in range(1000):
            try:
                flood.append(RawClient(weir.address))
            except OSError:
                pass
        eventually(lambda: self.open_files(weir) < 300, "the surplus closed")
        for client in flood:
            client.close()
        eventually(lambda: self.is_served(weir), "places free again")
        self.assertGreater(weir.metric(settings.REFUSED_CONNECTIONS), 0)
        self.assert_unharmed(weir)

    def open_files(self, weir):
        return len(os.listdir(f"/proc/{weir.pid}/fd"))

    def is_served(self, weir):
        try:
            return self.fetch(weir).status == 200
        except (Closed, Cut, OSError):
            return False

    def test_connections_opened_and_reset_leave_nothing(self):
        weir = self.serve()
        before = self.open_files(weir)
        for number in range(2000):
            client = RawClient(weir.address)
            client.send(request_bytes()[:number % 30])
            client.reset()
        eventually(lambda: self.open_files(weir) <= before + 5, "all files closed")
        self.assert_unharmed(weir)

    def test_huge_heads_are_refused_without_being_kept(self):
        weir = self.serve()
        for _ in range(30):
            with RawClient(weir.address) as client:
                try:
                    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
                    client.send(b"X-Huge: " + b"x" * 4_000_000)
                except OSError:
                    pass
                try:
                    self.assertEqual(431, client.response().status)
                except (Closed, ConnectionError):
                    pass                             # the close overtook the answer
        self.assert_unharmed(weir)

    def test_a_million_tiny_chunks_do_not_add_up(self):
        weir = self.serve()
        client = self.client(weir)
        client.send(request_bytes("POST", "/tiny", {"Transfer-Encoding": "chunked"}))
        sending = self.in_background(self.send_chunks, client, 200_000)
        response = client.response()
        sending.result()
        self.assertEqual(200_000, response.json()["length"])
        self.assert_unharmed(weir)

    def send_chunks(self, client, count):
        for _ in range(count // 1000):
            client.send(b"1\r\nx\r\n" * 1000)
        client.send(b"0\r\n\r\n")

    def test_refusals_are_counted(self):
        weir = self.serve()
        for _ in range(10):
            self.provoke(weir, b"\x00garbage\r\n\r\n")
        eventually(lambda: weir.metric(settings.FAILURES) == 10, "ten refusals counted")


if __name__ == "__main__":
    unittest.main()
