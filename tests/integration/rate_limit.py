"""`rate_limit`: who comes too often is told so, exactly, and nobody else is."""

import subprocess
import threading
import time
import unittest

from backend import answers, ok
from cli import CommandLine
from h2_wire import H2Client
from harness import WeirCase, eventually, settings
from settings import rate_limit, route
from wire import RawClient, fetch

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class RateLimit(WeirCase):
    def limited(self, *filters, backend=None, **config):
        self.api = backend or self.backend()
        return self.in_front_of(self.api, routes=[route("/", "api", "all", filters=list(filters))], **config)

    def statuses(self, weir, count, **how):
        return [self.fetch(weir, **how).status for _ in range(count)]

    def test_the_burst_passes_and_what_is_above_it_is_429(self):
        weir = self.limited(rate_limit("3/hour"))
        self.assertEqual([200, 200, 200, 429, 429], self.statuses(weir, 5))
        self.assertEqual(3, len(self.api.requests))

    def test_the_fields_of_a_success(self):
        response = self.fetch(self.limited(rate_limit("100/hour", burst=20, name="api")))
        self.assertEqual('"api";q=20;w=720', response.get("ratelimit-policy"))
        self.assertEqual('"api";r=19;t=36', response.get("ratelimit"))
        self.assertIsNone(response.get("retry-after"))

    def test_the_fields_and_the_page_of_a_refusal(self):
        weir = self.limited(rate_limit("1/hour", name="api"), filters=["request_id"])
        self.fetch(weir)
        response = self.fetch(weir, target="/refused", fields={"Accept": "application/json"})
        self.assertEqual(429, response.status)
        self.assertIn(response.get("retry-after"), ("3600", "3599"))
        self.assertEqual('"api";q=1;w=3600', response.get("ratelimit-policy"))
        self.assertEqual(f'"api";r=0;t={response.get("retry-after")}', response.get("ratelimit"))
        self.assertEqual("application/problem+json", response.get("content-type"))
        problem = response.json()
        self.assertEqual((QUOTA_EXCEEDED, 429, ["api"]), (problem["type"], problem["status"], problem["violated-policies"]))
        self.assertEqual({"RL"}, weir.log_of("/refused")[0].flags)

    def test_a_browser_gets_a_page(self):
        weir = self.limited(rate_limit("1/hour"))
        self.fetch(weir)
        response = self.fetch(weir, fields={"Accept": "text/html"})
        self.assertIn("text/html", response.get("content-type"))
        self.assertIsNotNone(response.get("retry-after"))

    def test_the_upstream_s_own_fields_are_not_lost(self):
        backend = self.scripted(answers(ok(fields='RateLimit: "b";r=1;t=5\r\nX-RateLimit-Remaining: 1\r\n')))
        response = self.fetch(self.limited(rate_limit("10/hour", headers="both"), backend=backend))
        self.assertEqual('"b";r=1;t=5, "default";r=9;t=360', response.get("ratelimit"))
        self.assertEqual(["1"], response.all("x-ratelimit-remaining"))

    def test_clients_have_quotas_of_their_own(self):
        weir = self.limited(rate_limit("1/hour"))
        self.assertEqual([200, 429], self.statuses(weir, 2))
        self.assertEqual(200, self.fetch(weir, source="127.0.0.9").status)

    def test_behind_a_trusted_proxy_the_client_is_counted_by_its_64(self):
        weir = self.limited(rate_limit("1/hour"), **settings.forwarded(trusted_proxies=["127.0.0.0/8"]))
        of = lambda client: self.fetch(weir, fields={"X-Forwarded-For": client}).status
        self.assertEqual([200, 429, 200], [of("2001:db8::1"), of("2001:db8::2"), of("2001:db8:0:1::1")])

    def test_http2_clients_share_the_quota(self):
        weir = self.limited(rate_limit("2/hour"))
        self.assertEqual(200, self.fetch(weir).status)
        with H2Client(weir.address) as client:
            self.assertEqual('"default";r=0;t=1800', client.get().get("ratelimit"))
            refused = client.get()
            self.assertEqual(429, refused.status)
            self.assertIn(refused.get("retry-after"), ("1800", "1799"))

    def test_curl_sees_the_refusal(self):
        weir = self.limited(rate_limit("1/hour"))
        curl = lambda: subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://{weir.address}/"],
                                      capture_output=True, text=True).stdout
        self.assertEqual(["200", "429"], [curl(), curl()])

    def test_two_workers_and_many_clients_at_once_never_pass_more(self):
        weir = self.limited(rate_limit("100/hour"), workers=2)
        statuses, lock = [], threading.Lock()

        def ask():
            with RawClient(weir.address) as client:
                got = [client.get().status for _ in range(15)]
            with lock:
                statuses.extend(got)

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((100, 200), (statuses.count(200), statuses.count(429)))
        self.assertEqual(100, weir.metric(settings.RATE_DECISIONS, route="all", decision="allowed"))
        self.assertEqual(200, weir.metric(settings.RATE_DECISIONS, route="all", decision="refused"))

    def test_a_reload_keeps_the_quotas(self):
        weir = self.limited(rate_limit("2/hour"))
        self.assertEqual([200, 200, 429], self.statuses(weir, 3))
        weir.reload()
        self.assertEqual([429], self.statuses(weir, 1))

    def test_a_limit_before_all_routes_is_one_and_a_route_s_is_its_own(self):
        routes = [route("/a", "api", "a", filters=[rate_limit("1/hour")]), route("/b", "api", "b")]
        weir = self.in_front_of(self.backend(), routes=routes, filters=[rate_limit("3/hour", name="every")])
        got = [self.fetch(weir, target=path).status for path in ("/a", "/a", "/b", "/b")]
        self.assertEqual([200, 429, 200, 429], got)

    def test_a_reload_to_a_higher_rate_counts_at_once(self):
        weir = self.limited(rate_limit("1/hour", name="api"))
        self.assertEqual([200, 429], self.statuses(weir, 2))
        weir.reload({"upstreams": {"api": settings.upstream(self.api)},
                     "routes": [route("/", "api", "all", filters=[rate_limit("100/second", burst=5, name="api")])]})
        eventually(lambda: self.fetch(weir).status == 200, "within a moment", 20)

    def test_a_sliding_log_is_exact(self):
        weir = self.limited(rate_limit("20/hour", algorithm="sliding_log", name="api"))
        self.assertEqual([200] * 20 + [429] * 3, self.statuses(weir, 23))
        response = self.fetch(weir)
        self.assertEqual('"api";q=20;w=3600', response.get("ratelimit-policy"))
        self.assertAlmostEqual(3600, int(response.get("retry-after")), delta=60)

    def test_limits_of_one_name_have_one_rate(self):
        def told(one, other):
            api = self.backend()
            return self.refused_start({"upstreams": {"api": settings.upstream(api)}, "routes": [
                route("/a", "api", "a", filters=[one]), route("/b", "api", "b", filters=[other])]})
        self.assertIn("a limit called 'shared' has other numbers on another route",
                      told(rate_limit("1/hour", name="shared"), rate_limit("2/hour", name="shared")))
        self.assertIn("a limit called 'shared.x' has other numbers on another route", told(
            {"rate_limit": {"name": "shared", "limits": [{"name": "x", "rate": "2/hour"}]}},
            {"rate_limit": {"name": "shared", "limits": [{"name": "x", "rate": "2/hour", "burst": 1}]}}))
        self.assertIn("a limit called 'places' has other numbers on another route",
                      told({"concurrency_limit": {"max": 1, "name": "places"}}, {"concurrency_limit": {"max": 2, "name": "places"}}))

    def test_a_store_that_is_full_says_so(self):
        weir = self.limited(rate_limit("1/hour", key="header.x-user"), store={"max_size": "1MiB"})
        with self.client(weir) as client:
            for number in range(7000):
                self.assertEqual(200, client.request(fields={"X-User": f"user-{number}"}).status)
        self.assertIn("max_size", weir.events("store_full")[0])
        self.assertGreater(weir.metric("weir_store_quotas_forgotten_total"), 0)
        self.assertLessEqual(weir.metric("weir_store_quotas_bytes"), 1 << 20)
        self.assertGreater(weir.metric("weir_store_quotas"), 1000)

    def test_keys_that_one_client_invents_let_no_limit_of_others_begin_anew(self):
        api = self.backend()
        weir = self.in_front_of(api, store={"max_size": "1MiB"}, routes=[
            route("/login", "api", "login", filters=[rate_limit("3/hour")]),
            route("/api", "api", "api", filters=[rate_limit("100/hour", key="header.x-api-key")])])
        clients = ["127.0.0.66", "127.0.0.77", "127.0.0.78"]
        login = lambda source: self.statuses(weir, 4, target="/login", source=source)
        self.assertEqual([[200, 200, 200, 429]] * 3, [login(client) for client in clients])
        with self.client(weir, source="127.0.0.66") as forger:
            for number in range(7000):
                self.assertEqual(200, forger.request(target="/api", fields={"X-Api-Key": f"k{number:08}"}).status)
        self.assertGreater(weir.metric("weir_store_quotas_forgotten_total"), 1000)
        self.assertEqual([[429] * 4] * 3, [login(client) for client in clients])

    def test_an_empty_key_is_no_key(self):
        weir = self.limited(rate_limit("3/hour", key="header.x-user"))
        self.assertEqual([200, 200, 200, 429], self.statuses(weir, 4, fields={"X-User": ""}))
        self.assertEqual([429, 429], self.statuses(weir, 2))

    def test_a_shadow_refuses_nobody_and_says_whom_it_would(self):
        weir = self.limited(rate_limit("1/hour", mode="shadow"))
        self.assertEqual([200, 200, 200], self.statuses(weir, 3, target="/seen"))
        self.assertEqual([set(), {"RL"}, {"RL"}], [line.flags for line in weir.log_of("/seen", 3)])
        self.assertEqual(2, weir.metric(settings.RATE_DECISIONS, decision="would_refuse"))

    def test_a_throttle_spaces_requests_evenly(self):
        weir = self.limited(rate_limit("20/second", burst=1, mode="throttle", max_delay="5s"), workers=2)
        started = time.monotonic()
        asked = [self.in_background(fetch, weir.address) for _ in range(11)]
        self.assertEqual([200] * 11, [each.result().status for each in asked])
        self.assertEqual(10, weir.metric(settings.RATE_DECISIONS, decision="delayed"))
        self.assertGreaterEqual(time.monotonic() - started, 0.45)

    def test_leases_never_pass_more(self):
        weir = self.limited(rate_limit("50/hour", lease=10), workers=2)
        self.assertEqual(50, self.statuses(weir, 80).count(200))

    def test_a_cost_that_no_quota_has_is_403(self):
        weir = self.limited(rate_limit("5/hour", cost="header.x-cost"))
        response = self.fetch(weir, fields={"X-Cost": "6"})
        self.assertEqual((403, None), (response.status, response.get("retry-after")))
        self.assertEqual(200, self.fetch(weir, fields={"X-Cost": "5"}).status)

    def test_grpc_is_told_in_its_own_words(self):
        weir = self.limited(rate_limit("1/hour"))
        self.fetch(weir)
        with H2Client(weir.address) as client:
            refused = client.request("POST", fields=[("content-type", "application/grpc"), ("te", "trailers")])
        self.assertEqual((200, "8"), (refused.status, refused.get("grpc-status")))


class Check(CommandLine):
    def told(self, block):
        code, told = self.check(f"""\
listeners: [{{ bind: 127.0.0.1:8080 }}]
routes:
  - respond: {{ status: 200 }}
    filters:
      - rate_limit: {block}
""")
        return code, told

    def test_sense_passes(self):
        self.assertEqual(0, self.told("100/minute")[0])
        self.assertEqual(0, self.told("{ limits: [{ name: a, rate: 1/second }, { name: b, rate: 100/day }] }")[0])

    def test_nonsense_is_shown_where_it_stands(self):
        for block, word, message in (
                ("{ rate: 5/minute, burst: 0 }", "0 }", "rate_limit.burst"),
                ("{ rate: 0/minute }", "0/minute", "'0/minute' is not a rate"),
                ("{ rate: 5/minute, key: client_ip }", "client_ip", "did you mean 'client.ip'?"),
                ("{ rate: 5/minute, cost: 6 }", "6 }", "costs more than the 5"),
                ("{ rate: 5/minute, on_store_failure: maybe }", "maybe", "on_store_failure"),
        ):
            with self.subTest(block):
                code, told = self.told(block)
                self.assertEqual(1, code, told)
                self.assertIn(message, told)
                lines = told.splitlines()
                source = next(number for number, line in enumerate(lines) if "- rate_limit:" in line)
                self.assertEqual(lines[source].index(block) + block.index(word), lines[source + 1].index("^"), told)


if __name__ == "__main__":
    unittest.main()
