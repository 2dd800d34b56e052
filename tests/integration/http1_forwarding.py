"""HTTP/1.1 is carried whole, both ways: framing, order, interim responses, sizes and fragments."""

import threading
import unittest

from backend import HttpBackend, answers, answers_and_closes, digest, fields_of, ok, pattern
from harness import PATIENCE, SharedWeirCase, WeirCase, settings
from wire import FRAGMENTS, RawClient, chunked, request_bytes

MIB = 1 << 20


class Forwarding(SharedWeirCase):
    @classmethod
    def serve(cls):
        backends = {"a": HttpBackend()}
        return backends, {
            "upstreams": {"api": settings.upstream(backends["a"])},
            "routes": [settings.route("/", "api")],
        }

    def test_a_connection_serves_one_request_after_another(self):
        client = self.client(self.shared)
        for number in range(5):
            self.assertEqual(f"/keep/{number}", client.get(f"/keep/{number}").json()["target"])

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.client(self.shared)
        client.send(b"".join(request_bytes(target=f"/line/{number}") for number in range(20)))
        self.assertEqual([f"/line/{number}" for number in range(20)],
                         [client.response().json()["target"] for _ in range(20)])

    def test_pipelined_requests_with_bodies_keep_their_bodies(self):
        client = self.client(self.shared)
        bodies = [pattern(size) for size in (0, 1, 1000, 30_000, 5)]
        client.send(b"".join(request_bytes("POST", "/bodies", body=body) for body in bodies))
        self.assertEqual([digest(body) for body in bodies], [client.response().json()["digest"] for _ in bodies])

    def test_what_any_connection_line_names_goes_no_further(self):
        for lines in (["x-secret", "close"], ["close", "x-secret"], ["keep-alive", "x-secret", "close"]):
            with self.subTest(lines):
                fields = [("Connection", line) for line in lines] + [("X-Secret", "s"), ("X-Other", "o")]
                account = self.fetch(self.shared, fields=fields).json()
                self.assertEqual([], fields_of(account, "x-secret"))
                self.assertEqual(["o"], fields_of(account, "x-other"))

    def test_more_connection_options_than_anybody_needs_are_refused(self):
        named = lambda count: [("Connection", ", ".join(f"x-{number}" for number in range(count)))]
        self.assertEqual([], fields_of(self.fetch(self.shared, fields=[*named(64), ("X-63", "s")]).json(), "x-63"))
        client = self.client(self.shared)
        client.send(request_bytes(fields=[*named(65), ("X-64", "s")]))
        self.assert_refused(client, 400)

    def test_a_request_arrives_the_same_in_any_fragments(self):
        whole = request_bytes("POST", "/f?q=1", [("X-A", "b c"), ("Content-Length", "11")], b"hello world")
        for fragment in FRAGMENTS:
            with self.subTest(fragment=fragment), RawClient(self.shared.address) as client:
                client.send(whole, fragment)
                account = client.response().json()
                self.assertEqual(("POST", "/f?q=1", "hello world"), (account["method"], account["target"], account["body"]))

    def test_chunks_arrive_the_same_in_any_fragments(self):
        whole = request_bytes("POST", "/c", {"Transfer-Encoding": "chunked"}) + chunked(b"one,", b"two")
        for fragment in FRAGMENTS:
            with self.subTest(fragment=fragment), RawClient(self.shared.address) as client:
                client.send(whole + request_bytes(target="/next"), fragment)
                self.assertEqual("one,two", client.response().json()["body"])
                self.assertEqual("/next", client.response().json()["target"])

    def test_a_chunked_body_reaches_the_backend_with_its_trailers(self):
        client = self.client(self.shared)
        fields = {"Transfer-Encoding": "chunked", "Trailer": "X-Check"}
        client.send(request_bytes("POST", "/t", fields) + chunked(b"abc", b"def", trailers=[("X-Check", "42")]))
        account = client.response().json()
        self.assertEqual("abcdef", account["body"])
        self.assertIn(["x-check", "42"], [[name.lower(), value] for name, value in account["trailers"]])

    def test_trailers_that_would_frame_or_authorize_are_dropped(self):
        client = self.client(self.shared)
        trailers = [("X-Fine", "1"), ("Content-Length", "9"), ("Authorization", "x"), ("Host", "evil")]
        client.send(request_bytes("POST", "/t", {"Transfer-Encoding": "chunked"}) + chunked(b"abc", trailers=trailers))
        response = client.response()
        if response.status != 400:
            names = {name.lower() for name, _ in response.json()["trailers"]}
            self.assertLessEqual(names, {"x-fine"})

    def test_a_chunked_response_reaches_the_client_with_its_trailers(self):
        response = self.fetch(self.shared, target="/chunked/200000", fields={"TE": "trailers"})
        self.assertEqual(digest(pattern(200_000)), digest(response.body))
        self.assertIn(("x-sum", digest(pattern(200_000))), [(name.lower(), value) for name, value in response.trailers])

    def test_head_has_the_length_and_no_body(self):
        client = self.client(self.shared)
        self.assertEqual("1000", client.request("HEAD", "/bytes/1000").get("content-length"))
        self.assertEqual(200, client.get("/status/200").status)

    def test_204_and_304_have_no_body_and_the_connection_goes_on(self):
        client = self.client(self.shared)
        for status in (204, 304, 204, 200):
            self.assertEqual(status, client.get(f"/status/{status}").status)

    def test_20_mib_stream_down_unchanged(self):
        for kind in ("bytes", "chunked"):
            with self.subTest(kind):
                response = self.fetch(self.shared, target=f"/{kind}/{20 * MIB}")
                self.assertEqual(digest(pattern(20 * MIB)), digest(response.body))

    def test_20_mib_stream_up_unchanged(self):
        body = pattern(20 * MIB)
        with self.subTest("content-length"):
            self.assertEqual(digest(body), self.fetch(self.shared, "POST", "/up", body=body).json()["digest"])
        with self.subTest("chunked"):
            wire = chunked(*(body[start:start + 70_000] for start in range(0, len(body), 70_000)))
            response = self.fetch(self.shared, "POST", "/up", {"Transfer-Encoding": "chunked"}, wire)
            self.assertEqual(digest(body), response.json()["digest"])

    def test_an_http_1_0_client_is_closed_after_the_answer(self):
        client = self.client(self.shared)
        response = client.get("/bytes/10", version="1.0")
        self.assertEqual(200, response.status)
        self.assertTrue(client.is_closed())

    def test_an_http_1_0_client_may_ask_to_be_kept(self):
        client = self.client(self.shared)
        first = client.get("/bytes/10", {"Connection": "keep-alive"}, version="1.0")
        self.assertEqual("keep-alive", (first.get("connection") or "").lower())
        self.assertEqual(200, client.get("/bytes/10", version="1.0").status)

    def test_an_http_1_0_client_gets_no_chunks(self):
        client = self.client(self.shared)
        response = client.get("/chunked/100000", version="1.0")
        self.assertIsNone(response.get("transfer-encoding"))
        self.assertEqual(digest(pattern(100_000)), digest(response.body))

    def test_connection_close_is_honoured(self):
        client = self.client(self.shared)
        self.assertTrue(client.get("/", {"Connection": "close"}).closes())
        self.assertTrue(client.is_closed())

    def test_up_to_two_empty_lines_before_a_request_are_skipped(self):
        for empty in (b"\r\n", b"\r\n\r\n"):
            with RawClient(self.shared.address) as client:
                client.send(empty + request_bytes(target="/after"))
                self.assertEqual("/after", client.response().json()["target"])

    def test_a_get_keeps_its_body(self):
        self.assertEqual("query", self.fetch(self.shared, "GET", "/b", body=b"query").json()["body"])


class Truncated(WeirCase):
    def test_an_http_1_0_client_gets_a_reset_where_its_response_breaks_off(self):
        for end in "reset", "close":
            with self.subTest(end):
                def script(connection, end=end):
                    connection.request()
                    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n")
                    getattr(connection, end)()
                client = self.client(self.in_front_of(self.scripted(script)))
                client.send(request_bytes(version="1.0"))
                with self.assertRaises(ConnectionResetError):
                    while client.sock.recv(4096):    # FIN would say that this is all
                        pass


class InterimResponses(WeirCase):
    HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"

    def test_103_is_passed_on_to_1_1_before_the_answer(self):
        client = self.client(self.in_front_of(self.scripted(answers(self.HINTS + ok()))))
        response = client.get()
        self.assertEqual([103], [interim.status for interim in response.interim])
        self.assertEqual("</a.css>; rel=preload", response.interim[0].get("link"))
        self.assertEqual(200, client.get().status)

    def test_103_is_kept_from_1_0(self):
        client = self.client(self.in_front_of(self.scripted(answers(self.HINTS + ok()))))
        response = client.get(version="1.0")
        self.assertEqual((200, []), (response.status, response.interim))

    def expecting(self, weir, length=5):
        client = self.client(weir)
        client.send(request_bytes("POST", "/e", {"Expect": "100-continue", "Content-Length": str(length)}))
        return client

    def test_expect_100_continue_lets_the_body_come(self):
        client = self.expecting(self.in_front_of(self.backend()))
        self.assertEqual(100, client.head().status)
        client.send(b"hello")
        response = client.response()
        self.assertEqual(([], "hello"), (response.interim, response.json()["body"]))
        self.assertEqual(200, client.get().status)

    def test_a_backend_s_100_is_not_told_twice(self):
        def script(connection):
            connection.request_head()
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            body = bytearray()
            connection.stream.exactly(5, body)
            connection.send(ok(body))
        client = self.expecting(self.in_front_of(self.scripted(script)))
        self.assertEqual(100, client.head().status)
        client.send(b"hello")
        response = client.response()
        self.assertEqual(([], b"hello"), (response.interim, response.body))

    def test_a_body_sent_without_waiting_needs_no_100(self):
        client = self.expecting(self.in_front_of(self.backend()))
        client.send(b"hello")
        self.assertEqual("hello", client.response().json()["body"])

    def forwards_expectations(self, script, **more):
        self.api = self.scripted(script)
        return self.in_front_of(self.api, routes=[settings.route("/", "api", "all", expect="forward")], **more)

    def test_an_expectation_that_is_left_to_the_endpoint_waits_for_its_100(self):
        asked, may_go_on = threading.Event(), threading.Event()

        def script(connection):
            head = connection.request_head()
            asked.expectation = head.get("expect")
            asked.set()
            may_go_on.wait(PATIENCE)
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            body = bytearray()
            connection.stream.exactly(5, body)
            connection.send(ok(body))
        client = self.expecting(self.forwards_expectations(script))
        self.assertTrue(asked.wait(PATIENCE))
        self.assertEqual("100-continue", asked.expectation)
        client.sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):        # Weir says nothing by itself
            client.sock.recv(1)
        client.sock.settimeout(PATIENCE)
        may_go_on.set()
        self.assertEqual(100, client.head().status)
        client.send(b"hello")
        response = client.response()
        self.assertEqual(([], b"hello"), (response.interim, response.body))

    def test_an_endpoint_that_refuses_before_the_body_is_heard(self):
        def script(connection):
            connection.request_head()
            connection.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
            connection.wait_closed()
        weir = self.forwards_expectations(script)
        client = self.expecting(weir, 1 << 30)
        response = client.response()
        self.assertEqual((401, b"no", []), (response.status, response.body, response.interim))
        self.assertNotIn(b"hello", self.api.received)

    def test_a_client_that_does_not_wait_for_the_endpoint_is_served(self):
        weir = self.forwards_expectations(answers(ok("served")))
        client = self.expecting(weir)
        client.send(b"hello")
        response = client.response()
        self.assertEqual((200, b"served"), (response.status, bytes(response.body)))

    def test_an_endpoint_that_never_goes_on_is_a_504(self):
        def script(connection):
            connection.request_head()
            connection.wait_closed()
        weir = self.in_front_of(
            api := self.scripted(script), routes=[settings.route("/", "api", "all", expect="forward")],
            upstreams={"api": settings.upstream(api) | {"timeouts": {"response": "300ms"}}})
        self.assertEqual(504, self.expecting(weir).response().status)

    def test_an_unknown_expectation_is_417(self):
        response = self.fetch(self.in_front_of(self.backend()), "POST", "/", {"Expect": "200-maybe"}, b"x")
        self.assertEqual(417, response.status)


class ResponseFraming(WeirCase):
    def get_from(self, script, **request):
        return self.fetch(self.in_front_of(self.scripted(script)), **request)

    def test_a_body_that_ends_with_the_connection_is_told_whole(self):
        response = self.get_from(answers_and_closes("HTTP/1.1 200 OK\r\n\r\n" + "x" * 5000))
        self.assertEqual(("chunked", 5000), (response.get("transfer-encoding"), len(response.body)))

    def test_an_http_1_0_backend_is_understood(self):
        response = self.get_from(answers_and_closes("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        self.assertEqual(("HTTP/1.1", b"ok"), (response.version, bytes(response.body)))

    def test_a_response_arrives_the_same_in_any_fragments(self):
        wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n" + chunked(b"abc", b"defg")
        for fragment in FRAGMENTS:
            with self.subTest(fragment=fragment):
                response = self.get_from(answers(wire, fragment))
                self.assertEqual(("b", b"abcdefg"), (response.get("x-a"), bytes(response.body)))

    def test_the_reason_phrase_and_repeated_fields_stay(self):
        response = self.get_from(answers(b"HTTP/1.1 299 So so\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                                         b"Content-Length: 0\r\n\r\n"))
        self.assertEqual((299, ["a=1", "b=2"]), (response.status, response.all("set-cookie")))

    def test_early_chunks_are_not_held_back(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"first")[:-5])
            connection.backend.go.wait(30)
            connection.send(chunked(b"second"))
        backend = self.scripted(script)
        backend.go = threading.Event()
        client = self.client(self.in_front_of(backend))
        client.send(request_bytes())
        response, first = client.head(), bytearray()
        self.assertEqual(b"5", client.stream.line())
        client.stream.exactly(5, first)
        backend.go.set()
        self.assertEqual((200, b"first"), (response.status, bytes(first)))


class Responses(WeirCase):
    def test_what_any_connection_line_of_a_response_names_goes_no_further(self):
        fields = "Connection: x-secret\r\nConnection: close\r\nX-Secret: s\r\nX-Other: o\r\n"
        weir = self.in_front_of(self.scripted(answers_and_closes(ok(fields=fields))))
        response = self.fetch(weir)
        self.assertIsNone(response.get("x-secret"))
        self.assertEqual("o", response.get("x-other"))

    def test_more_connection_options_of_a_response_than_anybody_needs_are_refused(self):
        options = ", ".join(f"x-{number}" for number in range(65))
        weir = self.in_front_of(self.scripted(answers_and_closes(ok(fields=f"Connection: {options}\r\nX-64: s\r\n"))))
        self.assertEqual(502, self.fetch(weir).status)


if __name__ == "__main__":
    unittest.main()
