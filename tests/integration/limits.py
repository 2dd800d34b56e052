"""Each limit of the client's side answers with its own status, is counted, and harms no other client."""

import time
import unittest

from harness import WeirCase, eventually, settings
from wire import Closed, Cut, RawClient, chunk, request_bytes

ODD_CLIENT = "127.0.0.9"


class Limits(WeirCase):
    def limited(self, *blocks):
        self.api = self.backend()
        return self.in_front_of(self.api, **settings.merged(*blocks))

    def assert_counted(self, weir):
        eventually(lambda: weir.metric(settings.FAILURES) == 1, "the refusal counted")

    def assert_fine(self, weir):
        self.assertEqual(200, self.fetch(weir).status)

    def refuse(self, weir, wire, status):
        client = self.client(weir)
        client.send(wire)
        self.assert_refused(client, status)
        self.assertEqual(0, len(self.api.requests), "the backend saw it")
        self.assert_counted(weir)
        self.assert_fine(weir)

    def test_a_long_request_line_is_414(self):
        weir = self.limited(settings.client_limits(request_line="1KiB"))
        self.refuse(weir, request_bytes(target="/" + "x" * 1100), 414)

    def test_an_endless_request_line_is_414(self):
        weir = self.limited(settings.client_limits(request_line="1KiB"))
        self.refuse(weir, b"GET /" + b"x" * 3000, 414)

    def test_a_request_line_within_the_limit_passes(self):
        weir = self.limited(settings.client_limits(request_line="1KiB"))
        self.assertEqual(200, self.fetch(weir, target="/" + "x" * 900).status)

    def test_a_large_head_is_431(self):
        weir = self.limited(settings.client_limits(head="2KiB"))
        self.refuse(weir, request_bytes(fields={"X-Large": "x" * 2100}), 431)

    def test_an_endless_head_is_431(self):
        weir = self.limited(settings.client_limits(head="2KiB"))
        self.refuse(weir, b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"x" * 4000, 431)

    def test_too_many_fields_are_431(self):
        weir = self.limited(settings.client_limits(headers=20))
        self.refuse(weir, request_bytes(fields=[(f"X-{number}", "v") for number in range(25)]), 431)
        self.assertEqual(200, self.fetch(weir, fields=[(f"X-{number}", "v") for number in range(15)]).status)

    def test_a_limit_of_0_is_none_for_all_routes_and_for_one(self):
        route = {"match": {"path": "/"}, "upstream": "api"}
        for limits, more in ({"body": 0}, {}), ({"body": "1KiB"}, {"max_body": 0}):
            with self.subTest(limits):
                weir = self.in_front_of(self.backend(), limits=limits, routes=[route | more])
                self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 100_000).status)

    def test_a_long_body_is_413_by_its_length(self):
        weir = self.limited(settings.client_limits(body="1KiB"))
        client = self.client(weir)
        client.send(request_bytes("POST", fields={"Content-Length": "1025"}))
        self.assertEqual(413, client.response().status)
        self.assertEqual(0, len(self.api.requests))
        self.assert_counted(weir)
        self.assert_fine(weir)

    def test_the_413_arrives_although_the_body_is_on_its_way(self):
        weir = self.limited(settings.client_limits(body="1KiB"))
        client = self.client(weir)
        client.send(request_bytes("POST", body=b"x" * 60_000))
        self.assertEqual(413, client.response().status)

    def test_a_long_chunked_body_is_413_when_it_passes_the_limit(self):
        weir = self.limited(settings.client_limits(body="4KiB"))
        client = self.client(weir)
        client.send(request_bytes("POST", fields={"Transfer-Encoding": "chunked"}) + chunk(b"x" * 4000))
        client.send(chunk(b"y" * 1000))
        self.assert_refused(client, 413)
        self.assertEqual(0, len(self.api.requests), "the backend saw a complete request")
        self.assert_counted(weir)
        self.assert_fine(weir)

    def test_a_body_of_the_very_limit_passes(self):
        weir = self.limited(settings.client_limits(body="1KiB"))
        self.assertEqual(1024, self.fetch(weir, "POST", body=b"x" * 1024).json()["length"])

    def test_a_slow_head_is_408_counted_from_its_first_byte(self):
        weir = self.limited(settings.client_timeouts(head="500ms"))
        client = self.client(weir)
        started = time.monotonic()
        self.trickle(client, b"GET / HTTP/1.1\r\nX-Slow: ")
        response = client.response()
        self.assertEqual(408, response.status)
        self.assertTrue(client.is_closed())
        self.assertLess(0.4, time.monotonic() - started)
        self.assert_counted(weir)
        self.assert_fine(weir)

    def trickle(self, client, beginning):
        """A byte every 50 ms until the peer has something to say."""
        client.send(beginning)
        client.sock.settimeout(0.05)
        for _ in range(400):
            try:
                client.stream.fill()
                break
            except TimeoutError:
                try:
                    client.send(b"x")
                except OSError:
                    break
        client.sock.settimeout(10)

    def test_a_body_below_the_least_rate_is_408(self):
        weir = self.limited(settings.client_limits(body_rate="10KiB"), settings.client_timeouts(body="30s"))
        client = self.client(weir)
        self.trickle(client, request_bytes("POST", fields={"Content-Length": "100000"}))
        self.assert_refused(client, 408)
        self.assertEqual(0, len(self.api.requests))
        self.assert_fine(weir)

    def test_a_body_that_stops_is_408(self):
        weir = self.limited(settings.client_timeouts(body="500ms"))
        client = self.client(weir)
        client.send(request_bytes("POST", fields={"Content-Length": "100"}) + b"begun")
        self.assert_refused(client, 408)
        self.assert_fine(weir)

    def test_an_idle_connection_is_closed_silently(self):
        weir = self.limited(settings.client_timeouts(idle="500ms"))
        client = self.client(weir)
        self.assertEqual(200, client.get().status)
        self.assertTrue(client.is_closed())
        self.assertEqual(0, sum(line.status == 408 for line in weir.access_log()))

    def test_a_connection_that_never_asks_is_closed(self):
        weir = self.limited(settings.client_timeouts(idle="500ms", head="500ms"))
        with RawClient(weir.address) as client:
            client.sock.settimeout(10)
            try:
                self.assertEqual(408, client.response().status)
            except (Closed, Cut):
                pass

    def test_after_so_many_requests_a_connection_is_closed(self):
        weir = self.limited(settings.client_limits(requests_per_connection=3))
        client = self.client(weir)
        self.assertEqual([False, False, True], [client.get().closes() for _ in range(3)])
        self.assertTrue(client.is_closed())

    def test_zero_requests_per_connection_means_no_limit(self):
        weir = self.limited(settings.client_limits(requests_per_connection=0))
        client = self.client(weir)
        self.assertFalse(any(client.get("/bytes/1").closes() for _ in range(1200)))

    def is_let_in(self, weir, source=None):
        """A client that is served, or None."""
        try:
            client = self.client(weir, source=source)
            return client if client.get("/bytes/1").status == 200 else None
        except (Closed, Cut, OSError):
            return None

    def refused_connections(self, weir):
        return weir.metric(settings.REFUSED_CONNECTIONS)

    def test_connections_in_all_are_limited_and_come_free(self):
        weir = self.limited(settings.client_limits(connections=5))
        kept = [self.is_let_in(weir) for _ in range(5)]
        self.assertNotIn(None, kept)
        self.assertIsNone(self.is_let_in(weir))
        self.assertGreaterEqual(self.refused_connections(weir), 1)
        kept[0].close()
        eventually(lambda: self.is_let_in(weir), "the freed place")

    def test_connections_of_one_address_are_limited_and_others_are_not(self):
        weir = self.limited(settings.client_limits(connections_per_client=3))
        kept = [self.is_let_in(weir) for _ in range(3)]
        self.assertNotIn(None, kept)
        self.assertIsNone(self.is_let_in(weir))
        self.assertIsNotNone(self.is_let_in(weir, source=ODD_CLIENT))
        self.assertGreaterEqual(self.refused_connections(weir), 1)
        kept[0].close()
        eventually(lambda: self.is_let_in(weir), "the freed place")


if __name__ == "__main__":
    unittest.main()
