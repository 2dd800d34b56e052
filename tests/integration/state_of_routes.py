"""A reload moves no state from one route to another: limits, circuits, budgets and stored pages stay with what they are of."""

import unittest

from cache_settings import cache
from harness import WeirCase, eventually, settings
from settings import circuit_breaker, rate_limit, route


class RoutesWithoutNames(WeirCase):
    def over(self, *routes):
        self.a, self.b = getattr(self, "a", None) or self.backend("a"), getattr(self, "b", None) or self.backend("b")
        return {"upstreams": {"a": settings.upstream(self.a), "b": settings.upstream(self.b)}, "routes": list(routes),
                "workers": 1}

    def forced(self, weir, verb, name):
        return self.fetch(weir.admin, "POST", f"/circuit_breakers/{name}/{verb}").status

    def test_a_new_first_route_serves_no_page_of_another_upstream(self):
        stored = lambda upstream, match: route(match, upstream, filters=[cache(ttl="1h")])
        weir = self.weir(self.over(stored("a", "/")))
        self.fetch(weir, target="/page")
        self.fetch(weir, target="/other")
        weir.reload(self.over(stored("b", "/page"), stored("a", "/")))
        self.fetch(weir, target="/page")
        self.fetch(weir, target="/other")
        self.assertEqual((2, 1), (len(self.a.requests), len(self.b.requests)))

    def test_a_quota_stays_with_its_route(self):
        limited = lambda upstream, match: route(match, upstream, filters=[rate_limit("2/hour")])
        weir = self.weir(self.over(limited("a", "/")))
        self.assertEqual([200, 200, 429], [self.fetch(weir, target="/page").status for _ in range(3)])
        weir.reload(self.over(limited("b", "/new"), limited("a", "/")))
        self.assertEqual(200, self.fetch(weir, target="/new").status)
        self.assertEqual(429, self.fetch(weir, target="/page").status)

    def test_a_circuit_stays_with_its_route(self):
        broken = lambda upstream, match: route(match, upstream, filters=[circuit_breaker(min_requests=4)])
        weir = self.weir(self.over(broken("a", "/")))
        self.assertEqual(200, self.forced(weir, "open", "route/route-1"))
        self.assertEqual(503, self.fetch(weir).status)
        weir.reload(self.over(broken("b", "/new"), broken("a", "/")))
        self.assertEqual(200, self.fetch(weir, target="/new").status)
        self.assertEqual(503, self.fetch(weir).status)
        self.assertEqual(200, self.forced(weir, "auto", "route/route-2"))
        self.assertEqual(200, self.fetch(weir).status)


class Renamed(WeirCase):
    """What was counted of routes, upstreams, endpoints, limits, caches and circuits leaves the page of metrics with them."""

    def named(self, number):
        breaker = circuit_breaker(min_requests=4, scope=["upstream", "endpoint"])
        filters = [rate_limit("1000/hour"), {"concurrency_limit": {"max": 9, "name": f"places-{number}"}},
                   cache(ttl="1s"), {"retry": {"on": [503]}}, circuit_breaker(min_requests=4, name=f"circuit-{number}"),
                   {"hedge": "10s"}]
        return {"upstreams": {f"up-{number}": settings.upstream(self.backend()) | breaker},
                "routes": [route("/", f"up-{number}", f"route-{number}", filters=filters)], "workers": 2}

    def lines(self, weir):
        text = self.fetch(weir.admin, target="/metrics").body.decode().splitlines()
        return [line for line in text if not line.startswith("#")]

    def used(self, weir):
        for target in ("/", "/", "/status/503"):
            self.fetch(weir, target=target)

    def test_their_series_are_removed(self):
        weir = self.weir(self.named(0))
        self.used(weir)
        before = len(self.lines(weir))
        for number in range(1, 6):
            weir.reload(self.named(number))
            self.used(weir)
        old = lambda: [line for line in self.lines(weir) for number in range(5)
                       if any(f'"{name}-{number}"' in line for name in ("route", "up", "places", "circuit"))]
        eventually(lambda: not old(), "none of the old names is shown")
        self.assertTrue([line for line in self.lines(weir) if '"route-5"' in line])
        self.assertLess(len(self.lines(weir)), before + 20)

    def test_a_filter_that_goes_takes_its_circuit_and_limit_along_and_the_route_keeps_its_counts(self):
        weir = self.weir(self.named(0))
        self.used(weir)
        config = self.named(0)
        config["routes"][0]["filters"] = []
        weir.reload(config)
        self.used(weir)
        gone = lambda: not [line for line in self.lines(weir) if '"places-0"' in line or '"circuit-0"' in line]
        eventually(gone, "their series are gone")
        self.assertEqual(6, weir.metric(settings.REQUESTS, route="route-0"))


class Circuits(WeirCase):
    def broken(self, upstream_name="api", route_name="all", **values):
        self.api = getattr(self, "api", None) or self.backend()
        values = {"min_requests": 4, "window": "10s"} | values
        breaker = circuit_breaker(**values)
        return {"upstreams": {upstream_name: settings.upstream(self.api) | circuit_breaker(scope="upstream", **values)},
                "routes": [route("/plain", upstream_name, "plain"), route("/", upstream_name, route_name, filters=[breaker])],
                "workers": 1}

    def circuits(self, weir):
        return {one["name"]: one for one in self.fetch(weir.admin, target="/circuit_breakers").json()["circuit_breakers"]}

    def force(self, weir, verb, name):
        return self.fetch(weir.admin, "POST", f"/circuit_breakers/{name}/{verb}").status

    def gauges(self, weir):
        return sorted((labels.get("route") or labels.get("upstream"), labels["state"], value)
                      for name, labels, value in weir.metrics() if name == "weir_circuit_breaker_state")

    def test_an_upstream_called_like_a_route_has_another_circuit(self):
        weir = self.weir(self.broken("shop", "shop"))
        self.assertEqual({"shop", "route/shop"}, set(self.circuits(weir)))
        self.assertEqual(200, self.force(weir, "open", "route/shop"))
        self.assertEqual([200, 503], [self.fetch(weir, target=target).status for target in ("/plain", "/")])
        self.assertEqual("closed", self.circuits(weir)["shop"]["state"])
        self.assertEqual(200, self.force(weir, "auto", "route/shop"))
        self.assertEqual(200, self.force(weir, "open", "shop"))
        self.assertEqual(503, self.fetch(weir, target="/plain").status)

    def test_a_forced_circuit_stays_forced_over_a_reload_that_changes_window_or_shared(self):
        weir = self.weir(self.broken())
        for name in ("api", "route/all"):
            self.assertEqual(200, self.force(weir, "open", name))
        for values in ({"window": "20s"}, {"window": "20s", "shared": True}, {}):
            weir.reload(self.broken(**values))
            for name in ("api", "route/all"):
                circuit = self.circuits(weir)[name]
                self.assertEqual(("open", True, "forced by an operator"), (circuit["state"], circuit["forced"], circuit["cause"]))
            self.assertEqual(503, self.fetch(weir, target="/plain").status)

    def test_the_gauges_of_a_circuit_are_0_or_1_during_a_reload(self):
        weir = self.weir(self.broken())
        held = self.client(weir)                    # keeps the first configuration in use
        held.send("POST / HTTP/1.1\r\nHost: weir\r\nContent-Length: 10\r\n\r\n12345")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 1, "a request is in flight")
        self.assertEqual(200, self.force(weir, "open", "api"))
        expected = self.gauges(weir)
        self.assertEqual(2, sum(value for _, _, value in expected))
        for window in ("20s", "30s"):
            weir.reload(self.broken(window=window))
            self.assertEqual(expected, self.gauges(weir))


if __name__ == "__main__":
    unittest.main()
