"""A limit of Weir's own machine (descriptors, ports) is no failure of an endpoint, and is told by its name."""

import json
import time
import unittest

from faults import LIBRARY, Faults
from harness import settings
from health_checks import QUICK, HealthCase
from wire import fetch


@unittest.skipUnless(LIBRARY, "FAULTS_LIBRARY names no library")
class LocalLimits(HealthCase):
    """Each request needs a connection of its own, and one failure is enough for every judge."""

    def setUp(self):
        self.faults = Faults(self.folder())

    def judged(self, check=None):
        self.backend = self.patient()
        self.backend.fields = [("Connection", "close")]
        block = settings.upstream(self.backend, **settings.circuit_breaker(min_requests=2, open="5m"))
        block |= {"outlier_detection": {"consecutive_5xx": 1, "base_ejection_time": "10m"},
                  "health_check": QUICK | {"fall": 1} | (check or {})}
        return self.weir({"upstreams": {"api": block}, "routes": [settings.route("/", "api")]},
                         environment=self.faults.environment)

    def assert_unblamed(self, weir):
        upstream = json.loads(fetch(weir.admin, target="/upstreams").body)["upstreams"][0]
        self.assertEqual(["up"], [endpoint["health"] for endpoint in upstream["endpoints"]])
        self.assertEqual([0], [endpoint["failures"] for endpoint in upstream["endpoints"]])
        self.assertEqual(0, weir.metric("weir_upstream_failures_total", reason="refused"))
        self.assertEqual(0, weir.metric("weir_circuit_breaker_state", state="open"))
        self.assertEqual(200, self.fetch(weir).status)

    def test_a_want_of_descriptors_opens_no_circuit_ejects_nobody_and_fails_no_check(self):
        weir = self.judged()
        client = self.client(weir)
        self.assertEqual(200, client.get().status)
        self.faults.fail_all("socket")
        responses = [client.get() for _ in range(20)]
        weir.says(r"health_check_not_made .*no_descriptors")
        self.faults.clear()
        self.assertEqual({503}, {response.status for response in responses})
        self.assertEqual("urn:weir:error:no_descriptors", responses[0].json()["type"])
        self.assertEqual("1", responses[0].get("retry-after"))
        self.assertEqual("no_descriptors", weir.log_of("/", 21)[5]["error"]["code"])
        self.assertEqual(20, weir.metric("weir_failures_total", reason="no_descriptors"))
        self.assertEqual(20, weir.metric("weir_upstream_failures_total", reason="unable"))
        self.assertGreater(weir.metric("weir_health_checks_total", result="not_made"), 0)
        self.assert_unblamed(weir)

    def test_a_want_of_ports_opens_no_circuit_and_ejects_nobody(self):
        weir = self.judged({"interval": "10m"})
        client = self.client(weir)
        for _ in range(4):
            self.faults.fail("connect", 1)
            response = client.get()
            self.assertEqual(503, response.status)
            self.assertEqual("urn:weir:error:no_ports", response.json()["type"])
        self.assertEqual(4, weir.metric("weir_failures_total", reason="no_ports"))
        self.assert_unblamed(weir)

    def test_accept_failed_is_logged_once_a_second_with_the_name_of_the_error(self):
        weir = self.weir({"workers": 2, "routes": [settings.answers(200, "hello")]}, environment=self.faults.environment)
        self.faults.fail_all("accept")
        clients = [self.client(weir) for _ in range(4)]
        weir.events("accept_failed", 1)
        began = time.monotonic()
        lines = weir.events("accept_failed", 3)
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertIn("error=EMFILE", lines[0])
        self.assertRegex(lines[2], r"untold=[1-9]")
        self.faults.clear()
        self.assertEqual({200}, {client.get().status for client in clients})
        self.assertGreater(weir.metric("weir_connections_refused_total"), 3)

    def test_a_start_warns_of_fewer_descriptors_than_connections(self):
        config = {"routes": [settings.answers(200, "hello")]}
        few = ["prlimit", "--nofile=600:600"]
        weir = self.weir(config | settings.client_limits(connections=601), launcher=few)
        weir.says(r"few_descriptors open_files=600 connections=601")
        weir.reload(config | settings.client_limits(connections=600))
        weir.reload(config | settings.client_limits(connections=700))
        self.assertEqual(2, len(weir.events("few_descriptors", 2)))
        enough = self.weir(config | settings.client_limits(connections=600), launcher=few)
        enough.says("started")
        self.assertNotIn("few_descriptors", enough.stderr())


if __name__ == "__main__":
    unittest.main()
