"""The admin address: liveness, readiness, metrics, upstreams and the configuration, for reading."""

import json
import os
import subprocess
import unittest

import h2_wire
from harness import WEIR, WeirCase, eventually, free_address, settings
from wire import AdminAddress, request_bytes


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


class Secrets(WeirCase):
    """/config is read by people, pasted into tickets and scraped."""

    environment = {"HIDDEN": "s3cr3t", "HIDDEN_PORT": "4711", "HIDDEN_NAME": "front-s3cr3t"}

    def config(self, **more):
        fields = {"authorization": "Bearer s3cr3t", "x-api-key": "s3cr3t", "Cookie": "a=s3cr3t", "x-user": "ann-${HIDDEN}"}
        route = settings.route("/", None, "all", filters=[settings.headers_filter(request={"set": fields, "add": fields})],
                               respond={"status": 200, "headers": {"set-cookie": "s3cr3t", "x-plain": "shown"}})
        match = {"path": "/x", "headers": {"authorization": {"regex": "s3cr3t"}, "x-my-key": "s3cr3t"}, "query": {"token": "s3cr3t"}}
        return {"routes": [settings.route(match, None, "x", respond={"status": 204}), route],
                "stream_grace": "${HIDDEN_PORT}s", **more}

    def test_config_shows_no_secret(self):
        weir = self.weir(self.config())
        shown = self.fetch(weir.admin, target="/config").body.decode()
        by_command = subprocess.run([WEIR, "config", "--admin", weir.admin], capture_output=True, text=True, timeout=60).stdout
        for told in (shown, by_command):
            self.assertNotIn("s3cr3t", told)
            self.assertNotIn("4711", told)
            self.assertNotIn("1h18m31s", told)
            self.assertIn("shown", told)
        values = json.loads(shown)["routes"][1]["filters"][0]["headers"]["request"]["set"]
        self.assertEqual({"authorization": "***", "x-api-key": "***", "Cookie": "***", "x-user": "ann-***"}, values)

    def test_a_default_that_is_made_of_a_variable_is_masked_as_well(self):
        weir = self.weir(self.config())
        port = weir.address.rpartition(":")[2]
        weir.environment["PORT"] = port
        weir.stop()
        other = self.weir(self.config(listeners=[{"bind": "127.0.0.1:${PORT}"}]), environment={**self.environment, "PORT": port})
        listener, = self.fetch(other.admin, target="/config").json()["listeners"]
        self.assertEqual(("127.0.0.1:***", "127.0.0.1:***"), (listener["bind"], listener["name"]))

    def test_what_a_reload_answers_shows_no_secret(self):
        weir = self.weir(self.config())
        weir.configure(self.config(store="redis://user:hunter2@h:x", workers="${HIDDEN}"))
        told = self.fetch(weir.admin, "POST", "/reload")
        self.assertEqual(422, told.status)
        self.assertIn("store", told.body.decode())
        for secret in ("hunter2", "s3cr3t"):
            self.assertNotIn(secret, told.body.decode())
            self.assertNotIn(secret, weir.stderr())


class Defence(WeirCase):
    """A web page makes a browser of the operator's send requests to the admin address: none has an effect."""

    def guarded(self, **admin):
        api = self.backend()
        block = settings.circuit_breaker(min_requests=4)
        config = {"upstreams": {"api": settings.upstream(api) | block}, "routes": [settings.route("/", "api", "all")]}
        return self.weir({**config, "admin": {"bind": free_address(), **admin}})

    def ask(self, weir, method="GET", target="/config", **fields):
        host = {"host": fields.pop("host")} if "host" in fields else {}
        pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
        return self.fetch(weir.admin, method, target, pairs, **host)

    def assert_forbidden(self, response):
        self.assertEqual(403, response.status)
        self.assertEqual("application/problem+json", response.get("content-type"))
        self.assertEqual("urn:weir:error:forbidden", response.json()["type"])

    def state(self, weir):
        return self.ask(weir, target="/circuit_breakers").json()["circuit_breakers"][0]["state"]

    def test_no_web_page_opens_a_circuit_or_reads_the_configuration(self):
        weir = self.guarded()
        open_api = dict(method="POST", target="/circuit_breakers/api/open")
        for foreign in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}, {"host": "evil.example"},
                        {"origin": "http://evil.example", "content_type": "application/json"},
                        {"host": f"evil.example:{weir.admin.rpartition(':')[2]}", "accept": "text/html"}):
            with self.subTest(foreign):
                self.assert_forbidden(self.ask(weir, **open_api, **foreign))
                self.assert_forbidden(self.ask(weir, **foreign))
                self.assertEqual("closed", self.state(weir))
        told = {reason: weir.metric("weir_admin_requests_refused_total", reason=reason) for reason in ("host", "origin", "site")}
        self.assertEqual({"host": 4, "origin": 4, "site": 2}, told)
        weir.says("admin_request_refused")

    def test_http2_is_guarded_as_well(self):
        weir = self.guarded()
        with h2_wire.H2Client(weir.admin) as client:
            self.assertEqual(403, client.get("/config", host="evil.example").status)
            self.assertEqual(200, client.get("/config", host=weir.admin).status)

    def test_its_own_page_and_the_command_line_go_on_working(self):
        weir = self.guarded()
        own = {"origin": f"http://{weir.admin}", "sec_fetch_site": "same-origin"}
        target = "/circuit_breakers/api/open"
        self.assertEqual(415, self.ask(weir, "POST", target, **own).status)
        self.assertEqual(200, self.ask(weir, "POST", target, content_type="application/json", **own).status)
        self.assertEqual("open", self.state(weir))
        self.assertEqual(200, self.ask(weir, "POST", target.replace("open", "auto")).status)
        self.assertEqual(0, self.command(weir, "status", "-c", weir.file).returncode)
        self.assertEqual(200, self.ask(weir, host="localhost").status)

    def command(self, weir, *arguments):
        return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=60, cwd=weir.folder)

    def test_listed_names_are_known_and_a_reload_changes_them(self):
        weir = self.guarded(hosts=["ops.example"])
        self.assertEqual(200, self.ask(weir, host="ops.example:80").status)
        self.assert_forbidden(self.ask(weir, host="other.example"))
        weir.configure({"admin": {"bind": str(weir.admin), "hosts": "other.example"}})
        self.assertEqual(200, self.ask(weir, "POST", "/reload").status)
        self.assertEqual(200, self.ask(weir, host="other.example").status)
        self.assert_forbidden(self.ask(weir, host="ops.example"))

    def test_a_token_is_asked_for_of_all_but_probes(self):
        token = os.path.join(self.folder(), "token")
        with open(token, "w") as file:
            file.write("correct-horse\n")
        weir = self.guarded(token_file=token)
        self.assertEqual(200, self.ask(weir, target="/readyz").status)
        refused = self.ask(weir)
        self.assertEqual((401, 'Bearer realm="weir admin"'), (refused.status, refused.get("www-authenticate")))
        self.assertEqual(401, self.ask(weir, "POST", "/reload", authorization="Bearer wrong-horse!").status)
        self.assertEqual(200, self.ask(weir, authorization="Bearer correct-horse").status)
        self.assertEqual(0, self.command(weir, "reload", "-c", weir.file).returncode)
        self.assertEqual(0, self.command(weir, "status", "--admin", weir.admin, "--token-file", token).returncode)
        refused = self.command(weir, "status", "--admin", weir.admin)
        self.assertEqual(1, refused.returncode)
        self.assertIn("unauthorized", refused.stderr)
        self.assertNotIn("correct-horse", self.ask(weir, authorization="Bearer correct-horse").body.decode())

    def test_a_token_file_that_cannot_be_read_is_a_mistake_at_its_place(self):
        told = self.refused_start({"listeners": [settings.listener(free_address())],
                                   "admin": {"bind": free_address(), "token_file": "no-such"}})
        self.assertRegex(told, r"weir\.yaml:\d+:\d+: admin\.token_file: 'no-such' cannot be read")

    def test_read_only_refuses_to_change_anything(self):
        weir = self.guarded(read_only=True)
        for target in ("/reload", "/circuit_breakers/api/open", "/log_level?level=debug", "/cache/purge?all",
                       f"/upstreams/api/endpoints/{weir.address}/drain"):
            self.assert_forbidden(self.ask(weir, "POST", target))
        self.assertEqual(200, self.ask(weir).status)
        told = self.command(weir, "reload", "-c", weir.file)
        self.assertEqual(1, told.returncode)
        self.assertIn("read-only", told.stderr)

    def test_the_address_for_metrics_serves_nothing_else(self):
        own = free_address()
        token = os.path.join(self.folder(), "token")
        with open(token, "w") as file:
            file.write("correct-horse")
        weir = self.guarded(metrics_bind=own, token_file=token)
        served = lambda target, **how: self.fetch(AdminAddress(own), target=target, **how).status
        self.assertEqual(200, served("/metrics"))
        self.assertEqual({404}, {served(path) for path in ("/", "/config", "/upstreams", "/livez", "/circuit_breakers")})
        self.assertEqual(404, served("/reload", method="POST"))
        self.assertEqual(405, served("/metrics", method="POST"))
        self.assertEqual(403, served("/metrics", host="evil.example"))
        without = {"bind": str(weir.admin)}
        weir.configure({"admin": without})
        self.assertEqual(0, self.command(weir, "reload", "--admin", weir.admin, "--token-file", token).returncode)
        with self.assertRaises(OSError):
            served("/metrics")


if __name__ == "__main__":
    unittest.main()
