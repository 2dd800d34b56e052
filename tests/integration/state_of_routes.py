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


class Circuits(WeirCase):
    def broken(self, upstream_name="api", route_name="all", **values):
        self.api = getattr(self, "api", None) or self.backend()
        breaker = circuit_breaker(**{"min_requests": 4, "window": "10s"} | values)
        return {"upstreams": {upstream_name: settings.upstream(self.api) | breaker},
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
        weir = self.weir(self.broken("route/shop", "shop"))
        self.assertEqual({"route%2Fshop", "route/shop"}, set(self.circuits(weir)))
        self.assertEqual(200, self.force(weir, "open", "route/shop"))
        self.assertEqual([200, 503], [self.fetch(weir, target=target).status for target in ("/plain", "/")])
        self.assertEqual("closed", self.circuits(weir)["route%2Fshop"]["state"])
        self.assertEqual(200, self.force(weir, "auto", "route/shop"))
        self.assertEqual(200, self.force(weir, "open", "route%252Fshop"))
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
