"""Backends that are processes: restarted in turn under load, killed, paused. Without the `retry` filter no request fails but what a
killed backend had accepted."""

import collections
import signal
import threading
import time
import unittest

from both_protocols import BothProtocols, page_of
from h2_wire import H2Client
from harness import WeirCase, eventually, settings
from load import Load, outcome_of
from settings import ample, fallback, hedge, retry, route, to_upstream
from wire import RawClient, fetch, request_bytes

RATE, CLIENTS = 200, 4                              # requests a second, and the connections that they come over
GOOD = page_of("/", "").decode()
FAILOVERS = "weir_upstream_failovers_total"


def paced(stopping, tally, address, rate):
    """`rate` requests a second; every 20th begins a new connection."""
    begun, client, count = time.monotonic(), None, 0
    while not stopping.is_set():
        stopping.wait(max(0, begun + count / rate - time.monotonic()))
        count += 1
        client = client or RawClient(address)
        closing = []

        def ask():
            response = client.get("/")
            closing.append(response.closes())
            return response
        tally[outcome_of(ask)] += 1
        if closing != [False] or count % 20 == 0:
            client.close()
            client = None
    if client:
        client.close()


class ProcessCase(WeirCase):
    def process(self, port=0):
        return self._kept(BothProtocols(port=port))

    def three(self, filters=(), **upstream):
        self.processes = [self.process() for _ in range(3)]
        self.spare = self.process()
        block = settings.upstream(*self.processes) | upstream
        return self.weir({"upstreams": {"api": block, "spare": settings.upstream(self.spare)},
                          "routes": [route("/", "api", "all", filters=list(filters))], "workers": 2,
                          **settings.client_limits(requests_per_connection=0)})

    def under_load(self, weir, during):
        """Outcomes of RATE requests a second while `during()` runs."""
        load, begun = Load(paced, CLIENTS, weir.address, RATE / CLIENTS), time.monotonic()
        try:
            during()
        finally:
            seconds = time.monotonic() - begun
            outcomes = load.finish()
        print(f"\n{dict(outcomes)} in {seconds:.1f} s")
        self.assertGreater(outcomes[GOOD], RATE * seconds * 0.5, "too few to tell")
        return outcomes

    def asked(self, process, more=15):
        """Waits for so many further requests."""
        before = process.taken.value
        eventually(lambda: process.taken.value >= before + more, "requests for it")

    def restart_in_turn(self, end, turns=2):
        for at in list(range(3)) * turns:
            self.asked(self.processes[at])
            end(self.processes[at])
            others = [process for process in self.processes if process is not self.processes[at]]
            self.asked(others[0], 30)               # while it is away
            self.processes[at] = self.process(self.processes[at].port)
            self.asked(self.processes[at])


class RollingRestart(ProcessCase):
    def test_three_backends_that_restart_in_turn_at_200_requests_a_second_fail_none(self):
        for protocol in ("http1", "http2"):
            with self.subTest(protocol):
                weir = self.three(**({"protocol": "http2"} if protocol == "http2" else {}))
                outcomes = self.under_load(weir, lambda: self.restart_in_turn(BothProtocols.stop_gracefully))
                self.assertEqual({GOOD}, set(outcomes), outcomes)
                self.assertGreater(weir.metric(FAILOVERS, upstream="api"), 0)

    def test_three_backends_that_are_killed_in_turn_fail_only_what_they_had_accepted(self):
        for protocol in ("http1", "http2"):
            with self.subTest(protocol):
                weir = self.three(**({"protocol": "http2"} if protocol == "http2" else {}))
                accepted = []

                def kill(process):
                    process.stop()
                    accepted.append(process.taken.value - process.answered.value)
                outcomes = self.under_load(weir, lambda: self.restart_in_turn(kill, turns=1))
                failed = collections.Counter(line.get("error", {}).get("code") for line in weir.access_log() if line.status != 200)
                self.assertLessEqual(set(failed), {"connection_reset", "incomplete_response"})
                # One more for each: the kernel may have accepted what the process had not read.
                self.assertLessEqual(sum(outcomes.values()) - outcomes[GOOD], sum(accepted) + len(accepted), (outcomes, accepted))

    def test_no_filter_in_the_chain_makes_a_rolling_restart_fail_requests(self):
        chain = [fallback(to_upstream("spare")), retry(attempts=3), hedge("60ms")]
        weir = self.three(chain, circuit_breaker={"min_requests": 5, "scope": ["upstream", "endpoint"]}, outlier_detection={})
        outcomes = self.under_load(weir, lambda: self.restart_in_turn(BothProtocols.stop_gracefully, turns=1))
        self.assertEqual({GOOD}, set(outcomes), outcomes)
        self.assertEqual(0, weir.metric(settings.FALLBACKS), "two of three backends were there all the time")
        self.assertEqual(0, weir.metric(settings.BREAKER_REJECTED))


class Paused(ProcessCase):
    """SIGSTOP: the kernel goes on taking connections, and nobody answers."""

    def waiting(self, on_down, protocol):
        """A GET and a POST that wait on the first of two backends, which is paused until its checks have failed."""
        self.paused, self.other = self.process(), self.process()
        check = {"path": "/own/health", "interval": "50ms", "timeout": "300ms", "fall": 2} | ({"on_down": on_down} if on_down else {})
        block = settings.upstream(self.paused, self.other) | {"health_check": check} | ({"protocol": "http2"} if protocol == "http2" else {})
        weir = self.weir({"upstreams": {"api": block}, "routes": [route("/", "api", "all")]})
        for _ in range(4):
            self.assertEqual(200, self.fetch(weir).status)
        self.paused.signal(signal.SIGSTOP)
        self.addCleanup(lambda: self.paused.process.is_alive() and self.paused.signal(signal.SIGCONT))
        clients = []
        for method in ("GET", "GET", "POST", "POST"):    # the balancer takes turns: one of each goes to each
            clients.append((method, self.client(weir, timeout=60)))
            clients[-1][1].send(request_bytes(method, "/waits/1", body=b"x" if method == "POST" else b""))
        weir.says(rf"endpoint_health_changed upstream=api endpoint={self.paused} from=up to=down")
        return weir, clients

    def test_cut_ends_what_waits_on_a_paused_backend_and_sends_it_on_where_that_is_safe(self):
        for protocol in ("http1", "http2"):
            with self.subTest(protocol):
                weir, clients = self.waiting("cut", protocol)
                responses = [(method, client.response()) for method, client in clients]
                self.assertEqual([("GET", 200)] * 2, [(method, got.status) for method, got in responses[:2]])
                self.assertEqual([200, 502], sorted(got.status for _, got in responses[2:]))
                cut = next(got for _, got in responses if got.status == 502)
                self.assertIn("went down while the request waited", cut.json()["detail"])
                self.assertEqual(2, weir.metric("weir_requests_cut_total", upstream="api"))
                for _ in range(4):
                    self.assertEqual(200, self.fetch(weir).status)
                self.paused.signal(signal.SIGCONT)
                weir.says(rf"endpoint_health_changed upstream=api endpoint={self.paused} from=down to=up")

    def test_keep_lets_them_wait_until_the_backend_goes_on(self):
        for protocol, on_down in (("http1", None), ("http2", "keep")):
            with self.subTest(protocol):
                weir, clients = self.waiting(on_down, protocol)
                for _ in range(4):
                    self.assertEqual(200, self.fetch(weir).status)
                failed = lambda: weir.metric("weir_health_checks_total", result="failed")
                before = failed()
                eventually(lambda: failed() >= before + 5, "further checks that fail, over a second and more")
                self.assertEqual(2, weir.metric(settings.IN_FLIGHT))
                self.paused.signal(signal.SIGCONT)
                self.assertEqual({200}, {client.response().status for _, client in clients})
                self.assertEqual(0, weir.metric("weir_requests_cut_total"))

    def test_a_hedge_answers_for_a_backend_that_is_paused_while_others_go_on(self):
        weir = self.three([hedge("50ms", budget={"ratio": "100%", "min": 1000, "concurrent": 100})])

        def pause():
            self.asked(self.processes[0])
            self.processes[0].signal(signal.SIGSTOP)
            for _ in range(4):
                self.asked(self.processes[1], 30)
            self.processes[0].signal(signal.SIGCONT)
            self.asked(self.processes[0])
        outcomes = self.under_load(weir, pause)
        self.assertEqual({GOOD}, set(outcomes), outcomes)
        self.assertGreater(weir.metric(settings.HEDGES, outcome="won"), 5)


class BehindFilters(ProcessCase):
    """Failover comes before what filters do about a failure."""

    def fetch_many(self, weir, count, method="GET", body=b""):
        answers = collections.Counter()
        for _ in range(count):
            response = fetch(weir.address, method, body=body)
            answers[response.status, response.get(settings.FALLBACK)] += 1
        return dict(answers)

    def test_nothing_is_fallen_back_on_while_one_backend_is_there(self):
        weir = self.three([fallback(to_upstream("spare"))])
        for process in self.processes[:2]:
            process.stop()
        self.assertEqual({(200, None): 300}, self.fetch_many(weir, 300))
        self.assertEqual(0, self.spare.taken.value)

    def test_a_fallback_answers_while_none_is_there_also_for_a_post_which_no_backend_has_seen(self):
        weir = self.three([fallback(to_upstream("spare"))])
        for process in self.processes:
            process.stop()
        self.assertEqual({(200, "spare"): 100}, self.fetch_many(weir, 100))
        self.assertEqual({(200, "spare"): 20}, self.fetch_many(weir, 20, "POST", b"x" * 10_000))
        self.processes[0] = self.process(self.processes[0].port)
        eventually(lambda: self.fetch(weir).get(settings.FALLBACK) is None, "a response of the one that is back")
        self.assertEqual({(200, None): 100}, self.fetch_many(weir, 100))

    def test_a_hedge_and_a_retry_find_the_one_that_is_left(self):
        for filters in ([hedge("50ms")], [retry(attempts=3), hedge("50ms")], [retry(attempts=3, budget={"ratio": "1%", "min": 0})]):
            with self.subTest(filters=filters):
                weir = self.three(filters)
                for process in self.processes[:2]:
                    process.stop()
                self.assertEqual({(200, None): 300}, self.fetch_many(weir, 300))
                self.assertEqual(0, weir.metric(settings.RETRIES_REFUSED), "what was not sent costs no budget")

    def test_a_hedge_over_http2_finds_the_one_that_is_left(self):
        weir = self.three([hedge("50ms")], protocol="http2")
        for process in self.processes[:2]:
            process.stop()
        with H2Client(weir.address) as client:
            self.assertEqual({200}, {client.request("GET", "/").status for _ in range(300)})


if __name__ == "__main__":
    unittest.main()
