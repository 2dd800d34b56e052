"""The admin address: liveness, readiness, metrics, upstreams and the configuration, for reading."""

import json
import unittest

from harness import WeirCase, eventually, settings
from wire import request_bytes


class Admin(WeirCase):
    def setUp(self):
        self.api = self.backend()
        self.running = self.in_front_of(self.api)

    def read(self, path, **how):
        return self.fetch(self.running.admin, target=path, **how)

    def test_alive_and_ready(self):
        self.assertEqual([200, 200], [self.read(path).status for path in ("/livez", "/readyz")])

    def test_an_unknown_path_is_404_and_reading_alone_is_allowed(self):
        self.assertEqual(404, self.read("/no-such").status)
        self.assertEqual(405, self.read("/metrics", method="DELETE").status)

    def test_it_keeps_connections_alive(self):
        client = self.client(self.running.admin)
        self.assertEqual([200] * 3, [client.get("/livez").status for _ in range(3)])

    def test_requests_are_counted_by_route_and_class(self):
        for _ in range(3):
            self.fetch(self.running)
        labels = {settings.ROUTE_LABEL: "all", settings.CODE_LABEL: settings.code_class(200)}
        eventually(lambda: self.running.metric(settings.REQUESTS, **labels) == 3, "three requests")
        self.assertEqual(3, self.running.metric(settings.REQUEST_SECONDS + "_count", route="all"))
        self.assertEqual(3, self.running.metric(settings.UPSTREAM_SECONDS + "_count", upstream="api"))

    def test_histograms_are_cumulative(self):
        self.fetch(self.running)
        name = settings.REQUEST_SECONDS + "_bucket"
        buckets = [(float(labels["le"]), value) for sample, labels, value in self.running.metrics()
                   if sample == name and labels.get(settings.ROUTE_LABEL) == "all"]
        self.assertEqual([value for _, value in sorted(buckets)], sorted(value for _, value in buckets))
        self.assertEqual(float("inf"), max(bound for bound, _ in buckets))

    def test_gauges_go_up_and_down(self):
        holding = self.client(self.running)
        holding.send(request_bytes(target="/hold"))
        self.assertTrue(self.api.held.acquire(timeout=10))
        self.assertEqual(1, self.running.metric(settings.IN_FLIGHT))
        self.assertGreaterEqual(self.running.metric(settings.CONNECTIONS), 1)
        self.api.release.set()
        holding.response()
        eventually(lambda: self.running.metric(settings.IN_FLIGHT) == 0, "nothing in flight")

    def test_endpoints_are_up(self):
        self.fetch(self.running)
        self.assertEqual(1, self.running.metric(settings.ENDPOINT_UP, upstream="api", endpoint=self.api.address))

    def test_the_text_is_what_a_scraper_reads(self):
        self.fetch(self.running)
        response = self.read("/metrics")
        self.assertTrue(response.get("content-type").startswith("text/plain; version=0.0.4"))
        text = response.body.decode()
        self.assertIn(f"# TYPE {settings.REQUESTS} counter", text)
        self.assertIn(f"# TYPE {settings.REQUEST_SECONDS} histogram", text)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) |[a-zA-Z_:][\w:]*(\{.*\})? \S+$)')

    def test_label_values_come_from_the_configuration_alone(self):
        for target in ("/evil-1", "/evil-2"):
            self.fetch(self.running, target=target, host="evil.example")
        self.assertNotIn("evil", self.read("/metrics").body.decode())

    def test_upstreams_are_listed(self):
        told = self.read("/upstreams")
        self.assertEqual("application/json", told.get("content-type"))
        self.assertIn(self.api.address, json.dumps(told.json()))
        self.assertIn("api", json.dumps(told.json()))

    def test_upstreams_tell_how_long_answers_take(self):
        self.fetch(self.running)
        endpoint, = self.read("/upstreams").json()["upstreams"][0]["endpoints"]
        self.assertGreater(endpoint["latency_ms"], 0)

    def test_a_listener_without_a_name_is_shown_by_its_address(self):
        self.assertEqual([self.running.address], [one["name"] for one in self.read("/config").json()["listeners"]])

    def test_the_configuration_in_effect_is_shown(self):
        told = self.read("/config")
        self.assertEqual("application/json", told.get("content-type"))
        self.assertIn(self.api.address, json.dumps(told.json()))
        self.assertIn("round_robin", json.dumps(told.json()), "a default is not filled in")

    def test_garbage_and_its_own_limits_hold_here_too(self):
        client = self.client(self.running.admin)
        client.send(b"\x00\x01garbage\r\n\r\n")
        self.assert_refused(client, 400)
        self.assertEqual(200, self.read("/livez").status)


if __name__ == "__main__":
    unittest.main()
