"""Circuit breakers that instances with one Redis share: one opens, the others look for themselves."""

import time
import unittest

from circuit_breakers import Breakers
from harness import eventually, settings
from redis_server import RedisServer
from settings import circuit_breaker


class Shared(Breakers):
    def instance(self, redis, *backends, **values):
        block = circuit_breaker(**{"min_requests": 4, "open": "1h", "max_open": "10h", "shared": True, "scope": "upstream", **values})
        return self.in_front_of_all(backends, block, store=self.store(redis))

    def store(self, redis):
        return {"redis": redis.url, "timeout": "1s"}

    def fleet(self, count=2, **values):
        redis, api = self._kept(RedisServer()), self.backend()
        fleet = [self.instance(redis, api, **values) for _ in range(count)]
        self.listening(redis, count)
        return redis, api, fleet

    def listening(self, redis, count):
        eventually(lambda: redis.says("CLIENT LIST TYPE pubsub").count("sub=0 psub=1") == count, "all listen")

    def test_when_one_opens_the_other_probes_within_a_second_and_closes(self):
        _, _, (first, second) = self.fleet()
        self.trip(first)
        eventually(lambda: self.state(second) == "half_open", "it has heard", patience=1)
        self.assertRegex(self.breaker(second)["cause"], "another instance opened its own for [0-9]+ ms")
        self.assertEqual([200] * 5, [self.fetch(second).status for _ in range(5)])
        self.assertEqual(("open", "closed"), (self.state(first), self.state(second)))

    def test_a_probe_that_fails_opens_the_other_too_and_is_no_news(self):
        _, _, fleet = self.fleet(3)
        first, second, third = fleet
        self.trip(first)
        for other in (second, third):
            eventually(lambda: self.state(other) == "half_open", "it has heard")
        self.assertEqual(502, self.fetch(second, target="/status/502").status)
        self.assertEqual(503, self.fetch(second).status)
        self.assertEqual(["open", "open", "half_open"], [self.state(one) for one in fleet])
        self.assertEqual([2, 1], [len(weir.events("circuit_changed", count)) for weir, count in ((second, 2), (third, 1))])

    def test_one_that_starts_later_begins_with_probes(self):
        redis, api, (first, _) = self.fleet()
        self.trip(first)
        eventually(lambda: redis.says("EXISTS weir:v:circuit/api") == ":1\r\n", "word is left")
        third = self.instance(redis, api)
        eventually(lambda: self.state(third) == "half_open", "it has heard")

    def test_endpoints_and_routes_share_theirs(self):
        redis, api = self._kept(RedisServer()), self.backend()
        endpoint = circuit_breaker(min_requests=4, open="1h", max_open="2h", shared=True, scope=["endpoint"])
        route = circuit_breaker(min_requests=4, open="1h", max_open="2h", shared=True)
        first, second = [self.weir({
            "upstreams": {"api": settings.upstream(api) | endpoint},
            "routes": [settings.route("/", "api", "all", filters=[route])],
            "store": self.store(redis), "workers": 2}) for _ in range(2)]
        self.listening(redis, 2)
        for _ in range(4):
            self.fetch(first, target="/status/502")
        for name in (f"api/{api}", "route/all"):
            eventually(lambda: self.state(second, name) == "half_open", name)

    def test_a_reload_that_names_another_redis_takes_it_there(self):
        _, api, (first, _) = self.fleet()
        other = self._kept(RedisServer())
        second = self.instance(other, api)
        self.listening(other, 1)
        block = circuit_breaker(min_requests=4, open="1h", max_open="10h", shared=True)
        first.reload({"upstreams": {"api": settings.upstream(api) | block}, "routes": [settings.route("/", "api", "all")],
                      "store": self.store(other), "workers": 1})
        self.listening(other, 2)
        self.trip(first)
        eventually(lambda: self.state(second) == "half_open", "it has heard")

    def test_without_redis_each_goes_on_alone(self):
        redis, _, (first, second) = self.fleet()
        redis.kill()
        self.trip(first)
        self.assertEqual(503, self.fetch(first).status)
        self.assertEqual([200] * 5, [self.fetch(second).status for _ in range(5)])
        self.assertEqual("closed", self.state(second))

    def test_a_redis_that_hangs_delays_nobody(self):
        redis, _, (first, second) = self.fleet()
        redis.pause()
        self.addCleanup(redis.resume)
        began = time.monotonic()
        self.trip(first)
        self.assertEqual(503, self.fetch(first).status)
        self.assertEqual(200, self.fetch(second).status)
        self.assertLess(time.monotonic() - began, 1)

    def test_one_that_is_not_shared_hears_nothing(self):
        redis, api, (first, second) = self.fleet()
        alone = self.instance(redis, api, shared=False)
        self.trip(first)
        eventually(lambda: self.state(second) == "half_open", "it has heard")
        self.assertEqual("closed", self.state(alone))


if __name__ == "__main__":
    unittest.main()
