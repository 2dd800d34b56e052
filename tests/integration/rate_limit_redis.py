"""`rate_limit` over three processes and one Redis: one quota; and what each on_store_failure promises when Redis has a bad day."""

import os
import threading
import time
import unittest

from h2_wire import H2Client
from harness import WeirCase, eventually, fetch
from redis_server import RedisServer
from settings import rate_limit, route
from wire import RawClient


class Fleet(WeirCase):
    def redis(self, *options):
        return self._kept(RedisServer(*options))

    def fleet(self, redis, *filters, count=3, timeout="50ms"):
        backend = self.backend()
        return [self.in_front_of(backend, routes=[route("/", "api", "all", filters=list(filters))],
                                 store={"redis": redis.url, "timeout": timeout}) for _ in range(count)]

    def load(self, fleet, clients, until, pace=0.0):
        """Asks every process from so many threads until `until()`; [(process, status)]."""
        got, lock = [], threading.Lock()

        def ask(index):
            with RawClient(fleet[index].address) as client:
                while not until():
                    status = client.get().status
                    with lock:
                        got.append((index, status))
                    time.sleep(pace)

        threads = [threading.Thread(target=ask, args=(number % len(fleet),)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return got

    def test_of_600_requests_at_once_over_three_processes_exactly_100_pass(self):
        fleet = self.fleet(self.redis(), rate_limit("100/hour", on_store_failure="deny"), timeout="5s")
        got, lock = [], threading.Lock()

        def ask(index):
            with RawClient(fleet[index].address) as client:
                answers = [(index, client.get().status) for _ in range(20)]
            with lock:
                got.extend(answers)

        threads = [threading.Thread(target=ask, args=(number % 3,)) for number in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = [status for _, status in got]
        self.assertEqual((100, 500), (statuses.count(200), statuses.count(429)))
        self.assertEqual({0, 1, 2}, {index for index, _ in got})

    def under(self, redis, harm, on_store_failure, rate="1000/second"):
        """What a fleet under load answers while `harm` is done to its Redis, and a while after."""
        fleet = self.fleet(redis, rate_limit(rate, on_store_failure=on_store_failure))
        ends = time.monotonic() + 3
        harming = self.in_background(lambda: (time.sleep(0.5), harm()))
        got = self.load(fleet, 6, lambda: time.monotonic() > ends, pace=0.005)
        harming.result()
        return {status for _, status in got}

    def test_a_redis_that_is_killed_costs_no_request_on_allow_and_local(self):
        for choice in ("allow", "local"):
            with self.subTest(choice):
                redis = self.redis()
                self.assertLessEqual(self.under(redis, redis.kill, choice), {200, 429})

    def test_a_redis_that_hangs_costs_no_request_on_allow_and_local(self):
        for choice in ("allow", "local"):
            with self.subTest(choice):
                redis = self.redis()
                self.assertLessEqual(self.under(redis, redis.pause, choice), {200, 429})

    def test_a_redis_that_is_full_costs_no_request_on_allow_and_local(self):
        for choice in ("allow", "local"):
            with self.subTest(choice):
                redis = self.redis("--maxmemory-policy", "noeviction")
                self.assertLessEqual(self.under(redis, lambda: redis.says("CONFIG SET maxmemory 1"), choice), {200, 429})

    def test_keys_that_one_client_invents_fill_no_redis_and_leave_all_limits_on(self):
        redis = self.redis("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
        backend = self.backend()
        routes = [route("/login", "api", "login", filters=[rate_limit("3/hour")]),
                  route("/api", "api", "api", filters=[rate_limit("1/day", key="header.x-api-key")])]
        weir, other = [self.in_front_of(backend, routes=routes, store={"redis": redis.url, "timeout": "5s"}) for _ in range(2)]
        login = lambda weir, source: [fetch(weir.address, "GET", "/login", source=source).status for _ in range(5)]
        self.assertEqual([200, 200, 200, 429, 429], login(weir, "127.0.0.77"))
        with H2Client(weir.address, source="127.0.0.66", timeout=60) as client:
            for first in range(0, 20000, 100):
                streams = [client.ask("GET", "/api", [("x-api-key", f"k{first + i:08d}" + "x" * 200)]) for i in range(100)]
                for stream in streams:
                    self.assertEqual(200, client.response(stream).status)
                    del client.streams[stream]
        self.assertGreater(weir.metric("weir_rate_limit_local_keys_total", route="api"), 1000)
        self.assertIn("maxmemory", weir.events("store_short_of_memory")[0])
        self.assertEqual([429] * 5, login(weir, "127.0.0.77"))
        self.assertEqual([429] * 5, login(other, "127.0.0.77"))
        self.assertEqual([200, 200, 200, 429, 429], login(weir, "127.0.0.78"))
        self.assertEqual([429] * 5, login(other, "127.0.0.78"))    # counted in Redis, not here and there
        self.assertEqual(0, weir.metric("weir_store_errors_total", reason="oom"))

    def test_a_full_redis_turns_no_limit_off(self):
        redis = self.redis("--maxmemory-policy", "noeviction")
        for choice in ("allow", "deny"):
            with self.subTest(choice):
                redis.says("CONFIG SET maxmemory 0")
                weir, = self.fleet(redis, rate_limit("3/hour", name=choice, on_store_failure=choice), count=1, timeout="5s")
                self.assertEqual(200, self.fetch(weir).status)
                redis.says("CONFIG SET maxmemory 1")
                self.assertEqual([200, 200, 429], [self.fetch(weir).status for _ in range(3)])
                new = [fetch(weir.address, source="127.0.0.9").status for _ in range(8)]
                self.assertIn(new.count(200), (1, 3))              # 1 while the subtest before still counts as an instance
                self.assertEqual({200, 429}, set(new))

    def test_a_redis_that_comes_back_empty_is_used_again(self):
        redis = self.redis()
        self.assertLessEqual(self.under(redis, lambda: (redis.kill(), redis.start()), "allow"), {200, 429})
        fleet = self.fleet(redis, rate_limit("1/hour"))
        eventually(lambda: self.fetch(fleet[0]).status == 429, "counted again")

    def test_deny_is_503_and_says_when_to_come_back(self):
        redis = self.redis()
        fleet = self.fleet(redis, rate_limit("100/hour", on_store_failure="deny"))
        self.assertEqual(200, self.fetch(fleet[0]).status)
        redis.kill()
        refused = self.fetch(fleet[0], target="/denied")
        self.assertEqual(503, refused.status)
        self.assertGreaterEqual(int(refused.get("retry-after")), 1)
        self.assertTrue(refused.json()["type"].endswith("#temporary-reduced-capacity"))
        self.assertIn("SD", fleet[0].log_of("/denied")[0].flags)
        redis.start()
        eventually(lambda: self.fetch(fleet[0]).status == 200, "the store again")

    def test_under_local_the_fleet_passes_the_rate_and_one_each(self):
        redis, rate = self.redis(), 10
        fleet = self.fleet(redis, rate_limit(f"{rate}/second", on_store_failure="local"))
        for weir in fleet:
            eventually(lambda: self.fetch(weir).get("ratelimit"), "the store in use")
        time.sleep(3)                               # all have been counted by their heartbeats
        redis.kill()
        eventually(lambda: all("SD" in line.flags for weir in fleet for line in [self.marked(weir)]), "the store known as gone")
        started = time.monotonic()
        got = self.load(fleet, 6, lambda: time.monotonic() > started + 4, pace=0.002)
        passed = sum(status == 200 for _, status in got)
        self.assertLessEqual(passed, 1.1 * rate * (time.monotonic() - started) + len(fleet))

    def marked(self, weir):
        path = f"/{os.urandom(4).hex()}"
        self.fetch(weir, target=path)
        return weir.log_of(path)[0]


if __name__ == "__main__":
    unittest.main()
