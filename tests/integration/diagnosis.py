"""What is wrong is found with `weir status` or in one line of the log."""

import json
import os
import re
import subprocess
import unittest

from backend import resets
from certificates import Authority
from harness import WEIR, WeirCase, eventually, free_address, settings
from redis_server import RedisServer
from settings import answers, circuit_breaker, concurrency_limit, fallback, rate_limit, route, to_stale, to_text, to_upstream

IDS = {"filters": ["request_id"]}


def read(path):
    with open(path) as file:
        return file.read()


class DiagnosisCase(WeirCase):
    def command(self, weir, *arguments):
        return subprocess.run([WEIR, *arguments, "-c", weir.file], capture_output=True, text=True, timeout=60,
                              cwd=weir.folder)

    def status(self, weir, *arguments):
        done = self.command(weir, "status", *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def line(self, weir, path):
        return weir.log_of(path)[0]

    def page(self, weir, path):
        return self.fetch(weir.admin, target=path).json()

    def assert_in_each(self, words, *texts):
        for text in texts:
            for word in words:
                self.assertIn(word, text)


class Causes(DiagnosisCase):
    """Each cause is provoked, and then looked for as the README says."""

    def test_all_endpoints_are_down(self):
        gone = [free_address(), free_address()]
        weir = self.in_front_of(*gone, **IDS)
        response = self.fetch(weir, target="/a")
        self.assertEqual(502, response.status)
        error = self.line(weir, "/a")["error"]
        self.assertEqual(("connect_refused", "api"), (error["code"], error["upstream"]))
        self.assertIn(error["endpoint"], gone)
        table = self.status(weir)
        for address in gone:
            self.assertRegex(table, rf"{address} +up( \(paused\))? .*1 connection in a row failed")
        self.assertRegex(table, r"connect_refused +api")
        why = self.status(weir, "--why", "api")
        for address in gone:
            self.assertRegex(why, rf"endpoint {address} is up; 1 connection in a row failed")
        self.assert_in_each(["502 connect_refused", "means: the endpoint refused", "next:  is the service running"], why)

    def test_no_endpoint_is_up(self):
        backend = self.backend()
        upstream = settings.upstream(backend) | {"health_check": {"path": "/status/503", "interval": "100ms"}}
        weir = self.weir({"upstreams": {"api": upstream | {"panic": "never"}},
                          "routes": [route("/", "api", "all")], **IDS})
        eventually(lambda: self.fetch(weir, target="/a").status == 503, "the endpoint is down")
        response = self.fetch(weir, target="/down", fields=[("Accept", "application/json")])
        self.assertEqual("no endpoint of the upstream is up (upstream api)", response.json()["detail"])
        line = self.line(weir, "/down")
        self.assertEqual(("no_endpoint", "api"), (line["error"]["code"], line["error"]["upstream"]))
        self.assertEqual({"name": "api", "attempts": 0}, line["upstream"])
        self.assertRegex(self.status(weir), rf"{backend} +down .*check: .*status 503")
        self.assert_in_each([f"endpoint {backend} is down: check:", "503 no_endpoint"], self.status(weir, "--why"))

    def test_one_circuit_is_open(self):
        weir = self.weir({"upstreams": {"api": settings.upstream(self.backend(), **circuit_breaker(min_requests=3, open="1m")),
                                        "well": settings.upstream(self.backend(), **circuit_breaker())},
                          "routes": [route("/", "api", "shop")], **IDS})
        for _ in range(4):
            response = self.fetch(weir, target="/status/503", fields=[("Accept", "application/json")])
        self.assertEqual("too many requests to it failed: it is left alone for a while (upstream api, circuit api)",
                         response.json()["detail"])
        self.assertIn("(upstream api, circuit api)", response.get("proxy-status"))
        line = weir.log_of("/status/503", 4)[3]
        self.assertEqual(("circuit_open", "circuit api", "api"), tuple(line["error"][key] for key in ("code", "by", "upstream")))
        self.assertEqual({"CB"}, line.flags)
        table = self.status(weir)
        self.assertRegex(table, r"(?m)^api +open +10 s +3 +3 +1 .*3 of 3 attempts failed")
        self.assertRegex(table, r"(?m)^well +closed ")
        # The table of endpoints says the same number.
        self.assertRegex(table, r"(?m)^api +round_robin +\S+ +up +1 +0 +3 +3 ")
        why = self.status(weir, "--why", "api")
        self.assert_in_each(["circuit api is open since", "503 circuit_open by circuit api: 1 time", "next:  weir status has the cause",
                             f"request_id {line['request_id']}"], why)
        self.assertEqual("upstream well\n  nothing is wrong, and nothing has failed\n", self.status(weir, "--why", "well"))

    def test_the_store_is_gone(self):
        redis = RedisServer()
        self.addCleanup(redis.stop)
        limit = rate_limit("100/s", on_store_failure="deny", name="login")
        weir = self.in_front_of(self.backend(), store={"redis": redis.url}, filters=["request_id", limit])
        self.assertEqual(200, self.fetch(weir).status)
        self.assertRegex(self.status(weir), r"(?m)^store +redis .*redis\.sock is up")
        redis.kill()
        eventually(lambda: self.fetch(weir, target="/gone").status == 503 and
                   self.page(weir, "/status")["store"]["state"] == "down", "the store is down")
        response = self.fetch(weir, target="/denied", fields=[("Accept", "application/json")])
        self.assertEqual("the store is gone, so the limit can't be counted (upstream api, rate_limit login)", response.json()["detail"])
        line = self.line(weir, "/denied")
        self.assertEqual(("store_unavailable", "rate_limit login"), (line["error"]["code"], line["error"]["by"]))
        self.assertIn("SD", line.flags)
        table = self.status(weir)
        self.assertRegex(table, r"(?m)^state +degraded: store is down$")
        self.assertRegex(table, r"(?m)^store +redis .* is down")
        self.assertRegex(table, r"(?m)^rate_limit login +all +.*store_denied \d")
        self.assertNotIn("pages of caches", table)
        self.assertRegex(self.status(weir, "--why"), r"(?s)store redis \S*redis\.sock is down\n    means: .*\n    next:  repair Redis")
        self.assert_in_each(["store is down", "503 store_unavailable by rate_limit login", "repair Redis"],
                            self.status(weir, "--why"))

    def test_a_queue_is_full(self):
        backend = self.backend()
        weir = self.weir({
            "upstreams": {"api": settings.upstream(settings.endpoint(backend, max_requests=1), **settings.queue(1, "1m"))},
            "routes": [route("/", "api", "all")], **IDS})
        holders = [self.in_background(self.fetch, weir, "GET", "/hold") for _ in range(2)]
        eventually(lambda: self.page(weir, "/status")["queues"] == [
            {"upstream": "api", "waiting": 1, "size": 1, "timeout_ms": 60000.0}], "one waits")
        response = self.fetch(weir, target="/full", fields=[("Accept", "application/json")])
        self.assertEqual("too many requests wait for an endpoint (upstream api, queue)", response.json()["detail"])
        error = self.line(weir, "/full")["error"]
        self.assertEqual(("overflow", "queue", "api"), tuple(error[key] for key in ("code", "by", "upstream")))
        self.assertRegex(self.status(weir), r"(?m)^QUEUE OF .*\napi +1 +1 +60000 ms +full$")
        self.assert_in_each(["1 of 1 places in the queue are taken", "503 overflow by queue", "add endpoints"],
                            self.status(weir, "--why", "api"))
        backend.release.set()
        for holder in holders:
            holder.thread.join(60)

    def test_a_client_has_its_share_of_a_queue(self):
        backend = self.backend()
        weir = self.weir({
            "upstreams": {"api": settings.upstream(settings.endpoint(backend, max_requests=1), **settings.queue(4, "1m"))},
            "routes": [route("/", "api", "all")], **IDS})
        holders = [self.in_background(self.fetch, weir, "GET", "/hold") for _ in range(3)]
        eventually(lambda: self.page(weir, "/status")["queues"][0]["waiting"] == 2, "two wait")
        response = self.fetch(weir, target="/share", fields=[("Accept", "application/json")])
        share = "this client has its share of the queue; one client fills half of it at most"
        self.assertEqual(f"{share} (upstream api, queue)", response.json()["detail"])
        error = self.line(weir, "/share")["error"]
        self.assertEqual(("overflow", "queue", share), tuple(error[key] for key in ("code", "by", "detail")))
        self.assert_in_each([f"detail {share}", "or the client has its share of the queue", "trusted_proxies"],
                            self.status(weir, "--why", "api"))
        backend.release.set()
        for holder in holders:
            holder.thread.join(60)

    def test_a_client_has_its_share_of_a_limits_queue(self):
        backend = self.backend()
        weir = self.in_front_of(backend, filters=[{"concurrency_limit": {"max": 1, "queue": {"max": 4, "timeout": "1m"}}}])
        holders = [self.in_background(self.fetch, weir, "GET", "/hold") for _ in range(3)]
        eventually(lambda: "queued 2" in self.status(weir), "two wait")
        self.fetch(weir, target="/share")
        error = self.line(weir, "/share")["error"]
        self.assertEqual("this client has its share of the queue; one client fills half of it at most", error["detail"])
        backend.release.set()
        for holder in holders:
            holder.thread.join(60)

    def test_a_reload_failed(self):
        weir = self.in_front_of(self.backend())
        self.assertRegex(self.status(weir), r"(?m)^reload +none since the start$")
        good = read(weir.file)
        weir.configure(good.replace('"routes"', '"rotues"'))
        weir.reload(expect="failure")
        ready = self.fetch(weir.admin, target="/readyz")
        self.assertEqual((200, "degraded"), (ready.status, ready.json()["status"]))
        self.assertIn("the last reload failed", ready.json()["why"])
        table = self.status(weir)
        self.assertRegex(table, r"(?m)^state +degraded: the last reload failed")
        self.assertRegex(table, r"(?m)^reload +FAILED at 20\d\d-\S+: the configuration before it is served\n.*rotues")
        self.assertRegex(weir.events("configuration_problem")[0], "rotues")
        self.assertRegex(self.status(weir, "--why"), r"(?s)the reload at \S+ failed: .*unknown setting 'rotues'.*next:  mend ")
        weir.configure(good)
        weir.reload()
        self.assertEqual("ready", self.page(weir, "/readyz")["status"])
        self.assertRegex(self.status(weir), r"(?m)^reload +succeeded at 20\d\d-")

    def test_a_413(self):
        for settings_of, by, most in (({"routes": [route("/", "api", "up", max_body="1KiB")]}, "max_body", 1024),
                                      ({"routes": [route("/", "api", "up")], **settings.client_limits(body="2KiB")}, "limits.body", 2048)):
            with self.subTest(by):
                weir = self.weir({"upstreams": {"api": settings.upstream(self.backend())}, **settings_of, **IDS})
                for path, fields, body in (("/length", [], b"x" * 4096), ("/chunked", [("Transfer-Encoding", "chunked")], None)):
                    client = self.client(weir)
                    if body:
                        client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nContent-Length: 4096\r\n\r\n")
                        client.send(body)
                    else:
                        client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                        client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n")
                    response = client.response()
                    self.assertEqual(413, response.status)
                    line = self.line(weir, path)
                    self.assertEqual(("body_too_large", by), (line["error"]["code"], line["error"]["by"]))
                    self.assertEqual(f"the request body has more than the {most} bytes that the route takes", line["error"]["detail"])
                    self.assertEqual("up", line["route"])
                    self.assertEqual(line["request_id"], response.get("x-request-id"))
                    self.assertEqual(line["request_id"], response.json()["instance"])
                    self.assertIn(str(most), response.json()["detail"])
                self.assertRegex(self.status(weir), rf"body_too_large +- +{by} +2 ")
                self.assert_in_each([f"413 body_too_large by {by}: 2 times", "route up"], self.status(weir, "--why"))

    def test_a_fallback_answers(self):
        gone = free_address()
        weir = self.weir({"upstreams": {"api": settings.upstream(gone), "spare": settings.upstream(self.backend("spare")),
                                        "busy": settings.upstream(self.backend("busy"))},
                          "routes": [route("/text", "api", "text", filters=[fallback(to_text(200, "soon"))]),
                                     route("/spare", "api", "spare", filters=[fallback(to_upstream("spare"))]),
                                     route("/status/503", "busy", "page", filters=[fallback(to_text(200, "soon"), on=["503"])])],
                          **IDS})
        for path in ("/text", "/spare"):
            self.assertEqual(200, self.fetch(weir, target=path).status)
            line = self.line(weir, path)
            self.assertEqual({"code": "connect_refused", "upstream": "api", "endpoint": gone},
                             {key: line["error"][key] for key in ("code", "upstream", "endpoint")})
            self.assertEqual({"FB", "UF"}, line.flags)
            self.assertEqual(f"connect_refused of upstream api, endpoint {gone}", line["instead_of"])
        self.assertEqual(gone, self.line(weir, "/text")["upstream"]["addr"])
        self.assertEqual(("spare", 200), tuple(self.line(weir, "/spare")["upstream"][key] for key in ("name", "status")))
        self.assertEqual(200, self.fetch(weir, target="/status/503").status)
        line = self.line(weir, "/status/503")
        self.assertEqual((503, {"FB"}), (line["upstream"]["status"], line.flags))
        self.assertRegex(line["instead_of"], r"^status 503 of upstream busy, endpoint 127")
        self.assertRegex(self.status(weir), r"connect_refused +api +- +2 .* 2 answered in its place\n")
        self.assert_in_each(["502 connect_refused: 2 times", "2 of them answered by a fallback or from the cache"],
                            self.status(weir, "--why", "api"))


class Words(DiagnosisCase):
    """Each refusal has a word of its own, and names who refused."""

    def test_a_fallback_for_an_open_circuit_keeps_the_circuit(self):
        weir = self.weir({"upstreams": {"api": settings.upstream(self.backend(), **circuit_breaker(min_requests=1, open="1m"))},
                          "routes": [route("/", "api", "all", filters=[fallback(to_text(200, "soon"))])]})
        self.fetch(weir, target="/status/503")
        self.assertEqual(b"soon", bytes(self.fetch(weir, target="/a").body))
        line = self.line(weir, "/a")
        self.assertEqual({"FB", "CB"}, line.flags)
        self.assertEqual(("circuit_open", "circuit api", "api"), tuple(line["error"][key] for key in ("code", "by", "upstream")))
        self.assertEqual({"name": "api", "attempts": 0}, line["upstream"])

    def test_a_fallback_that_fails_too_leaves_both_failures(self):
        weir = self.weir({"upstreams": {"api": settings.upstream(free_address()), "spare": settings.upstream(self.scripted(resets))},
                          "routes": [route("/", "api", "all", filters=[fallback(to_upstream("spare"))])]})
        self.assertEqual(502, self.fetch(weir, target="/a").status)
        line = self.line(weir, "/a")
        self.assertEqual(("connection_reset", "spare"), (line["error"]["code"], line["error"]["upstream"]))
        self.assertEqual(("connect_refused", "api"), (line["cause"]["code"], line["cause"]["upstream"]))

    def test_a_stale_response_keeps_the_failure(self):
        for filters in ([{"cache": {"ttl": "1s", "serve_stale": {"if_error": "1h"}}}],
                        [fallback(to_stale("1h")), {"cache": {"ttl": "1s"}}]):
            with self.subTest(filters):
                origin = self.backend()
                weir = self.in_front_of(origin, filters=filters)
                self.assertEqual(200, self.fetch(weir, target="/bytes/10").status)
                origin.stop()
                stale = lambda: [line for line in weir.access_log() if "instead_of" in line]
                line = eventually(lambda: self.fetch(weir, target="/bytes/10") and stale(), "it is stale")[0]
                self.assertEqual(200, line.status)
                self.assertEqual("connect_refused", line["error"]["code"])
                self.assertEqual("api", line["error"]["upstream"])
                self.assertIn("UF", line.flags)

    def test_connections_and_requests_at_once_are_two_words(self):
        backend = self.backend()
        weir = self.in_front_of(backend, filters=[concurrency_limit(1, name="narrow")], **settings.client_limits(connections=2))
        holder = self.client(weir)
        holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(backend.held.acquire(timeout=60))
        second = self.client(weir)
        second.send("GET /busy HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n")
        self.assertEqual("too many requests at once (upstream api, concurrency_limit narrow)", second.response().json()["detail"])
        error = self.line(weir, "/busy")["error"]
        self.assertEqual(("concurrency_limit", "concurrency_limit narrow"), (error["code"], error["by"]))
        third = self.client(weir)
        third.send("GET /third HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n")
        self.assertEqual("all connections that clients may have are open (limits.connections)", third.response().json()["detail"])
        error = self.line(weir, "/third")["error"]
        self.assertEqual(("connection_limit", "limits.connections"), (error["code"], error["by"]))
        self.assertRegex(self.status(weir), r"(?m)^concurrency_limit narrow +all +in_flight 1, full 1$")
        backend.release.set()
        holder.response()

    def test_durations_have_microseconds_and_the_upstream_its_status(self):
        weir = self.in_front_of(self.backend())
        self.fetch(weir, target="/status/404")
        line = self.line(weir, "/status/404")
        self.assertEqual(404, line["upstream"]["status"])
        text = eventually(lambda: read(weir.log_file), "a line")
        for name in ("duration", "connect", "ttfb"):
            self.assertRegex(text, rf'"{name}":\d+\.\d{{6}}[,}}]')

    def test_a_template_has_the_new_fields(self):
        weir = self.in_front_of(free_address(), access_log={
            "path": os.path.join(self.folder(), "log"), "format": "{status} {upstream} {upstream_status} {error} {error_by} {error_detail}"})
        weir.log_file = json.loads(read(weir.file))["access_log"]["path"]
        self.fetch(weir)
        text = eventually(lambda: read(weir.log_file), "a line")
        self.assertRegex(text, r"^502 api - connect_refused - connection refused")


class Status(DiagnosisCase):
    def test_the_process_its_listeners_and_its_certificates(self):
        site = Authority(self.folder()).issue("a.example")
        address, secure = free_address(), free_address()
        weir = self.in_front_of(self.backend(), listeners=[
            settings.listener(address, "plain"), settings.listener(secure, "tls", tls={"certificates": [site.yaml()]})],
            filters=[{"cache": {"ttl": "1m"}}])
        self.fetch(weir, target="/bytes/1")
        table = self.status(weir)
        self.assertRegex(table, rf"^weir \d+\.\d+\.\d+.*, process {weir.pid}, up \d+s, serves {re.escape(os.path.realpath(weir.file))}\n")
        self.assertRegex(table, r"(?m)^workers +1; 0 requests in flight; loop turns: 99% take at most \S+ ms, the longest .*; \d+ stuck$")
        self.assertRegex(table, r"(?m)^store +embedded is up$")
        self.assertRegex(table, rf"(?m)^plain +{address} +http +\d +1$")
        self.assertRegex(table, rf"(?m)^tls +{secure} +https +0 +0$")
        self.assertRegex(table, r"(?m)^CERTIFICATE.*\n\S+ +tls +20\d\d-\S+Z +\d+")
        self.assertRegex(table, r"(?m)^cache \S+ +all +miss 1$")
        self.assertRegex(table, r"(?m)^cache \S+ +- +.*objects 1")
        page = self.page(weir, "/status")
        self.assertEqual(weir.pid, page["pid"])
        self.assertGreater(page["uptime_seconds"], 0)

    def test_the_last_failures_are_bounded_and_count(self):
        weir = self.weir({"routes": [answers(200, "ok", match={"path": "/known"})]})
        for _ in range(3):
            self.assertEqual(404, self.fetch(weir, target="/unknown").status)
        failures = self.page(weir, "/status")["failures"]
        self.assertEqual([("no_route", 3)], [(one["error"], one["count"]) for one in failures])
        why = self.status(weir, "--why")
        self.assertIn("weir explain METHOD URL tells why", why)
        self.assertRegex(why, r"(?m)^    last:  GET \S+/unknown, ")

    def test_more_kinds_of_failures_than_are_shown_are_counted(self):
        weir = self.weir({"upstreams": {f"u{i}": settings.upstream(free_address()) for i in range(7)},
                          "routes": [route(f"/{i}", f"u{i}", f"r{i}") for i in range(7)]})
        for i in range(7):
            self.assertEqual(502, self.fetch(weir, target=f"/{i}").status)
        self.assertIn("\nand 2 more kinds\n", self.status(weir))

    def test_an_unknown_upstream_is_an_error(self):
        weir = self.in_front_of(self.backend())
        done = self.command(weir, "status", "--why", "apii")
        self.assertEqual(1, done.returncode)
        self.assertIn("no upstream is named 'apii'", done.stderr)


if __name__ == "__main__":
    unittest.main()
