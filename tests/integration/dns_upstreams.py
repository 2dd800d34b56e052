"""Endpoints by DNS name: addresses follow the answers by their TTL, and the last good answer outlives its server."""

import json
import subprocess
import time
import unittest

from dns_server import AAAA, SRV
from harness import WEIR, WeirCase, eventually, settings
from wire import fetch

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
        # A tenth of its weight to begin with: 36 of 400, within 6 standard deviations.
        self.assertIn(sum(self.who(weir) == "second" for _ in range(400)), range(2, 71))

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

    def test_a_ttl_of_0_is_asked_again_after_a_second(self):
        first, _ = self.pair()
        self.server.ttl = 0
        self.server.put(NAME, "127.0.0.1")
        weir = self.by_name(first)
        self.assertEqual("first", self.who(weir))
        self.server.put(NAME, "127.0.0.2")
        eventually(lambda: self.who(weir) == "second", "the new address", patience=15)

    def service(self):
        """Two hosts of one SRV name."""
        first, second = self.backend("first"), self.backend("second", host="127.0.0.2")
        self.server.put("one.weir.test", "127.0.0.1")
        self.server.put("two.weir.test", "127.0.0.2")
        self.server.put(SERVICE, (1, 1, first.port, "one.weir.test"), (1, 1, second.port, "two.weir.test"), kind=SRV)
        weir = self.resolved(settings.srv_endpoint(SERVICE))
        self.assertEqual({"first", "second"}, {self.who(weir) for _ in range(6)})
        return weir, first

    def asked_again(self, name, times=2):
        asked = self.server.questions(name)
        eventually(lambda: self.server.questions(name) >= asked + times, f"questions for {name}", patience=60)

    def test_an_srv_target_whose_lookup_fails_keeps_its_endpoints(self):
        weir, _ = self.service()
        for mood in ("servfail", "silent"):
            with self.subTest(mood):
                self.server.failing_names["two.weir.test"] = mood
                self.asked_again("two.weir.test")
                self.asked_again("one.weir.test")
                self.assertEqual({"first", "second"}, {self.who(weir) for _ in range(6)})

    def test_an_srv_target_that_is_no_more_loses_its_endpoints(self):
        weir, _ = self.service()
        self.server.failing_names["two.weir.test"] = "nxdomain"
        eventually(lambda: {self.who(weir) for _ in range(6)} == {"first"}, "one endpoint")

    def test_an_srv_record_without_a_service_takes_the_endpoints_away(self):
        weir, first = self.service()
        self.server.put(SERVICE, (0, 0, 0, "."), kind=SRV)
        eventually(lambda: self.who(weir) == 502, "no endpoint")
        self.assertIn("there is no such service", self.unresolved(weir, SERVICE)["why"])
        weir.says("name_without_service")
        self.server.put(SERVICE, (1, 1, first.port, "one.weir.test"), kind=SRV)
        eventually(lambda: self.who(weir) == "first", "the service")

    def unresolved(self, weir, name):
        endpoints = json.loads(fetch(weir.admin, target="/upstreams").body)["upstreams"][0]["endpoints"]
        found = next(endpoint for endpoint in endpoints if endpoint["address"] == name)
        self.assertEqual("unresolved", found["health"])
        return found

    def tell(self, weir, *arguments):
        return subprocess.run([WEIR, *arguments, "-c", weir.file], capture_output=True, text=True, timeout=60)

    def test_a_name_without_an_address_is_unresolved_until_it_has_one(self):
        first, _ = self.pair()
        for mood in ("nxdomain", "servfail", "silent"):
            with self.subTest(mood):
                self.server.failing, name = mood, f"{NAME}:{first.port}"
                weir = self.by_name(first)
                response = self.fetch(weir)
                self.assertEqual((502, "urn:weir:error:dns_error"), (response.status, response.json()["type"]))
                self.unresolved(weir, name)
                self.assertRegex(self.tell(weir, "status").stdout, rf"{name} +unresolved ")
                self.assertEqual(0, weir.metric("weir_endpoint_up", endpoint=name))
                self.assertEqual(1, weir.metric("weir_endpoint_health", endpoint=name, state="unresolved"))
                self.assertGreater(weir.metric("weir_dns_failures_total", upstream="api"), 0)
                checked = self.tell(weir, "check")
                self.assertEqual(0, checked.returncode)
                self.assertRegex(checked.stderr, rf"weir.yaml:\d+:\d+: warning: upstreams.*{name}' does not resolve")
                self.server.failing = None
                self.server.put(NAME, "127.0.0.1")
                eventually(lambda: self.who(weir) == "first", "the address", patience=60)
                weir.says("name_resolved")
                weir.reload()

    def test_endpoints_by_address_serve_beside_a_name_that_does_not_resolve(self):
        first, _ = self.pair()
        self.server.failing = "nxdomain"
        weir = self.weir({
            **settings.resolver(self.server.address),
            "upstreams": {"api": settings.upstream(str(first), settings.dns_endpoint(f"{NAME}:80"))},
            "routes": [settings.route("/", "api")],
        })
        self.assertEqual({"first"}, {self.who(weir) for _ in range(6)})

    def test_many_silent_names_delay_a_start_by_one_lookup(self):
        first, _ = self.pair()
        self.server.failing = "silent"
        resolver = settings.resolver(self.server.address)
        resolver["resolver"] |= {"timeout": "1s", "tries": 1}
        upstreams = {f"u{i}": settings.upstream(settings.dns_endpoint(f"n{i}.weir.test:80")) for i in range(40)}
        began = time.monotonic()
        self.weir({**resolver, "upstreams": {"api": settings.upstream(first)} | upstreams,
                   "routes": [settings.route("/", "api")]})
        self.assertLess(time.monotonic() - began, 20)

    def test_with_resolve_required_a_name_unknown_at_the_start_is_told_with_its_line(self):
        first, _ = self.pair()
        self.server.failing = "servfail"
        with self.assertRaises(AssertionError) as refused:
            self.resolved(settings.dns_endpoint(f"{NAME}:{first.port}", resolve="required"))
        self.assertIn("weir ended with 1", str(refused.exception))
        self.assertIn(NAME, str(refused.exception))
        self.assertRegex(str(refused.exception), r"weir\.yaml:\d+:\d+: upstreams\.")


if __name__ == "__main__":
    unittest.main()
