"""Reloads under load: no request fails, and every answer is one of the two configurations'."""

import collections
import time
import unittest

from harness import ReleaseCase, eventually, settings
from load import FastOrigin, Load, kept_connections, new_connections

SECONDS = 10
KEPT, RATE, CLIENTS = 16, 100, 2                    # RATE new connections a second of each of CLIENTS


class ReloadUnderLoad(ReleaseCase):
    def under_load(self, weir, each):
        """Calls `each(n)` and reloads, again and again; gives (reloads, outcomes)."""
        address = weir.address
        loads = [Load(kept_connections, 1, address, KEPT), Load(new_connections, CLIENTS, address, RATE)]
        count, until = 0, time.monotonic() + SECONDS
        try:
            while time.monotonic() < until:
                weir.reload(each(count))
                count += 1
        finally:
            outcomes = sum((load.finish() for load in loads), start=collections.Counter())
        return count, outcomes

    def assert_all_good(self, outcomes, allowed):
        print(f"\n{dict(outcomes)}")
        self.assertEqual(set(), set(outcomes) - set(allowed))
        self.assertGreater(sum(outcomes.values()), 1000)

    def test_the_same_file_again_and_again(self):
        origin = self._kept(FastOrigin(b"same"))
        weir = self.in_front_of(origin, workers=2, **settings.client_limits(requests_per_connection=0))
        count, outcomes = self.under_load(weir, lambda number: None)
        self.assert_all_good(outcomes, {"same"})
        self.assertEqual({"success": count, "failure": 0}, weir.reloads())

    def test_alternating_routes_endpoints_and_workers(self):
        origins = [self._kept(FastOrigin(name)) for name in (b"even", b"odd")]

        def config(number):
            side = number % 2
            return {
                "workers": 1 + side,
                "upstreams": {"api": settings.upstream(origins[side])},
                "routes": [settings.answers(404, match="/other")] * side + [settings.route("/", "api", f"r{side}")],
                **settings.client_limits(requests_per_connection=0),
            }
        weir = self.weir(config(1))
        count, outcomes = self.under_load(weir, config)
        self.assert_all_good(outcomes, {"even", "odd"})
        self.assertEqual(2, len(outcomes))
        self.assertEqual({"success": count, "failure": 0}, weir.reloads())
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")


if __name__ == "__main__":
    unittest.main()
