"""Active health checks: who is asked, what is believed, and who gets requests; panic, draining and slow start."""

import json
import ssl
import subprocess
import threading
import unittest

from backend import HttpBackend, reply_bytes
from certificates import Authority
from grpc_peers import GrpcServer
from h2_wire import H2Server
from harness import WEIR, WeirCase, eventually, settings
from tls import TlsBackend
from wire import Closed, Cut, fetch, request_bytes

QUICK = {"path": "/healthz", "interval": "40ms", "timeout": "5s"}


class Patient(HttpBackend):
    """Answers /healthz as it is told to; checks don't count among its requests."""

    def __init__(self, name="a", **how):
        self.checks = []
        self.health = 200                            # the status of /healthz, or "hang", "close" or "flap"
        self.fields = []                             # of every answer
        self.failing = False                         # everything else is a 500
        super().__init__(name, **how)

    def _answer(self, connection, request):
        if not request.target.startswith("/healthz"):
            if self.failing:
                return connection.send(reply_bytes(500, body=b"sick"))
            if self.fields:
                return connection.send(reply_bytes(200, fields=self.fields, body=b"{}"))
            return super()._answer(connection, request)
        self.requests.remove(request)
        self.checks.append(request)
        if self.health == "hang":
            return connection.stall()
        if self.health == "close":
            return connection.reset()
        flaps = 503 if len(self.checks) % 2 else 200
        connection.send(reply_bytes(flaps if self.health == "flap" else self.health, fields=self.fields, body=b"all is well"))


class HealthCase(WeirCase):
    def patient(self, name="a", **how):
        return self._kept(Patient(name, **how))

    def guarded(self, *backends, check=None, endpoint=lambda number: {}, workers=1, **upstream):
        """Weir in front of these, checked quickly unless `check` says otherwise (False: not at all)."""
        block = {} if check is False else {"health_check": QUICK | (check or {})}
        self.block = settings.upstream(*(settings.endpoint(b, **endpoint(i)) for i, b in enumerate(backends)))
        self.block |= block | upstream
        return self.weir(self.config(workers))

    def config(self, workers=1):
        return {"workers": workers, "upstreams": {"api": self.block}, "routes": [settings.route("/", "api", "all")]}

    def upstreams(self, weir):
        return json.loads(fetch(weir.admin, target="/upstreams").body)["upstreams"][0]

    def endpoint(self, weir, backend):
        return next(e for e in self.upstreams(weir)["endpoints"] if e["address"] == str(backend))

    def health(self, weir, backend):
        return self.endpoint(weir, backend)["health"]

    def becomes(self, weir, backend, health):
        eventually(lambda: self.health(weir, backend) == health,
                   f"{backend} to be {health}, not {self.endpoint(weir, backend)}")
        return self.endpoint(weir, backend)

    def who(self, weir, count=12):
        client = self.client(weir)
        return {client.get("/").json()["backend"] for _ in range(count)}


class Checks(HealthCase):
    def test_an_endpoint_that_fails_its_checks_gets_nothing_until_it_recovers(self):
        for fault in (503, "hang", "close"):
            with self.subTest(fault=fault):
                a, b = self.patient("a"), self.patient("b")
                weir = self.guarded(a, b, check={"timeout": "300ms"}, workers=2)
                eventually(lambda: a.checks and b.checks, "checks")
                self.assertEqual({"a", "b"}, self.who(weir))
                a.health = fault
                told = self.becomes(weir, a, "down")
                self.assertRegex(told["why"], r"^3 checks in a row failed: ")
                self.assertEqual("check", told["by"])
                self.assertFalse(told["check"]["passed"])
                self.assertEqual({"b"}, self.who(weir))
                a.health = 200
                self.becomes(weir, a, "up")
                eventually(lambda: self.who(weir) == {"a", "b"}, "both again")

    def test_what_is_sent(self):
        a = self.patient()
        self.guarded(a, check={"path": "/healthz?deep=1", "host": "app.test", "headers": {"X-Probe": "1"}})
        check = eventually(lambda: a.checks and a.checks[0], "a check")
        fields = {name.lower(): value for name, value in check.fields}
        self.assertEqual(("GET", "/healthz?deep=1"), (check.method, check.target))
        self.assertEqual(("app.test", "1"), (fields["host"], fields["x-probe"]))
        self.assertRegex(fields["user-agent"], r"^weir-health-check/\d")

    def test_only_what_is_expected_passes(self):
        for status, block, passes in ((404, {}, False), (404, {"expect": [200, 404]}, True), (302, {"expect": 200}, False),
                                      (200, {"body": "is well"}, True), (200, {"body": "is bad"}, False)):
            with self.subTest(status=status, **block):
                a = self.patient()
                a.health = status
                weir = self.guarded(a, check=block)
                check = eventually(lambda: self.endpoint(weir, a).get("check"), "a check")
                self.assertEqual(passes, check["passed"], check)

    def test_checks_are_no_traffic(self):
        a = self.patient()
        weir = self.guarded(a, endpoint=lambda _: {"max_requests": 1})
        client = self.client(weir)
        client.send(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(a.held.acquire(timeout=10))
        seen = len(a.checks)
        eventually(lambda: len(a.checks) > seen + 3, "checks beside a full endpoint")
        endpoint = self.endpoint(weir, a)
        self.assertEqual((1, 1, 1), (endpoint["requests"], endpoint["active"], endpoint["connections"]))
        self.assertEqual([], [line for line in weir.access_log() if line.path == "/healthz"])
        self.assertGreaterEqual(weir.metric("weir_health_checks_total", upstream="api", result="passed"), 3)
        a.release.set()
        client.response()

    def waiting(self, on_down, *methods):
        """Requests that wait on `a`, which then fails its checks, while `b` is fine."""
        a, b = self.patient("a"), self.patient("b")
        b.release.set()
        weir = self.guarded(a, b, check={"on_down": on_down} if on_down else {})
        eventually(lambda: a.checks and b.checks, "checks")
        waiting = []
        for method in methods:                      # the balancer takes turns
            holder = None
            while holder is not a:
                client = self.client(weir)
                client.send(request_bytes(method, f"/hold?{len(waiting)}", body=b"x" if method == "POST" else b""))
                holder = eventually(lambda: next((x for x in (a, b) if x.held.acquire(blocking=False)), None), "the request")
            waiting.append(client)
        before = self.asked(b)
        a.health = 503
        self.becomes(weir, a, "down")
        return weir, a, lambda: self.asked(b)[len(before):], waiting

    def asked(self, backend):
        return [request.method for request in backend.requests if request.target.startswith("/hold")]

    def test_requests_that_wait_on_an_endpoint_that_goes_down_are_cut_and_go_elsewhere_where_that_is_safe(self):
        weir, _, asked_of_b, clients = self.waiting("cut", "GET", "POST")
        got, posted = [client.response() for client in clients]
        self.assertEqual((200, "b"), (got.status, got.json()["backend"]))
        self.assertEqual(502, posted.status)
        self.assertIn("went down while the request waited", posted.json()["detail"])
        self.assertEqual(["GET"], asked_of_b())
        self.assertEqual(2, weir.metric("weir_requests_cut_total", upstream="api"))

    def test_by_default_requests_wait_on_an_endpoint_that_goes_down(self):
        weir, a, asked_of_b, clients = self.waiting(None, "GET", "POST")
        eventually(lambda: len(a.checks) > 20, "checks")
        a.release.set()
        self.assertEqual(["a"] * 2, [client.response().json()["backend"] for client in clients])
        self.assertEqual([], asked_of_b())

    def test_a_check_without_an_answer_says_which_setting_it_met(self):
        a = self.patient()
        a.health = "hang"
        weir = self.guarded(a, check={"timeout": "1s", "fall": 1})
        self.assertEqual("a check failed: no answer within health_check.timeout 1s", self.becomes(weir, a, "down")["why"])

    def test_another_port_is_checked(self):
        a, doctor = self.patient("a"), self.patient("doctor")
        doctor.health = 503
        weir = self.guarded(a, check={"port": doctor.port})
        self.becomes(weir, a, "down")
        self.assertEqual([], a.checks)

    def test_tcp(self):
        a = self.patient()
        b = self.backend("b")
        weir = self.weir({"upstreams": {"api": settings.upstream(a, b) | {
            "health_check": {"type": "tcp", "interval": "40ms"}}}, "routes": [settings.route("/", "api")]})
        eventually(lambda: self.endpoint(weir, a).get("check", {}).get("passed"), "a passed check")
        a.stop()
        self.becomes(weir, a, "down")
        self.assertEqual({"b"}, self.who(weir))

    def test_over_tls(self):
        folder = self.folder()
        authority = Authority(folder)
        pair = authority.issue("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)

        class Both(TlsBackend, Patient):
            pass

        a = self._kept(Both(context))
        weir = self.guarded(a, tls={"ca": authority.ca})
        eventually(lambda: self.endpoint(weir, a).get("check", {}).get("passed"), "a passed check")
        a.health = 503
        self.becomes(weir, a, "down")

    def test_over_http2(self):
        a = self.patient()
        behind = self.in_front_of(a)                 # it speaks HTTP/2 by prior knowledge
        weir = self.guarded(behind.address, protocol="http2")
        eventually(lambda: self.endpoint(weir, behind.address).get("check", {}).get("passed"), "a passed check")
        self.assertTrue(all(line["proto"].startswith("HTTP/2") for line in behind.log_of("/healthz")))
        a.health = 503
        self.becomes(weir, behind.address, "down")

    def test_grpc(self):
        server = self._kept(GrpcServer())
        for service, health in (("", "up"), ("test.Sick", "down"), ("test.Unknown", "down")):
            with self.subTest(service=service):
                check = {"type": "grpc", "service": service, "interval": "40ms", "fall": 1}
                weir = self.weir({
                    "upstreams": {"api": settings.upstream(server) | {"health_check": check, "protocol": "http2"}},
                    "routes": [settings.route("/", "api")]})
                eventually(lambda: "check" in self.upstreams(weir)["endpoints"][0], "a check")
                self.becomes(weir, server, health)

    def test_grpc_by_the_status_of_the_call_whatever_its_message_says(self):
        for status, health in (("0", "up"), ("13", "down")):
            def script(connection, status=status):
                server = H2Server(connection)
                while True:
                    stream, _ = server.request()
                    server.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
                    server.send_data(stream, b"\0\0\0\0\2\x08\x01", end=False)    # SERVING
                    server.send_headers(stream, [("grpc-status", status)], end=True)
            with self.subTest(status):
                server = self.scripted(script)
                check = {"type": "grpc", "interval": "40ms", "fall": 1}
                weir = self.weir({
                    "upstreams": {"api": settings.upstream(server) | {"health_check": check, "protocol": "http2"}},
                    "routes": [settings.route("/", "api")]})
                eventually(lambda: "check" in self.upstreams(weir)["endpoints"][0], "a check")
                self.becomes(weir, server, health)

    def test_a_reload_keeps_what_is_known(self):
        a, b = self.patient("a"), self.patient("b")
        a.health = 503
        weir = self.guarded(a, b)
        since = self.becomes(weir, a, "down")["since"]
        self.block["health_check"] = {**QUICK, "interval": "1h", "fast_interval": "1h"}
        weir.reload(self.config(workers=2))
        self.assertEqual(("down", since[:19]), (self.health(weir, a), self.endpoint(weir, a)["since"][:19]))
        self.assertEqual({"b"}, self.who(weir))
        del self.block["health_check"]
        weir.reload(self.config())
        self.assertEqual("up", self.health(weir, a))

    def test_checks_follow_a_reload(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a)
        eventually(lambda: a.checks, "checks of the first")
        self.block["endpoints"] = [str(b)]
        weir.reload(self.config())
        eventually(lambda: b.checks, "checks of the second")
        seen = len(a.checks)
        more = len(b.checks) + 5
        eventually(lambda: len(b.checks) > more, "more checks")
        self.assertLessEqual(len(a.checks), seen + 1)

    def test_a_new_endpoint_waits_for_its_first_pass(self):
        a = self.patient()
        a.health = "hang"
        weir = self.guarded(a, check={"initial": "checking", "timeout": "10s"})
        eventually(lambda: a.checks, "a check")
        self.assertEqual("checking", self.health(weir, a))
        self.assertEqual(503, self.fetch(weir).status)
        b = self.patient()
        weir = self.guarded(b, check={"initial": "checking"})
        self.becomes(weir, b, "up")
        self.assertEqual(200, self.fetch(weir).status)

    def test_a_recovered_endpoint_starts_slowly(self):
        a, b = self.patient("a"), self.patient("b")
        a.health = 503
        weir = self.guarded(a, b, slow_start="10m")
        self.becomes(weir, a, "down")
        a.health = 200
        self.becomes(weir, a, "up")
        client = self.client(weir)
        got = [client.get("/").json()["backend"] for _ in range(110)]
        self.assertIn(got.count("a"), range(2, 25))

    def test_an_endpoint_that_flaps_changes_no_faster_than_it_is_believed(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b, check={"interval": "20ms", "fall": 3, "rise": 2})
        eventually(lambda: a.checks, "checks")
        a.health, seen = "flap", len(a.checks)
        eventually(lambda: len(a.checks) > seen + 40, "checks that pass and fail in turn")
        self.assertEqual("up", self.health(weir, a))
        self.assertEqual(0, weir.metric("weir_endpoint_health_changes_total", to="down"))

    def test_each_change_is_one_line_of_the_log_and_a_metric(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b)
        a.health = 503
        self.becomes(weir, a, "down")
        a.health = 200
        self.becomes(weir, a, "up")
        lines = weir.events("endpoint_health_changed", 2)
        self.assertEqual(2, len(lines), lines)
        self.assertRegex(lines[0], rf'upstream=api endpoint={a} from=up to=down by=check why="3 checks in a row failed')
        self.assertRegex(lines[1], r'from=down to=up by=check why="2 checks in a row passed: status 200"')
        self.assertEqual(1, weir.metric("weir_endpoint_health_changes_total", upstream="api", to="down"))
        self.assertEqual(1, weir.metric("weir_endpoint_health", endpoint=str(a), state="up"))
        self.assertEqual(0, weir.metric("weir_endpoint_health", endpoint=str(a), state="down"))

    def test_status_tells_why(self):
        a, b = self.patient("a"), self.patient("b")
        a.health = 503
        weir = self.guarded(a, b)
        self.becomes(weir, a, "down")
        table = subprocess.run([WEIR, "status", "--admin", weir.admin], capture_output=True, text=True).stdout
        self.assertRegex(table, r"down .*check: 3 checks in a row failed: status 503, since \d{4}-")

    def test_killing_a_backend_under_load_costs_only_what_was_in_flight(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b, check={"interval": "20ms"})
        eventually(lambda: a.checks and b.checks, "checks")
        failed, stop, ejected = [], threading.Event(), threading.Event()

        def ask():
            while not stop.is_set():
                began_after = ejected.is_set()
                try:
                    status = fetch(weir.address).status
                except (OSError, Closed, Cut) as fault:
                    status = fault
                if status != 200 and began_after:
                    failed.append(status)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        a.stop()
        self.becomes(weir, a, "down")
        ejected.set()
        served = len(b.requests)
        eventually(lambda: len(b.requests) > served + 100, "requests to the other")
        stop.set()
        for asker in askers:
            asker.join()
        self.assertEqual([], failed)


class Panic(HealthCase):
    def test_with_less_than_the_threshold_healthy_all_are_used_and_it_is_told(self):
        backends = [self.patient(name) for name in "abc"]
        for sick in backends[1:]:
            sick.health = 503
        weir = self.guarded(*backends, panic_threshold="50%")
        for sick in backends[1:]:
            self.becomes(weir, sick, "down")
        self.assertEqual({"a", "b", "c"}, self.who(weir))
        self.assertTrue(self.upstreams(weir)["panic"])
        self.assertEqual(1, weir.metric("weir_upstream_panic", upstream="api"))
        self.assertGreater(weir.metric("weir_upstream_panic_requests_total", upstream="api"), 0)
        backends[1].health = 200
        self.becomes(weir, backends[1], "up")
        eventually(lambda: self.who(weir) == {"a", "b"}, "the healthy ones alone")
        self.assertEqual(0, weir.metric("weir_upstream_panic", upstream="api"))
        weir.says(r"panic_began upstream=api healthy=1 endpoints=3")
        weir.says(r"panic_ended upstream=api")

    def test_the_last_healthy_endpoint_gets_all_requests_and_none_of_them_a_panic(self):
        backends = [self.patient(name) for name in "abc"]
        for sick in backends[1:]:
            sick.health = 503
        weir = self.guarded(*backends)
        for sick in backends[1:]:
            self.becomes(weir, sick, "down")
        self.assertEqual({"a"}, self.who(weir))
        backends[0].health = 503
        self.becomes(weir, backends[0], "down")
        self.assertEqual({"a", "b", "c"}, self.who(weir))
        self.assertEqual(1, weir.metric("weir_upstream_panic", upstream="api"))

    def test_an_upstream_that_must_not_panic_fails_fast(self):
        a = self.patient()
        a.health = 503
        weir = self.guarded(a, panic="never")
        self.becomes(weir, a, "down")
        self.assertEqual(503, self.fetch(weir).status)
        self.assertEqual([], a.requests)

    def test_a_backup_serves_while_the_primaries_are_down(self):
        a, b = self.patient("a"), self.patient("b")
        a.health = 503
        weir = self.guarded(a, b, endpoint=lambda number: {"backup": number == 1})
        self.becomes(weir, a, "down")
        self.assertEqual({"b"}, self.who(weir))

    def test_backups_take_what_the_primaries_cannot_bear(self):
        backends = [self.patient(name) for name in "abc"]
        backends[0].health = 503
        weir = self.guarded(*backends, endpoint=lambda number: {"backup": number == 2}, overprovisioning=1.4)
        self.becomes(weir, backends[0], "down")
        client = self.client(weir)
        got = [client.get("/").json()["backend"] for _ in range(200)]
        self.assertIn(got.count("c"), range(25, 100))    # 30 %
        self.assertEqual(0, got.count("a"))


class Words(HealthCase):
    """What an endpoint says of itself, and what an operator does."""

    def test_a_check_may_say_drain_or_degraded(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b, health_header="x-weir-health")
        for word, health in (("degraded", "degraded"), ("drain", "draining"), ("down", "down")):
            a.fields = [("X-Weir-Health", word)]
            self.assertEqual("backend", self.becomes(weir, a, health)["by"])
            self.assertEqual({"b"}, self.who(weir))
        a.fields = []
        self.becomes(weir, a, "up")

    def test_an_ordinary_answer_may_say_so_and_the_client_does_not_see_it(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b, check={"interval": "1h"}, health_header="x-weir-health")
        a.fields = [("X-Weir-Health", "drain")]
        client = self.client(weir)
        answers = [client.get("/") for _ in range(6)]
        self.assertEqual([200] * 6, [answer.status for answer in answers])
        self.assertFalse(any("x-weir-health" in str(answer.fields).lower() for answer in answers))
        self.assertEqual(("draining", 1), (self.health(weir, a), len(a.requests)))

    def test_an_operator_drains_an_endpoint(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b, check=False)
        path = f"/upstreams/api/endpoints/{a}/"
        self.assertEqual(405, fetch(weir.admin, target=path + "drain").status)
        self.assertEqual(200, fetch(weir.admin, "POST", path + "drain").status)
        self.assertEqual(("draining", "admin"), (self.health(weir, a), self.endpoint(weir, a)["by"]))
        self.assertEqual({"b"}, self.who(weir))
        weir.reload(self.config())
        self.assertEqual("draining", self.health(weir, a))
        self.assertEqual(200, fetch(weir.admin, "POST", path + "up").status)
        self.assertEqual({"a", "b"}, self.who(weir))
        self.assertEqual(404, fetch(weir.admin, "POST", "/upstreams/api/endpoints/1.2.3.4:5/drain").status)


if __name__ == "__main__":
    unittest.main()
