"""Circuit breakers: who fails is left alone for a while, probed by a few, and comes back."""

import subprocess
import threading
import time
import unittest

from backend import answers, hangs
from harness import WEIR, WeirCase, eventually, free_address, settings
from settings import circuit_breaker, upstream_timeouts
from wire import Cut, request_bytes


class Breakers(WeirCase):
    """One route to one upstream, `api`, whose circuit opens after four failures."""

    def breaking(self, *backends, timeouts=None, workers=1, **values):
        block = circuit_breaker(**{"min_requests": 4, "open": "1h", "max_open": "10h", "scope": "upstream", **values})
        return self.in_front_of_all(backends, {**block, **(timeouts or {})}, workers=workers)

    def in_front_of_all(self, backends, block, **config):
        return self.in_front_of(*backends, **{
            "upstreams": {"api": settings.upstream(*backends) | block}, "workers": 1, **config})

    def breaker(self, weir, name="api"):
        told = self.fetch(weir.admin, target="/circuit_breakers").json()["circuit_breakers"]
        return next(one for one in told if one["name"] == name)

    def state(self, weir, name="api"):
        return self.breaker(weir, name)["state"]

    def force(self, weir, verb, name="api"):
        return self.fetch(weir.admin, "POST", f"/circuit_breakers/{name}/{verb}")

    def trip(self, weir, target="/status/502"):
        statuses = [self.fetch(weir, target=target).status for _ in range(4)]
        self.assertEqual("open", self.state(weir))
        return statuses

    def at_once(self, weir, count, target="/", first=10):
        """So many clients, of many addresses, that have sent a request each, and not read its answer."""
        clients = [self.client(weir, timeout=60, source=f"127.0.0.{first + i % 200}") for i in range(count)]
        for client in clients:
            client.send(request_bytes(target=target))
        return clients


class Opening(Breakers):
    def test_a_burst_of_502_opens_it_and_the_backend_is_left_alone(self):
        api = self.backend()
        weir = self.breaking(api)
        self.assertEqual([502] * 4, self.trip(weir))
        refused = self.fetch(weir, target="/after")
        self.assertEqual(503, refused.status)
        self.assertEqual("application/problem+json", refused.get("content-type"))
        self.assertEqual("urn:weir:error:circuit_open", refused.json()["type"])
        self.assertAlmostEqual(3600, int(refused.get("retry-after")), delta=361)
        self.assertIn("destination_unavailable", refused.get("proxy-status"))
        self.assertEqual({"CB"}, weir.log_of("/after")[0].flags)
        self.assertEqual(4, len(api.requests))

    def test_successes_and_404_leave_it_closed(self):
        weir = self.breaking(self.backend())
        for target in ["/", "/status/404"] * 10 + ["/status/502"] * 3:
            self.fetch(weir, target=target)
        self.assertEqual("closed", self.state(weir))
        self.assertEqual(13, self.breaker(weir)["attempts"])

    def test_one_broken_page_opens_nothing(self):
        api = self.backend()
        weir = self.breaking(api)
        self.assertEqual({500}, {self.fetch(weir, target="/status/500").status for _ in range(20)})
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(("closed", 1), (self.state(weir), self.breaker(weir)["attempts"]))

    def test_a_500_counts_where_the_configuration_says_so(self):
        weir = self.breaking(self.backend(), statuses=[500])
        self.assertEqual([500] * 4, self.trip(weir, "/status/500"))

    def test_an_endpoint_that_refuses_opens_it(self):
        weir = self.breaking(free_address())
        self.assertEqual([502] * 4, self.trip(weir, "/"))
        self.assertEqual(503, self.fetch(weir).status)

    def test_one_that_hangs_opens_it_when_its_time_is_over(self):
        weir = self.breaking(self.scripted(hangs), timeouts=upstream_timeouts(response="100ms"))
        self.assertEqual([504] * 4, self.trip(weir, "/"))

    def test_one_that_accepts_and_never_reads_opens_it(self):
        def never_reads(connection):
            connection.stall()
        backend = self.scripted(never_reads, receive_buffer=4096)
        weir = self.breaking(backend, timeouts=upstream_timeouts(read="200ms", response="200ms"))
        for _ in range(4):
            self.assertIn(self.fetch(weir, "POST", body=b"x" * 20_000_000).status, (502, 504))
        self.assertEqual("open", self.state(weir))

    def test_answers_that_break_off_open_it(self):
        def breaks_off(connection):
            connection.request()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        weir = self.breaking(self.scripted(breaks_off))
        for client in self.at_once(weir, 4):
            self.assertRaises(Cut, client.response)
        eventually(lambda: self.state(weir) == "open", "open")

    def test_slow_answers_open_it(self):
        api = self.backend()
        api.delay = 0.1
        weir = self.breaking(api, slow={"after": "50ms", "ratio": "75%"})
        self.assertEqual([200] * 4, self.trip(weir, "/"))
        self.assertRegex(self.breaker(weir)["cause"], "4 of 4 attempts took longer than 50ms in 10s")

    def test_clients_that_give_up_say_nothing(self):
        api = self.backend()
        weir = self.breaking(api)
        for client in self.at_once(weir, 8, "/hold"):
            self.assertTrue(api.held.acquire(timeout=10))
            client.reset()
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "all given up")
        self.assertEqual(("closed", 0), (self.state(weir), self.breaker(weir)["attempts"]))


class HalfOpen(Breakers):
    def opened(self, **values):
        api = self.backend()
        weir = self.breaking(api, open="20ms", **values)
        self.trip(weir)
        api.requests.clear()
        return api, weir

    def test_probes_that_succeed_close_it(self):
        _, weir = self.opened()
        eventually(lambda: self.fetch(weir).status == 200, "a probe")
        self.assertEqual([200] * 5, [self.fetch(weir).status for _ in range(5)])
        self.assertEqual("closed", self.state(weir))

    def test_a_probe_that_fails_opens_it_for_longer(self):
        api, weir = self.opened()
        eventually(lambda: self.fetch(weir, target="/status/502").status == 502, "a probe")
        breaker = self.breaker(weir)
        self.assertEqual(("open", "a probe failed"), (breaker["state"], breaker["cause"]))
        self.assertEqual(1, len(api.requests))

    def test_of_200_at_once_only_the_probes_reach_a_backend_that_hangs(self):
        for workers in (1, 2):
            with self.subTest(workers=workers):
                api, weir = self.opened(workers=workers)
                eventually(lambda: self.breaker(weir)["refuses_for_ms"] == 0, "time for probes")
                clients = self.at_once(weir, 200, "/hold")
                eventually(lambda: self.breaker(weir)["rejected"] == 197, "the others refused")
                eventually(lambda: len(api.requests) == 3, "the probes are there")
                self.assertEqual(3, self.breaker(weir)["probes"])
                api.release.set()
                statuses = [client.response().status for client in clients]
                self.assertEqual((3, 197), (statuses.count(200), statuses.count(503)))
                self.assertEqual(3, len(api.requests))
                self.assertEqual("closed", self.state(weir))

    def test_probes_whose_clients_go_make_room_for_others(self):
        api, weir = self.opened()
        eventually(lambda: self.breaker(weir)["refuses_for_ms"] == 0, "time for probes")
        for number in range(5):
            clients = self.at_once(weir, 3, "/hold", first=10 + 3 * number)
            for _ in clients:
                self.assertTrue(api.held.acquire(timeout=10))
            self.assertEqual(503, self.fetch(weir).status)
            for client in clients:
                client.reset()
            eventually(lambda: self.breaker(weir)["probes"] == 0, "the places are free")
        self.assertEqual("half_open", self.state(weir))
        self.assertEqual(503, self.fetch(weir, source="127.0.0.10").status, "others go first")
        self.assertEqual([200] * 3, [self.fetch(weir).status for _ in range(3)])
        self.assertEqual("closed", self.state(weir))


class Endpoints(Breakers):
    def test_one_that_fails_is_passed_over_and_the_others_serve(self):
        bad, good = self.scripted(lambda connection: connection.reset()), self.backend()
        weir = self.breaking(bad, good, scope=["endpoint"])
        eventually(lambda: self.fetch(weir) and self.state(weir, f"api/{bad}") == "open", "its circuit is open")
        self.assertEqual([200] * 20, [self.fetch(weir).status for _ in range(20)])
        self.assertEqual("closed", self.state(weir, f"api/{good}"))
        self.assertEqual(1, weir.metric(settings.BREAKER_STATE, upstream="api", endpoint=str(bad), state="open"))

    def test_when_all_are_open_the_request_is_refused(self):
        weir = self.breaking(self.backend("a"), self.backend("b"), scope="endpoint")
        for _ in range(8):
            self.assertEqual(502, self.fetch(weir, target="/status/502").status)
        refused = self.fetch(weir)
        self.assertEqual(503, refused.status)
        self.assertEqual("urn:weir:error:circuit_open", refused.json()["type"])
        self.assertAlmostEqual(3600, int(refused.get("retry-after")), delta=361)


class BothScopes(Breakers):
    """As they are when `scope` is left out."""

    def with_broken(self, *backends, **values):
        block = circuit_breaker(**{"min_requests": 8, "open": "1h", "max_open": "10h", **values})
        return self.in_front_of_all(backends, block)

    def broken(self):
        return self.scripted(answers("HTTP/1.1 503 Broken\r\nContent-Length: 0\r\n\r\n"))

    def test_endpoints_that_fail_are_passed_over_while_another_is_well(self):
        for count in (1, 2):
            with self.subTest(f"{count} broken"):
                weir = self.with_broken(*[self.broken() for _ in range(count)], self.backend())
                statuses = [self.fetch(weir).status for _ in range(8 * count + 60)]
                self.assertEqual((8 * count, {200}), (statuses.count(503), set(statuses[-20:])))
                self.assertEqual("closed", self.state(weir))

    def test_probes_of_those_that_fail_do_not_open_the_upstreams_circuit(self):
        weir = self.with_broken(self.broken(), self.backend(), open="20ms", max_open="20ms")
        until = time.monotonic() + 2
        statuses = []
        while time.monotonic() < until:
            statuses.append(self.fetch(weir).status)
        self.assertEqual("closed", self.state(weir))
        self.assertLess(statuses.count(503), len(statuses) / 4)

    def test_a_backup_that_nobody_has_asked_yet_takes_over(self):
        backup = {"address": str(self.backend()), "backup": True}
        block = circuit_breaker(min_requests=8, open="1h", max_open="10h")
        weir = self.weir({"upstreams": {"api": {"endpoints": [str(self.broken()), backup]} | block}, "routes": [settings.route("/", "api")]})
        self.assertEqual([503] * 8 + [200] * 20, [self.fetch(weir).status for _ in range(28)])
        self.assertEqual("closed", self.state(weir))

    def test_endpoints_that_are_well_again_close_it_with_whatever_they_say(self):
        sick = threading.Event()
        sick.set()

        def script(connection):
            while connection.request():
                status = "503 Busy" if sick.is_set() else "404 None"
                connection.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
        weir = self.with_broken(self.scripted(script), self.scripted(script), open="20ms", max_open="20ms")
        eventually(lambda: self.fetch(weir) and self.state(weir) == "open", "the outage")
        sick.clear()
        eventually(lambda: self.fetch(weir) and self.state(weir) == "closed", "404 is a sign of life")

    def test_when_all_fail_the_upstreams_opens_too(self):
        for well in (0, 6):
            with self.subTest(f"after {well} that succeeded"):
                weir = self.with_broken(self.backend("a"), self.backend("b"))
                for _ in range(well):
                    self.assertEqual(200, self.fetch(weir).status)
                statuses = [self.fetch(weir, target="/status/502").status for _ in range(20)]
                self.assertIn(503, statuses)
                self.assertEqual("open", self.state(weir))


class Routes(Breakers):
    def test_the_filter_breaks_one_route_alone(self):
        api = self.backend()
        breaks = circuit_breaker(min_requests=4, open="1h", max_open="2h", name="shop")
        weir = self.weir({
            "upstreams": {"api": settings.upstream(api)},
            "routes": [settings.route("/shop", "api", filters=[breaks], rewrite={"prefix": "/"}), settings.route("/", "api")],
        })
        self.assertEqual([502] * 4, [self.fetch(weir, target="/shop/status/502").status for _ in range(4)])
        self.assertEqual("open", self.state(weir, "route/shop"))
        self.assertEqual(503, self.fetch(weir, target="/shop/").status)
        self.assertEqual(200, self.fetch(weir).status)


    def test_answers_that_break_off_open_it(self):
        def breaks_off(connection):
            connection.request()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        breaks = circuit_breaker(min_requests=4, open="1h", max_open="2h")
        weir = self.in_front_of(self.scripted(breaks_off), workers=1, filters=[breaks])
        for client in self.at_once(weir, 4):
            self.assertRaises(Cut, client.response)
        name = self.fetch(weir.admin, target="/circuit_breakers").json()["circuit_breakers"][0]["name"]
        eventually(lambda: self.state(weir, name) == "open", "open")
        self.assertEqual(503, self.fetch(weir).status)


class Operating(Breakers):
    def test_a_reload_keeps_its_state(self):
        api = self.backend()
        weir = self.breaking(api)
        self.trip(weir)
        block = circuit_breaker(min_requests=40, open="2h", max_open="3h", scope=["upstream", "endpoint"])
        weir.reload({"upstreams": {"api": settings.upstream(api) | block}, "routes": [settings.route("/", "api", "all")]})
        self.assertEqual("open", self.state(weir))
        self.assertEqual("closed", self.state(weir, f"api/{api}"))
        self.assertEqual(503, self.fetch(weir).status)

    def test_workers_share_it(self):
        weir = self.breaking(self.backend(), workers=2)
        self.trip(weir)
        self.assertEqual([503] * 20, [self.fetch(weir).status for _ in range(20)])

    def test_an_operator_forces_it_and_gives_it_back(self):
        weir = self.breaking(self.backend())
        self.assertEqual(200, self.force(weir, "open").status)
        self.assertEqual(503, self.fetch(weir).status)
        self.assertEqual(200, self.force(weir, "close").status)
        self.assertEqual([502] * 10, [self.fetch(weir, target="/status/502").status for _ in range(10)])
        self.assertTrue(self.breaker(weir)["forced"])
        self.force(weir, "auto")
        self.trip(weir)
        self.assertEqual((404, 404, 405), (self.force(weir, "ajar").status, self.force(weir, "open", "nobody").status,
                                           self.fetch(weir.admin, target="/circuit_breakers/api/open").status))

    def test_every_change_is_logged_once_with_its_cause_and_counted(self):
        weir = self.breaking(self.backend())
        self.trip(weir)
        self.fetch(weir)
        self.force(weir, "close")
        lines = weir.events("circuit_changed", 2)
        self.assertEqual(2, len(lines), lines)
        self.assertIn('circuit=api from=closed to=open cause="4 of 4 attempts failed in 10s"', lines[0])
        self.assertIn("forced by an operator", lines[1])
        self.assertEqual(1, weir.metric(settings.BREAKER_CHANGES, upstream="api", **{"from": "closed", "to": "open"}))
        self.assertEqual(1, weir.metric(settings.BREAKER_REJECTED, upstream="api"))
        states = {labels["state"]: value for name, labels, value in weir.metrics() if name == settings.BREAKER_STATE}
        self.assertEqual({"closed": 1, "open": 0, "half_open": 0}, states)

    def test_status_shows_it(self):
        weir = self.breaking(self.backend())
        self.trip(weir)
        told = subprocess.run([WEIR, "status", "-c", weir.file], capture_output=True, text=True, timeout=60).stdout
        self.assertRegex(told, r"(?m)^CIRCUIT +STATE +.*CAUSE$")
        self.assertRegex(told, r"(?m)^api +open +.*4 of 4 attempts failed in 10s$")

    def test_nonsense_is_refused_at_the_start(self):
        told = self.refused_start({
            "upstreams": {"api": settings.upstream(free_address()) | circuit_breaker(open="10m")},
            "routes": [settings.route("/", "api")],
        })
        self.assertIn("upstreams.api.circuit_breaker.open: '10m' is longer than max_open, 5m", told)


if __name__ == "__main__":
    unittest.main()
