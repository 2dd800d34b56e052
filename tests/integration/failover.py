"""With default settings a dead endpoint fails no client: the next endpoint is tried, and the dead one is left alone."""

import json
import socket
import threading
import time
import unittest

from backend import ok
from h2_wire import MAX_CONCURRENT_STREAMS, H2Client, H2Server
from harness import WeirCase, eventually, free_address, settings
from wire import Closed, Cut, RawClient, fetch, request_bytes

FAILOVERS, PAUSES = "weir_upstream_failovers_total", "weir_endpoint_pauses_total"


class Failover(WeirCase):
    def with_dead(self, dead, *backends, **upstream):
        """The first `dead` endpoints refuse connections."""
        self.dead = [free_address() for _ in range(dead)]
        return self.weir({"upstreams": {"api": settings.upstream(*self.dead, *backends) | upstream},
                          "routes": [settings.route("/", "api")]})

    def test_two_of_three_endpoints_down_fail_no_request(self):
        weir = self.with_dead(2, self.backend())
        client = RawClient(weir.address)
        self.addCleanup(client.close)
        self.assertEqual({200}, {client.get().status for _ in range(2000)})
        self.assertLess(weir.metric(FAILOVERS, upstream="api"), 20, "the dead ones are not left alone")
        self.assertEqual(2, weir.metric(PAUSES, upstream="api"))
        for address in self.dead:
            weir.says(rf"endpoint_unreachable upstream=api endpoint={address} failures=3 pause=1s")

    def test_the_pause_of_an_endpoint_is_shown(self):
        weir = self.with_dead(1, self.backend())
        for _ in range(10):
            self.assertEqual(200, self.fetch(weir).status)
        dead, alive = self.endpoints(weir)
        self.assertEqual(3, dead["connect_failures"])
        self.assertRegex(dead["paused_until"], r"^20\d\d-.*Z$")
        self.assertNotIn("connect_failures", alive)
        self.assertNotIn("paused_until", alive)

    @staticmethod
    def endpoints(weir):
        return json.loads(fetch(weir.admin, target="/upstreams").body)["upstreams"][0]["endpoints"]

    def over_http2(self):
        def serve(connection):
            server = H2Server(connection)
            while True:
                server.answer(server.request()[0])
        return self.scripted(serve)

    def test_over_http2_on_both_sides_two_of_three_endpoints_down_fail_no_request(self):
        weir = self.with_dead(2, self.over_http2(), protocol="http2")
        with H2Client(weir.address) as client:
            self.assertEqual({200}, {client.request(target=f"/{number}").status for number in range(2000)})

    def test_two_of_three_endpoints_that_take_no_connection_and_refuse_none_fail_no_request(self):
        for protocol in ("http1", "http2"):
            with self.subTest(protocol):
                backend = self.backend() if protocol == "http1" else self.over_http2()
                weir = self.weir({"upstreams": {"api": settings.upstream(
                    self.full(), self.full(), backend, **settings.upstream_timeouts(connect="200ms")) | {"protocol": protocol}},
                    "routes": [settings.route("/", "api")]})
                client = self.client(weir, timeout=30)
                self.assertEqual({200}, {client.get().status for _ in range(2000)})
                self.assertEqual(2, weir.metric(PAUSES, upstream="api"))

    def test_a_circuit_of_the_upstream_counts_no_attempt_that_another_endpoint_took_over(self):
        weir = self.weir({"upstreams": {"api": settings.upstream(
            self.full(), self.full(), self.backend(), **settings.upstream_timeouts(connect="200ms")) | {"circuit_breaker": {}}},
            "routes": [settings.route("/", "api")]})
        clients = [self.client(weir, timeout=30) for _ in range(60)]
        for client in clients:
            client.send(request_bytes())
        self.assertEqual([200] * 60, [client.response().status for client in clients])
        self.assertEqual([200] * 20, [self.fetch(weir).status for _ in range(20)])

    def test_with_every_policy_two_of_three_endpoints_down_fail_no_request(self):
        keyed = "header.x-key"
        for balance in ("round_robin", "least_connections", "random_two", "peak_ewma", {"hash": keyed}, {"maglev": keyed},
                        {"hash": {"key": keyed, "table": "ring"}}, {"hash": {"key": keyed, "bounded_load": 1.25}}):
            with self.subTest(balance=balance):
                weir = self.with_dead(2, self.backend(), balance=balance)
                client = self.client(weir)
                self.assertEqual({200}, {client.get(fields={"X-Key": number % 50}).status for number in range(2000)})
                client.close()
                weir.stop()

    def test_a_post_goes_to_the_next_endpoint_since_nothing_was_sent(self):
        weir = self.with_dead(2, self.backend())
        for _ in range(6):
            self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 100_000).status)

    @staticmethod
    def closes(connection):
        connection.request()

    @staticmethod
    def resets(connection):
        connection.request()
        connection.reset()

    @staticmethod
    def closes_after_settings(connection):
        H2Server(connection).request()

    def test_endpoints_that_take_connections_and_close_them_fail_no_request_that_may_be_sent_twice(self):
        for script in (lambda connection: None, self.closes, self.resets, self.closes_after_settings):
            protocol = "http2" if script is self.closes_after_settings else "http1"
            with self.subTest(script.__name__):
                broken = [self.scripted(script) for _ in range(2)]
                well = self.over_http2() if protocol == "http2" else self.backend()
                weir = self.weir({"upstreams": {"api": settings.upstream(*broken, well) | {"protocol": protocol}},
                                  "routes": [settings.route("/buffered", "api", request_body="buffer"), settings.route("/", "api")]})
                client = self.client(weir, timeout=30)
                until = time.monotonic() + 2
                while time.monotonic() < until:
                    self.assertEqual(200, client.get().status)
                    self.assertEqual(200, client.request("PUT", "/buffered", body=b"x").status)
                eventually(lambda: [self.assertEqual(200, client.get().status), weir.metric(PAUSES, upstream="api")][1] == 2,
                           "the broken ones are left alone")
                weir.says(r"endpoint_unreachable upstream=api endpoint=\S+ failures=3 pause=1s why=\S+")
                client.close()
                weir.stop()

    def test_a_request_that_may_not_be_sent_twice_is_not_when_a_fresh_connection_was_closed_without_an_answer(self):
        asked = []

        def serve(connection):
            asked.append(connection.request().target)
        weir = self.in_front_of(*[self.scripted(serve) for _ in range(3)])
        self.assertEqual(502, self.fetch(weir, "POST", target="/post", body=b"x").status)
        self.assertEqual(["/post"], asked)
        self.assertEqual(502, self.fetch(weir, target="/get").status)
        self.assertEqual(["/post"] + ["/get"] * 3, asked)

    def test_a_retry_multiplies_no_request_that_ends_every_connection(self):
        asked = []

        def serve(connection):
            asked.append(connection.request().target)
        weir = self.weir({"upstreams": {"api": settings.upstream(*[self.scripted(serve) for _ in range(4)])},
                          "routes": [settings.route("/", "api", filters=[{"retry": {"attempts": 3}}])]})
        self.assertEqual(502, self.fetch(weir).status)
        self.assertEqual(5, len(asked))              # three in the first try, and one in each other

    def test_requests_that_end_every_connection_take_no_endpoint_from_others(self):
        counts = [0, 0, 0]

        def serve(at):
            def answer(connection):
                while connection.request().target != "/poison":
                    counts[at] += 1
                    connection.send(ok("x"))
            return answer
        weir = self.in_front_of(*[self.scripted(serve(at)) for at in range(3)])
        stop = threading.Event()

        def poison(source):
            while not stop.is_set():
                self.fetch(weir, target="/poison", source=source)
        attackers = [threading.Thread(target=poison, args=(f"127.0.0.{number}",)) for number in (66, 67, 68)]
        for attacker in attackers:
            attacker.start()
        statuses, until = [], time.monotonic() + 4
        while time.monotonic() < until:
            statuses.append(self.fetch(weir).status)
        stop.set()
        for attacker in attackers:
            attacker.join()
        self.assertEqual({200}, set(statuses))
        self.assertEqual(0, weir.metric(PAUSES))
        self.assertGreater(min(counts) * 6, sum(counts), counts)

    def test_when_none_takes_a_connection_the_cause_is_told(self):
        weir = self.with_dead(4)
        self.assertEqual(502, self.fetch(weir, target="/none").status)
        line = weir.log_of("/none")[0]
        self.assertEqual("connect_refused", line["error"]["code"])
        self.assertEqual(3, line["upstream"]["attempts"])
        self.assertIn("UF", line.flags)

    def test_one_attempt_is_all_that_is_made_when_told_so(self):
        weir = self.with_dead(1, self.backend(), connect_attempts=1)
        statuses = [self.fetch(weir).status for _ in range(20)]
        self.assertEqual(3, statuses.count(502), statuses)

    def test_an_endpoint_that_comes_back_is_used_again(self):
        a, b = self.backend("a"), self.backend("b")
        weir = self.in_front_of(a, b)
        address = a.address
        a.stop()
        self.assertEqual({200}, {self.fetch(weir).status for _ in range(20)})
        again = self.backend("a", port=int(address.rsplit(":", 1)[1]))
        eventually(lambda: [self.fetch(weir) for _ in range(4)] and again.requests, "requests to the one that is back")
        weir.says(rf"endpoint_reachable upstream=api endpoint={address}")

    def test_endpoints_that_restart_in_turn_fail_no_request(self):
        backends = [self.backend(name) for name in "abc"]
        weir = self.in_front_of(*backends)
        stop, failed, count = threading.Event(), [], [0]

        def ask():
            while not stop.is_set():
                try:
                    with RawClient(weir.address) as client:
                        for _ in range(20):
                            status = client.get().status
                            count[0] += 1
                            if status != 200:
                                failed.append(status)
                            time.sleep(0.01)
                except (OSError, Closed, Cut) as error:
                    failed.append(repr(error))
        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        for at, name in enumerate("abc"):
            address = backends[at].address
            time.sleep(0.3)
            backends[at].stop()
            time.sleep(0.3)
            backends[at] = self.backend(name, port=int(address.rsplit(":", 1)[1]))
            eventually(lambda: backends[at].requests, "requests to the one that is back")
        stop.set()
        for asker in askers:
            asker.join()
        # A request that the stopped backend had accepted may fail.
        self.assertLessEqual(len(failed), 9, failed)
        self.assertGreater(count[0], 100)

    def test_a_client_that_leaves_during_a_probe_keeps_nobody_from_the_endpoint(self):
        listener = socket.create_server(("127.0.0.1", 0))
        address = "%s:%d" % listener.getsockname()
        listener.close()
        weir = self.weir({"upstreams": {"api": settings.upstream(address, self.backend("other"), **settings.upstream_timeouts(connect="20s"))},
                          "routes": [settings.route("/", "api")]})
        # Two probes fail: the next pause is of 4 s, and so would be that which a probe without a result leaves behind.
        eventually(lambda: [self.fetch(weir), self.endpoints(weir)[0].get("connect_failures")][1] == 5, "two probes")
        full = self.full_listener(int(address.rsplit(":", 1)[1]))       # connects there hang now
        probe = threading.Event()

        def ask():
            with RawClient(weir.address) as client:            # one of these is the probe
                client.sock.settimeout(1)
                try:
                    client.get()
                except (OSError, Closed, Cut):
                    probe.set()
        eventually(lambda: [ask(), probe.is_set()][1], "a probe that hangs")
        full.close()
        again = self.backend("again", port=int(address.rsplit(":", 1)[1]))
        began = time.monotonic()
        eventually(lambda: [self.fetch(weir) for _ in range(4)] and again.requests, "requests to the one that is back")
        self.assertLess(time.monotonic() - began, 2)

    def full(self):
        """An address where connections are neither taken nor refused."""
        return "%s:%d" % self.full_listener().getsockname()

    def full_listener(self, port=0):
        full = socket.create_server(("127.0.0.1", port), backlog=0)
        self.addCleanup(full.close)
        for _ in range(4):                           # the kernel drops what comes after them
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            self.addCleanup(filler.close)
        return full

    def test_no_connection_within_the_time_for_it_leads_to_the_next_endpoint(self):
        weir = self.weir({"upstreams": {"api": settings.upstream(self.full(), self.backend(), **settings.upstream_timeouts(connect="300ms"))},
                          "routes": [settings.route("/", "api")]})
        self.assertEqual({200}, {self.fetch(weir).status for _ in range(8)})

    def test_a_burst_at_an_http2_endpoint_fails_no_request_and_pauses_no_endpoint(self):
        """An endpoint that takes few streams for each connection, and takes its time over each."""
        connections = []

        def serve(connection):
            connections.append(connection)
            time.sleep(0.3)                          # a handshake over a slow network
            server = H2Server(connection, settings=((MAX_CONCURRENT_STREAMS, 2),))
            asked = server.request()[0]
            eventually(lambda: len(connections) == 20, "a connection for every two requests")
            while True:
                server.answer(asked)
                asked = server.request()[0]
        upstream = settings.upstream(self.scripted(serve), **settings.upstream_timeouts(connect="2s")) | {"protocol": "http2"}
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        with H2Client(weir.address) as client:
            streams = [client.ask(target=f"/{number}") for number in range(40)]
            self.assertEqual([200] * 40, [client.response(stream).status for stream in streams])
        self.assertEqual(20, len(connections))
        self.assertEqual(0, weir.metric(PAUSES))

    def test_requests_that_wait_for_the_connection_of_another_count_as_no_failures_of_the_endpoint(self):
        upstream = settings.upstream(self.full(), **settings.upstream_timeouts(connect="1s")) | {"protocol": "http2"}
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        with H2Client(weir.address) as client:
            streams = [client.ask(target=f"/{number}") for number in range(40)]
            self.assertEqual({504}, {client.response(stream).status for stream in streams})
        self.assertEqual(0, weir.metric(PAUSES))

    def test_deadlines_that_clients_ask_for_are_no_failures_of_an_endpoint(self):
        upstream = settings.upstream(self.full()) | {"protocol": "http2", "circuit_breaker": {"min_requests": 2}, "outlier_detection": {}}
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        with H2Client(weir.address) as client:
            for _ in range(12):
                response = client.request("POST", "/a.B/C", {"content-type": "application/grpc", "te": "trailers", "grpc-timeout": "50m"},
                                          b"\0\0\0\0\0")
                self.assertEqual("4", response.get("grpc-status") or dict(response.trailers or ()).get("grpc-status"))
        self.assertEqual(0, weir.metric(PAUSES))
        self.assertEqual(0, weir.metric("weir_outlier_ejections_total"))
        self.assertEqual(0, weir.metric("weir_circuit_breaker_state", state="open"))


if __name__ == "__main__":
    unittest.main()
