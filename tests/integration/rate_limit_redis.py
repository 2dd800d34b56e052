"""`rate_limit` over three processes and one Redis: one quota; and what each on_store_failure promises when Redis has a bad day."""

import os
import threading
import time
import unittest

from harness import WeirCase, eventually
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
