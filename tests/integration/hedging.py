"""A slow endpoint costs a safe request little: another is asked, the quicker answers, the slower is cancelled."""

import unittest

from backend import hangs
from h2_wire import CANCEL, H2Server
from harness import WeirCase, eventually, settings
from settings import hedge, route
from wire import request_bytes

AMPLE = {"ratio": "100%", "min": 1000, "concurrent": 100}


class Hedging(WeirCase):
    def hedged(self, *backends, after="50ms", budget=AMPLE, upstream=None):
        return self.weir({
            "upstreams": {"api": settings.upstream(*backends, balance="round_robin") | (upstream or {})},
            "routes": [route("/", "api", "all", filters=[hedge(after, budget=budget)])],
        })

    def assert_nothing_in_flight(self, weir):
        for name in (settings.IN_FLIGHT, settings.ENDPOINT_ACTIVE):
            eventually(lambda name=name: weir.metric(name) == 0, f"{name} is 0")

    def test_a_second_endpoint_answers_for_one_that_hangs(self):
        slow = self.scripted(hangs)
        weir = self.hedged(slow, self.backend("quick"))
        for _ in range(6):
            response = self.fetch(weir, target="/a")
            self.assertEqual((200, "quick"), (response.status, response.json()["backend"]))
        self.assertGreaterEqual(weir.metric(settings.HEDGES, outcome="won"), 3)
        for connection in slow.connections:
            self.assertTrue(connection.ended.wait(10), "the slow attempt went on")
        self.assert_nothing_in_flight(weir)
        self.assertIn(2, {line["upstream"]["attempts"] for line in weir.log_of("/a", 6)})

    def test_the_log_names_the_endpoint_that_answered(self):
        quick = self.backend("quick")
        weir = self.hedged(self.scripted(hangs), quick)
        for _ in range(4):
            self.fetch(weir, target="/a")
        self.assertEqual({quick.address}, {line["upstream"]["addr"] for line in weir.log_of("/a", 4)})

    def test_a_large_response_of_the_second_arrives_whole(self):
        weir = self.hedged(self.scripted(hangs), self.backend())
        for _ in range(4):
            self.assertEqual(3_000_000, len(self.fetch(weir, target="/bytes/3000000").body))
        self.assert_nothing_in_flight(weir)

    def test_one_endpoint_alone_is_not_asked_twice(self):
        slow = self.backend()
        slow.delay = 0.3
        weir = self.hedged(slow)
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(1, len(slow.requests))
        self.assertEqual(1, weir.metric(settings.HEDGES, outcome="failed"))

    def test_a_post_is_sent_once(self):
        first, second = self.backend(), self.backend()
        first.delay = second.delay = 0.3
        weir = self.hedged(first, second)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"pay").status)
        self.assertEqual(1, len(first.requests) + len(second.requests))

    def test_second_attempts_are_a_small_share(self):
        backends = [self.backend("a"), self.backend("b")]
        for backend in backends:
            backend.delay = 0.03
        weir = self.hedged(*backends, after="5ms", budget={"ratio": "5%", "min": 1, "window": "10m"})
        client = self.client(weir)
        for _ in range(100):
            self.assertEqual(200, client.get("/").status)
        hedges = sum(weir.metric(settings.HEDGES, outcome=outcome) for outcome in ("won", "lost", "failed"))
        self.assertGreater(hedges, 0)
        self.assertLessEqual(hedges, 6)

    def test_a_client_that_leaves_takes_both_attempts_along(self):
        first, second = self.scripted(hangs), self.scripted(hangs)
        weir = self.hedged(first, second)
        client = self.client(weir)
        client.send(request_bytes())
        eventually(lambda: first.connections and second.connections, "both are asked")
        client.reset()
        for backend in (first, second):
            self.assertTrue(backend.connections[0].ended.wait(10), "an attempt went on")
        self.assert_nothing_in_flight(weir)

    def test_over_http2_the_loser_s_stream_is_reset(self):
        servers = []
        def script(connection):
            server = H2Server(connection)
            servers.append(server)
            stream, _ = server.request()
            if len(servers) == 2:
                server.answer(stream)
            server.until(lambda: server.message(stream).reset is not None)
        backends = [self.scripted(script), self.scripted(script)]
        weir = self.hedged(*backends, upstream={"protocol": "http2"})
        self.assertEqual(200, self.fetch(weir).status)
        eventually(lambda: servers[0].streams[1].reset == CANCEL, "the reset")
        self.assert_nothing_in_flight(weir)

    def test_one_that_fails_does_not_win(self):
        def refuses(connection):
            connection.request()
            connection.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        slow = self.backend("slow")
        slow.delay = 0.3
        weir = self.hedged(slow, self.scripted(refuses))
        for _ in range(4):
            self.fetch(weir)
        hedged = [line.status for line in weir.log_of("/", 4) if line["upstream"]["attempts"] == 2]
        self.assertGreaterEqual(len(hedged), 1)
        self.assertEqual({200}, set(hedged))


if __name__ == "__main__":
    unittest.main()
