"""Endpoints by DNS name: addresses follow the answers by their TTL, and the last good answer outlives its server."""

import unittest

from dns_server import AAAA, SRV
from harness import WeirCase, eventually, settings

NAME = "api.weir.test"
SERVICE = "_http._tcp.weir.test"


class DnsUpstreams(WeirCase):
    def setUp(self):
        self.server = self.dns()

    def resolved(self, endpoint, **more):
        return self.weir({
            **settings.resolver(self.server.address),
            "upstreams": {"api": settings.upstream(endpoint, **more)},
            "routes": [settings.route("/", "api")],
        })

    def pair(self):
        """Two backends at one port, on addresses of their own."""
        first = self.backend("first", host="127.0.0.1")
        return first, self.backend("second", host="127.0.0.2", port=first.port)

    def who(self, weir):
        response = self.fetch(weir)
        return response.json()["backend"] if response.status == 200 else response.status

    def by_name(self, backend, **more):
        return self.resolved(settings.dns_endpoint(f"{NAME}:{backend.port}"), **more)

    def test_a_name_is_resolved(self):
        first, _ = self.pair()
        self.server.put(NAME, "127.0.0.1")
        self.assertEqual("first", self.who(self.by_name(first)))

    def test_a_change_is_picked_up_after_the_ttl(self):
        first, _ = self.pair()
        self.server.put(NAME, "127.0.0.1")
        weir = self.by_name(first)
        self.assertEqual("first", self.who(weir))
        self.server.put(NAME, "127.0.0.2")
        eventually(lambda: self.who(weir) == "second", "the new address")
        self.assertEqual(["second"] * 5, [self.who(weir) for _ in range(5)])

    def test_all_addresses_of_a_name_are_endpoints(self):
        first, _ = self.pair()
        self.server.put(NAME, "127.0.0.1", "127.0.0.2")
        weir = self.by_name(first)
        self.assertEqual({"first", "second"}, {self.who(weir) for _ in range(4)})

    def test_an_address_that_joins_starts_slowly(self):
        first, second = self.pair()
        self.server.put(NAME, "127.0.0.1")
        weir = self.by_name(first, slow_start="10m")
        self.assertEqual(["first"] * 5, [self.who(weir) for _ in range(5)])
        self.server.put(NAME, "127.0.0.1", "127.0.0.2")
        eventually(lambda: self.who(weir) == "second", "the new address")
        # A tenth of its weight to begin with.
        self.assertIn(sum(self.who(weir) == "second" for _ in range(110)), range(2, 30))

    def test_a_long_ttl_asks_seldom(self):
        first, _ = self.pair()
        self.server.ttl = 300
        self.server.put(NAME, "127.0.0.1")
        weir = self.by_name(first)
        for _ in range(50):
            self.who(weir)
        self.assertLessEqual(self.server.questions(NAME), 3)

    def test_ipv6_addresses_count_too(self):
        backend = self.backend("six", host="::1")
        self.server.put(NAME, "::1", kind=AAAA)
        weir = self.resolved(settings.dns_endpoint(f"{NAME}:{backend.port}", "AAAA"))
        self.assertEqual("six", self.who(weir))

    def test_srv_gives_hosts_and_ports(self):
        first, second = self.backend("first"), self.backend("second", host="127.0.0.2")
        self.server.put("one.weir.test", "127.0.0.1")
        self.server.put("two.weir.test", "127.0.0.2")
        self.server.put(SERVICE, (1, 1, first.port, "one.weir.test"), (1, 1, second.port, "two.weir.test"), kind=SRV)
        weir = self.resolved(settings.srv_endpoint(SERVICE))
        self.assertEqual({"first", "second"}, {self.who(weir) for _ in range(6)})

    def assert_outlived(self, failure):
        first, _ = self.pair()
        self.server.put(NAME, "127.0.0.1")
        weir = self.by_name(first)
        self.assertEqual("first", self.who(weir))
        self.server.failing = failure
        asked = self.server.questions(NAME)
        eventually(lambda: self.server.questions(NAME) >= asked + 2, "questions to the failing server")
        self.assertEqual(["first"] * 5, [self.who(weir) for _ in range(5)])
        self.server.failing = None
        self.server.put(NAME, "127.0.0.2")
        eventually(lambda: self.who(weir) == "second", "the answer after the recovery", patience=40)

    def test_the_last_good_answer_outlives_a_server_failure(self):
        self.assert_outlived("servfail")

    def test_the_last_good_answer_outlives_silence(self):
        self.assert_outlived("silent")

    def test_a_name_unknown_at_the_start_is_told_with_its_line(self):
        first, _ = self.pair()
        self.server.failing = "servfail"
        with self.assertRaises(AssertionError) as refused:
            self.by_name(first)
        self.assertIn("weir ended with 1", str(refused.exception))
        self.assertIn(NAME, str(refused.exception))
        self.assertRegex(str(refused.exception), r"weir\.yaml:\d+:\d+: upstreams\.")


if __name__ == "__main__":
    unittest.main()
