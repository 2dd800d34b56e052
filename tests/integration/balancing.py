"""Each policy spreads requests as it says, through the real binary."""

import collections
import unittest

from harness import WeirCase, eventually, settings
from settings import endpoint


class Balanced(WeirCase):
    def balanced(self, balance=None, count=3, workers=1, each=lambda number: {}, **more):
        """Weir over backends b0, b1 ...; `each` gives an endpoint's settings."""
        self.backends = [self.backend(f"b{number}") for number in range(count)]
        endpoints = [endpoint(backend, **each(number)) for number, backend in enumerate(self.backends)]
        return self.weir({
            "workers": workers,
            "upstreams": {"api": settings.upstream(*endpoints, balance=balance, **more)},
            "routes": [settings.route("/", "api")],
        })

    def ask(self, weir, count, fields=lambda number: {}):
        client = self.client(weir)
        return [client.get("/", fields(number)).json()["backend"] for number in range(count)]

    def counts(self, *arguments, **how):
        return collections.Counter(self.ask(*arguments, **how))

    def users(self, weir, count=60):
        return self.ask(weir, count, lambda number: {"X-User": f"user-{number}"})


class Policies(Balanced):
    def test_round_robin_reaches_each_in_turn(self):
        self.assertEqual({"b0": 20, "b1": 20, "b2": 20}, self.counts(self.balanced("round_robin"), 60))

    def test_round_robin_is_the_default(self):
        self.assertEqual({"b0": 2, "b1": 2, "b2": 2}, self.counts(self.balanced(), 6))

    def test_round_robin_has_one_position_for_all_workers(self):
        weir = self.balanced("round_robin", workers=2)
        got = collections.Counter(self.fetch(weir).json()["backend"] for _ in range(60))
        self.assertEqual({"b0": 20, "b1": 20, "b2": 20}, got)

    def test_round_robin_is_smooth_by_weight(self):
        weir = self.balanced("round_robin", each=lambda number: {"weight": (5, 1, 1)[number]})
        got = self.ask(weir, 14)
        self.assertEqual({"b0": 10, "b1": 2, "b2": 2}, collections.Counter(got))
        self.assertNotIn("b0 b0 b0 b0 b0", " ".join(got))

    def test_least_connections_is_fair_between_equals(self):
        counted = self.counts(self.balanced("least_connections"), 60)
        self.assertTrue(all(counted[f"b{number}"] >= 10 for number in range(3)), counted)

    def test_least_connections_leaves_a_busy_endpoint_alone(self):
        self.assert_avoids_the_busy("least_connections")

    def test_random_two_leaves_a_busy_endpoint_alone(self):
        self.assert_avoids_the_busy("random_two")

    def assert_avoids_the_busy(self, balance):
        """While one endpoint holds a request, two idle ones get all others."""
        weir = self.balanced(balance)
        held = self.in_background(self.fetch, weir, "GET", "/hold")
        busy = eventually(lambda: [backend for backend in self.backends if backend.requests], "a held request")[0]
        self.ask(weir, 40)
        self.assertEqual(1, len(busy.requests))
        busy.release.set()
        self.assertEqual(200, held.result().status)

    def test_peak_ewma_leaves_a_slow_endpoint_mostly_alone(self):
        weir = self.balanced("peak_ewma")
        self.backends[1].delay = 0.05
        counted = self.counts(weir, 100)
        self.assertLess(counted["b1"], 20, counted)

    def test_random_two_reaches_all(self):
        self.assertEqual(3, len(self.counts(self.balanced("random_two"), 120)))

    def test_peak_ewma_reaches_all(self):
        self.assertGreaterEqual(len(self.counts(self.balanced("peak_ewma"), 120)), 2)

    def assert_sticks(self, balance):
        weir = self.balanced(balance)
        first = self.users(weir)
        self.assertEqual(first, self.users(weir))
        self.assertEqual(3, len(set(first)))

    def test_hash_keeps_a_user_at_home(self):
        self.assert_sticks(settings.hashed("header.x-user"))

    def test_maglev_keeps_a_user_at_home(self):
        self.assert_sticks(settings.maglev("header.x-user"))

    def test_hash_moves_only_the_users_of_what_is_gone(self):
        weir = self.balanced(settings.hashed("header.x-user"))
        before = self.users(weir)
        rest = settings.upstream(*self.backends[:2], balance=settings.hashed("header.x-user"))
        weir.reload({"upstreams": {"api": rest}, "routes": [settings.route("/", "api")]})
        for was, now in zip(before, self.users(weir)):
            self.assertTrue(was == now or was == "b2", f"{was} moved to {now}")

    def test_a_hot_key_spills_over_a_bounded_load_and_comes_home(self):
        weir = self.balanced(settings.hashed("header.x-user", bounded_load=1.25))
        home = self.users(weir, 1)
        hot = [self.in_background(self.fetch, weir, "GET", "/hold", {"X-User": "user-0"}) for _ in range(9)]
        held = lambda: [sum(request.target == "/hold" for request in backend.requests) for backend in self.backends]
        eventually(lambda: sum(held()) == 9, "nine held requests")
        self.assertLessEqual(max(held()), 4, "one endpoint has more than 1.25 of its share")
        for backend in self.backends:
            backend.release.set()
        self.assertEqual([200] * 9, [request.result().status for request in hot])
        self.assertEqual(home, self.users(weir, 1))

    def test_weights_count_for_hashes(self):
        weir = self.balanced(settings.hashed("header.x-user"), count=2, each=lambda number: {"weight": (9, 1)[number]})
        counted = collections.Counter(self.users(weir, 200))
        self.assertGreater(counted["b0"], 3 * counted["b1"])


class Backups(Balanced):
    def test_a_backup_rests_while_another_lives(self):
        weir = self.balanced(count=2, each=lambda number: {"backup": number == 1 or None})
        self.assertEqual({"b0": 20}, self.counts(weir, 20))


class Capacity(Balanced):
    """`max_requests` and `max_connections` of an endpoint, and the queue before it."""

    def narrow(self, limit="max_requests", **queue):
        weir = self.balanced(count=1, each=lambda number: {limit: 1}, **settings.queue(**queue))
        self.first = self.in_background(self.fetch, weir, "GET", "/hold")
        self.assertTrue(self.backends[0].held.acquire(timeout=10))
        return weir

    def test_who_waits_is_served_when_a_place_comes_free(self):
        weir = self.narrow(size=5, timeout="20s")
        second = self.in_background(self.fetch, weir, "GET", "/second")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 2, "a waiting request")
        self.assertEqual(1, len(self.backends[0].requests))
        self.backends[0].release.set()
        self.assertEqual((200, 200), (self.first.result().status, second.result().status))

    def test_a_full_queue_is_503_at_once(self):
        weir = self.narrow(size=1, timeout="20s")
        second = self.in_background(self.fetch, weir, "GET", "/second")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 2, "a waiting request")
        self.assertEqual(503, self.fetch(weir, target="/third").status)
        self.assertIn("UO", weir.log_of("/third")[0].flags)
        self.backends[0].release.set()
        self.assertEqual(200, second.result().status)

    def test_max_connections_are_waited_for_and_overflow_alike(self):
        weir = self.narrow("max_connections", size=1, timeout="20s")
        second = self.in_background(self.fetch, weir, "GET", "/second")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 2, "a waiting request")
        self.assertEqual(503, self.fetch(weir, target="/third").status)
        self.assertIn("UO", weir.log_of("/third")[0].flags)
        self.backends[0].release.set()
        self.assertEqual((200, 200), (self.first.result().status, second.result().status))
        self.assertEqual(1, len(self.backends[0].connections))

    def test_who_waits_too_long_is_503(self):
        weir = self.narrow(size=5, timeout="300ms")
        self.assertEqual(503, self.fetch(weir, target="/late").status)
        self.assertIn("UO", weir.log_of("/late")[0].flags)
        self.backends[0].release.set()

    def test_a_waiter_that_leaves_gives_its_place_up(self):
        weir = self.narrow(size=1, timeout="20s")
        leaver = self.client(weir)
        leaver.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 2, "a waiting request")
        leaver.close()
        weir.log_of("/gone")
        next_one = self.in_background(self.fetch, weir, "GET", "/next")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 2, "the next waiting")
        self.backends[0].release.set()
        self.assertEqual(200, next_one.result().status)
        self.assertNotIn("/gone", [request.target for request in self.backends[0].requests])


if __name__ == "__main__":
    unittest.main()
