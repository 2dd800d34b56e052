"""What fails is tried again, when that does no harm; in an outage retries stay a share of the load."""

import threading
import time
import unittest

from backend import answers_and_closes, hangs, ok, resets
from h2_wire import INTERNAL_ERROR, H2Server
from harness import Cut, WeirCase, eventually, free_address, settings
from settings import ample, retry, route
from wire import request_bytes

UNAVAILABLE = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n%s\r\nbusy"


def busy(fields=b""):
    return UNAVAILABLE % fields


class RetryCase(WeirCase):
    def retrying(self, *backends, filters=None, upstream=None, **values):
        """Weir with `retry` in front of these; its budget bounds nothing unless the test says so."""
        return self.weir({
            "upstreams": {"api": settings.upstream(*backends, balance="round_robin") | (upstream or {})},
            "routes": [route("/", "api", "all", filters=filters or [retry(**ample(**values))])],
        })

    def failing_at_first(self, failures, script):
        """A backend that plays `script` on its first connections, and then answers."""
        def play(connection):
            if connection.index < failures:
                return script(connection)
            self.bodies.append(connection.request().body)
            connection.send(ok(b"fine"))
        self.bodies = []
        return self.scripted(play)

    def attempts_of(self, weir, path="/"):
        return weir.log_of(path)[0]["upstream"]["attempts"]

    def assert_nothing_in_flight(self, weir):
        for name in (settings.IN_FLIGHT, settings.RETRIES_IN_FLIGHT, settings.ENDPOINT_ACTIVE):
            eventually(lambda name=name: weir.metric(name) == 0, f"{name} is 0")


class Failures(RetryCase):
    def test_a_refused_endpoint_costs_nobody_an_error(self):
        weir = self.retrying(free_address(), self.backend(), on=["connect_failure"])
        self.assertEqual([200] * 20, [self.fetch(weir).status for _ in range(20)])
        self.assertGreaterEqual(weir.metric("weir_upstream_failovers_total", upstream="api"), 3)
        self.assertEqual(0, weir.metric(settings.RETRIES, route="all", upstream="api"), "a retry was spent on it")
        self.assert_nothing_in_flight(weir)

    def test_refused_connections_spend_no_budget(self):
        weir = self.retrying(free_address(), on=["connect_failure"], attempts=3, budget={"ratio": "1%", "min": 0, "concurrent": 1})
        self.assertEqual([502] * 20, [self.fetch(weir).status for _ in range(20)])
        self.assertEqual(40, weir.metric(settings.RETRIES, route="all", upstream="api"))
        self.assertEqual(0, weir.metric("weir_retries_refused_total", route="all", reason="budget"))

    def test_a_reset_is_tried_again(self):
        weir = self.retrying(self.failing_at_first(2, resets), on=["reset"])
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(3, self.attempts_of(weir))

    def test_a_burst_of_errors_is_sat_out(self):
        weir = self.retrying(self.failing_at_first(2, answers_and_closes(busy())), on=["503"])
        response = self.fetch(weir)
        self.assertEqual((200, b"fine"), (response.status, bytes(response.body)))

    def test_too_long_a_burst_is_told_and_marked(self):
        weir = self.retrying(self.failing_at_first(9, answers_and_closes(busy())), on=["503"], attempts=3)
        response = self.fetch(weir)
        self.assertEqual((503, b"busy"), (response.status, bytes(response.body)))
        line = weir.log_of("/")[0]
        self.assertIn("URX", line.flags)
        self.assertEqual(3, line["upstream"]["attempts"])
        self.assert_nothing_in_flight(weir)

    def test_an_endpoint_that_hangs_is_left_for_another(self):
        weir = self.retrying(self.scripted(hangs), self.backend(), on=["timeout"], per_try_timeout="200ms")
        started = time.monotonic()
        self.assertEqual([200] * 4, [self.fetch(weir).status for _ in range(4)])
        self.assertLess(time.monotonic() - started, 5)
        self.assertGreaterEqual(weir.metric(settings.RETRIES, outcome="success"), 2)
        self.assert_nothing_in_flight(weir)

    def test_a_response_that_breaks_after_its_head_is_not_tried_again(self):
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun"
        weir = self.retrying(self.failing_at_first(9, answers_and_closes(cut)), on=["reset", "5xx"])
        with self.assertRaises(Cut):
            self.fetch(weir)
        self.assertEqual(1, self.attempts_of(weir))

    def test_the_exchange_s_own_time_includes_the_waits(self):
        backend = self.failing_at_first(9, answers_and_closes(busy(b"Retry-After: 1\r\n")))
        weir = self.weir({
            "upstreams": {"api": settings.upstream(backend)},
            "routes": [route("/", "api", filters=[retry(**ample(on=["503"], attempts=5, retry_after_max="5s"))],
                             timeout="1500ms")],
        })
        started = time.monotonic()
        self.assertEqual(503, self.fetch(weir).status)
        self.assertLess(time.monotonic() - started, 1.6)
        self.assertEqual(1, weir.metric(settings.RETRIES_REFUSED, reason="deadline"))


class Bodies(RetryCase):
    BODY = bytes(range(256)) * 100

    def post(self, failures=2, script=resets, method="POST", body=BODY, fields=None, **values):
        weir = self.retrying(self.failing_at_first(failures, script), on=["reset", "503"], **values)
        return self.fetch(weir, method, body=body, fields=fields or {}), weir

    def test_a_post_is_sent_once(self):
        response, weir = self.post()
        self.assertEqual(502, response.status)
        self.assertEqual(1, self.attempts_of(weir))

    def test_where_it_may_be_its_body_is_sent_again_whole(self):
        response, _ = self.post(non_idempotent=True)
        self.assertEqual(200, response.status)
        self.assertEqual([self.BODY], self.bodies)

    def test_an_answer_that_comes_before_the_body_is_read(self):
        def refuses_early(connection):
            connection.request_head()
            connection.send(busy())
        response, _ = self.post(script=refuses_early, method="PUT")
        self.assertEqual(200, response.status)
        self.assertEqual([self.BODY], self.bodies)

    def test_with_an_idempotency_key(self):
        self.assertEqual(200, self.post(idempotency_key=True, fields={"Idempotency-Key": "1"})[0].status)
        self.assertEqual(502, self.post(idempotency_key=True)[0].status)

    def test_a_body_larger_than_what_is_kept_is_sent_once(self):
        response, weir = self.post(method="PUT", body=b"x" * 100_000)
        self.assertEqual(502, response.status)
        self.assertEqual(1, weir.metric(settings.RETRIES_REFUSED, reason="body"))

    def test_a_post_that_met_no_endpoint_may_always_go_on(self):
        weir = self.retrying(free_address(), self.backend(), on=["connect_failure"])
        for _ in range(4):
            response = self.fetch(weir, "POST", body=self.BODY)
            self.assertEqual((200, len(self.BODY)), (response.status, response.json()["length"]))


class Clients(RetryCase):
    def test_one_that_leaves_during_the_wait_leaves_nothing(self):
        backend = self.failing_at_first(9, answers_and_closes(busy(b"Retry-After: 3\r\n")))
        weir = self.retrying(backend, on=["503"], retry_after_max="10s")
        clients = [self.client(weir) for _ in range(3)]
        for client in clients:
            client.send(request_bytes())
        eventually(lambda: weir.metric(settings.RETRIES_IN_FLIGHT) == 3, "three that wait")
        self.assertEqual(0, weir.metric(settings.ENDPOINT_ACTIVE))
        for client in clients:
            client.reset()
        self.assert_nothing_in_flight(weir)
        self.assertEqual(3, len(backend.connections))
        self.assertEqual(3, weir.metric(settings.RETRIES, outcome="abandoned"))


class Outage(RetryCase):
    def test_retries_stay_a_share_of_the_load(self):
        backend = self.backend()
        weir = self.retrying(backend, filters=[retry(on=["503"], attempts=4)])
        def ask():
            with self.subTest():
                client = self.client(weir)
                for _ in range(50):
                    self.assertEqual(503, client.get("/status/503").status)
                client.close()
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(len(backend.requests), 400)
        self.assertLessEqual(len(backend.requests), 400 * 1.2 + 10 * 4)    # a slow machine may enter other windows
        self.assertGreater(weir.metric(settings.RETRIES_REFUSED, reason="budget"), 0)
        self.assert_nothing_in_flight(weir)


class Http2(RetryCase):
    def test_a_stream_that_is_reset_is_tried_again(self):
        seen = []
        def script(connection):
            server = H2Server(connection)
            while True:
                stream, _ = server.request()
                seen.append(stream)
                if len(seen) < 3:
                    server.send_reset(stream, INTERNAL_ERROR)
                else:
                    server.answer(stream)
        weir = self.retrying(self.scripted(script), upstream={"protocol": "http2"}, on=["reset"])
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(3, len(seen))

    def test_a_call_that_is_unavailable_is_tried_again(self):
        seen = []
        def script(connection):
            server = H2Server(connection)
            while True:
                stream, _ = server.request()
                seen.append(stream)
                status = "14" if len(seen) < 3 else "0"
                server.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc"),
                                             ("grpc-status", status)], end=True)
        weir = self.retrying(self.scripted(script), upstream={"protocol": "http2"}, on=["grpc_unavailable"],
                             non_idempotent=True)
        response = self.fetch(weir, "POST", fields={"Content-Type": "application/grpc", "TE": "trailers"})
        self.assertEqual(("0", 3), (response.get("grpc-status"), len(seen)))


class RequestTimeouts(RetryCase):
    """408 is also what an endpoint says of an idle connection as it closes it."""

    LATE = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n%s\r\nlate"

    def assert_sent_once(self, script, **upstream):
        seen = []
        weir = self.retrying(self.scripted(lambda connection: script(connection, seen)), upstream=upstream, on=["408"])
        self.assertEqual(200, self.fetch(weir).status)
        for _ in range(3):
            self.assertEqual(408, self.fetch(weir, "POST", body=b"an order").status)
        self.assertEqual(3, seen.count("POST"))

    def test_a_post_that_an_application_answers_408_is_sent_once_over_http1(self):
        for name, closing in (("kept alive", ""), ("closed", "Connection: close\r\n")):
            def script(connection, seen, closing=closing):
                while True:
                    seen.append(connection.request().method)
                    connection.send(self.LATE % closing if seen[-1] == "POST" else ok())
            with self.subTest(name):
                self.assert_sent_once(script)

    def test_a_post_that_an_application_answers_408_is_sent_once_over_http2(self):
        def script(connection, seen):
            server = H2Server(connection)
            while True:
                stream, head = server.request()
                server.until(lambda: head.is_over)
                seen.append(head.get(":method"))
                server.answer(stream, b"late", status=408 if seen[-1] == "POST" else 200)
        self.assert_sent_once(script, protocol="http2")

    def test_a_408_that_was_sent_before_the_request_arrived_repeats_a_post(self):
        """Its receive buffer is full of a request that it has answered: nothing of the next one is acknowledged."""
        is_sent, bodies = threading.Event(), []

        def script(connection):
            if connection.index > 0:
                bodies.append(bytes(connection.request().body))
                return connection.send(ok())
            connection.request_head()
            connection.send(ok())
            is_sent.wait(20)
            connection.send(self.LATE % "Connection: close\r\n")
            connection.ended.wait(1)
        weir = self.retrying(self.scripted(script, receive_buffer=2048), on=["408"])
        self.assertEqual(200, self.fetch(weir, "POST", "/first", body=b"x" * 30_000).status)
        second = self.in_background(lambda: self.fetch(weir, "POST", "/second", body=b"an order"))
        eventually(lambda: weir.metric(settings.ENDPOINT_ACTIVE) == 1, "the second request is under way")
        is_sent.set()
        self.assertEqual(200, second.result().status)
        self.assertEqual([b"an order"], bodies)


class Nonsense(RetryCase):
    def test_a_method_that_is_not_safe_is_refused_without_saying_so(self):
        told = self.refused_start({
            "upstreams": {"api": settings.upstream(free_address())},
            "routes": [route("/", "api", filters=[retry(methods=["GET", "POST"])])],
        })
        self.assertIn("POST isn't safe to send twice", told)
        self.assertIn("retry.methods[1]", told)


if __name__ == "__main__":
    unittest.main()
