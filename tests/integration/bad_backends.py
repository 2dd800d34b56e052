"""A backend that refuses, resets, hangs, lies or talks too early costs one request an error that says why."""

import threading
import unittest

from backend import answers, answers_and_closes, hangs, ok, resets
from harness import Cut, WeirCase, eventually, free_address, settings
from wire import RawClient, chunk, request_bytes

JSON = {"Accept": "application/json"}


class ErrorCase(WeirCase):
    def behind(self, backend, **upstream):
        """Weir with /bad over `backend`, and /good over one that is fine."""
        return self.weir({
            "upstreams": {"bad": settings.upstream(backend, **upstream), "good": settings.upstream(self.backend("good"))},
            "routes": [settings.route("/bad", "bad"), settings.route("/", "good")],
        })

    def assert_told(self, weir, statuses, errors, flags):
        """A /bad fails with one of each: in the status, problem+json, Proxy-Status and the log; the connection goes on."""
        client = self.client(weir)
        response = client.get("/bad", JSON)
        self.assertIn(response.status, statuses)
        self.assertEqual("application/problem+json", response.get("content-type"))
        self.assertEqual(response.status, response.json()["status"])
        self.assertTrue({"type", "title"} <= response.json().keys())
        self.assertRegex(response.get("proxy-status", ""), rf"^{settings.PSEUDONYM}\S*; ?error=({'|'.join(errors)})\b")
        self.assertTrue(weir.log_of("/bad")[0].flags & set(flags), weir.log_of("/bad"))
        self.assertEqual("good", client.get("/next").json()["backend"])


class Failures(ErrorCase):
    def test_a_refused_connection(self):
        self.assert_told(self.behind(free_address()), (502,), ["connection_refused"], {"UF"})

    def test_a_unix_socket_that_is_not_there(self):
        weir = self.behind(f"unix:{self.folder()}/none.sock")
        self.assertEqual(502, self.fetch(weir, target="/bad").status)

    def test_a_reset_before_the_answer(self):
        weir = self.behind(self.scripted(resets))
        self.assert_told(weir, (502,), ["connection_terminated", "http_response_incomplete"], {"UC"})

    def test_a_close_before_the_answer(self):
        weir = self.behind(self.scripted(lambda connection: connection.request()))
        self.assert_told(weir, (502,), ["connection_terminated", "http_response_incomplete"], {"UC"})

    def test_a_close_inside_the_head(self):
        weir = self.behind(self.scripted(answers_and_closes("HTTP/1.1 200 OK\r\nContent-Le")))
        self.assert_told(weir, (502,), ["connection_terminated", "http_response_incomplete"], {"UC", "UP"})

    def test_a_backend_that_hangs(self):
        backend = self.scripted(hangs)
        weir = self.behind(backend, **settings.upstream_timeouts(response="400ms"))
        self.assert_told(weir, (504,), ["http_response_timeout"], {"UT"})
        self.assertTrue(backend.connections[0].ended.wait(5), "the attempt's connection stayed open")

    def test_a_backend_that_never_reads(self):
        backend = self.scripted(lambda connection: connection.stall(), receive_buffer=4096)
        weir = self.behind(backend, **settings.upstream_timeouts(response="500ms", read="500ms"))
        client = self.client(weir)
        sending = self.in_background(self.send_all, client, request_bytes("POST", "/bad", body=b"x" * 8_000_000))
        self.assertEqual(504, client.response().status)
        client.close()
        sending.result()

    def send_all(self, client, data):
        try:
            client.send(data)
        except OSError:
            pass

    def test_an_error_is_html_for_who_wants_html(self):
        response = self.fetch(self.behind(free_address()), target="/bad", fields={"Accept": "text/html"})
        self.assertIn("text/html", response.get("content-type"))
        self.assertIn(str(response.status).encode(), response.body)

    def test_head_gets_an_error_without_a_body(self):
        client = self.client(self.behind(free_address()))
        self.assertEqual(502, client.request("HEAD", "/bad").status)
        self.assertEqual("good", client.get("/next").json()["backend"])


class Garbage(ErrorCase):
    RESPONSES = {
        "noise": b"\x00\xff\x12 garbage\r\n\r\n",
        "a banner": b"220 mail.example ESMTP\r\n",
        "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
        "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
        "TE with CL": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "obs-fold": b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        "a bare CR": b"HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 2\r\n\r\nok",
        "NUL": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
        "an endless head": b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 300_000,
        "an unasked 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    }

    def test_garbage_is_502_and_its_connection_is_not_used_again(self):
        for name, response in self.RESPONSES.items():
            with self.subTest(name):
                backend = self.scripted(answers(response))
                weir = self.behind(backend)
                with RawClient(weir.address) as client:
                    self.assertEqual(502, client.get("/bad").status)
                    self.assertTrue(weir.log_of("/bad")[0].flags & {"UP", "UC"})
                    self.assertTrue(backend.connections[0].ended.wait(5), "the connection stayed open")
                    self.assertEqual("good", client.get("/next").json()["backend"])
                weir.stop()

    def test_a_space_before_a_colon_is_stripped_or_502(self):
        weir = self.behind(self.scripted(answers(b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok")))
        response = self.fetch(weir, target="/bad")
        self.assertIn((response.status, response.get("x-a")), ((200, "b"), (502, None)))


class CutShort(ErrorCase):
    """After the head is told nothing can be taken back: the client's connection ends without a clean end."""

    def assert_cut(self, script):
        weir = self.behind(self.scripted(script))
        client = self.client(weir)
        client.send(request_bytes(target="/bad"))
        with self.assertRaises(Cut) as caught:
            client.response()
        self.assertEqual(200, caught.exception.partial.status)
        self.assertNotIn(b"\r\n0\r\n", client.stream.received)
        self.assertTrue(weir.log_of("/bad")[0].flags & {"UC", "UP"})
        self.assertEqual("good", self.fetch(weir).json()["backend"])

    def test_fewer_bytes_than_promised(self):
        self.assert_cut(answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"))

    def test_chunks_without_the_last(self):
        self.assert_cut(answers_and_closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"short")))

    def test_a_broken_chunk(self):
        self.assert_cut(answers_and_closes(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"fine") + b"zz\r\nbad\r\n"))

    def test_a_reset_in_the_body(self):
        told = threading.Event()

        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            told.wait(10)
            connection.reset()
        weir = self.behind(self.scripted(script))
        client = self.client(weir)
        client.send(request_bytes(target="/bad"))
        response = client.head()
        told.set()
        with self.assertRaises(Cut):
            client.rest_of(response)

    def test_more_bytes_than_promised_are_never_told(self):
        backend = self.scripted(answers(ok(b"ok") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"))
        client = self.client(self.behind(backend))
        self.assertEqual([b"ok"] * 3, [bytes(client.get("/bad").body) for _ in range(3)])
        self.assertEqual(3, len(backend.connections))

    def test_a_stall_between_bytes_is_cut(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            connection.wait_closed()
        weir = self.behind(self.scripted(script), **settings.upstream_timeouts(read="400ms"))
        client = self.client(weir)
        client.send(request_bytes(target="/bad"))
        with self.assertRaises(Cut):
            client.response()
        self.assertIn("UT", weir.log_of("/bad")[0].flags)


class EarlyAnswers(ErrorCase):
    def test_an_answer_before_the_body_is_told_while_the_upload_runs(self):
        def script(connection):
            connection.request_head()
            connection.send(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
            connection.wait_closed()
        backend = self.scripted(script)
        weir = self.behind(backend)
        client = self.client(weir)
        client.send(request_bytes("POST", "/bad", {"Content-Length": "1000000"}) + b"begun")
        response = client.response()
        self.assertEqual((403, b"no"), (response.status, bytes(response.body)))
        client.close()
        self.assertTrue(backend.connections[0].ended.wait(10), "the half-used connection stayed open")
        self.assertEqual("good", self.fetch(weir).json()["backend"])

    def test_an_answer_and_a_reset_during_the_upload_still_arrives(self):
        def script(connection):
            connection.request_head()
            connection.send(b"HTTP/1.1 413 Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")
            connection.close()
        client = self.client(self.behind(self.scripted(script)))
        client.send(request_bytes("POST", "/bad", {"Content-Length": "1000000"}) + b"begun")
        self.assertIn(client.response().status, (413, 502))

    def test_both_directions_stream_at_once(self):
        def script(connection):
            connection.request_head()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            for _ in range(3):
                piece = bytearray()
                connection.stream.exactly(3, piece)
                connection.send(piece.upper())
        client = self.client(self.behind(self.scripted(script)))
        client.send(request_bytes("POST", "/bad", {"Content-Length": "9"}))
        response, echoed = client.head(), bytearray()
        for piece in (b"abc", b"def", b"ghi"):
            client.send(piece)
            client.stream.exactly(3, echoed)
        self.assertEqual((200, b"ABCDEFGHI"), (response.status, bytes(echoed)))


class ReusedConnections(ErrorCase):
    """What happens on a connection that has carried a request before."""

    def dies_on_the_second(self, death):
        """Answers the first request of its first connection; `death(connection)` ends the second. Later ones are fine."""
        def script(connection):
            if connection.index:
                return answers(ok(b"fresh"))(connection)
            connection.request()
            connection.send(ok(b"first"))
            connection.request()
            death(connection)
        backend = self.scripted(script)
        weir = self.behind(backend)
        client = self.client(weir)
        self.assertEqual(b"first", bytes(client.get("/bad").body))
        return backend, client

    def test_an_idempotent_request_is_sent_once_more(self):
        for method in ("GET", "DELETE", "OPTIONS"):
            for death in (lambda connection: connection.reset(), lambda connection: connection.close()):
                with self.subTest(method):
                    backend, client = self.dies_on_the_second(death)
                    response = client.request(method, "/bad")
                    self.assertEqual((200, b"fresh"), (response.status, bytes(response.body)))
                    self.assertEqual(2, len(backend.connections))

    def test_a_post_is_not(self):
        backend, client = self.dies_on_the_second(lambda connection: connection.reset())
        self.assertEqual(502, client.request("POST", "/bad", body=b"once").status)
        self.assertEqual(1, len(backend.connections))

    def test_once_a_byte_was_answered_nothing_is_sent_again(self):
        def death(connection):
            connection.send(b"HTTP/1.1 2")
        backend, client = self.dies_on_the_second(death)
        self.assertEqual(502, client.get("/bad").status)
        self.assertEqual(1, len(backend.connections))

    def test_it_is_sent_again_only_once(self):
        def script(connection):
            if not connection.index:
                connection.request()
                connection.send(ok(b"first"))
            connection.request()
            connection.reset()
        backend = self.scripted(script)
        client = self.client(self.behind(backend))
        client.get("/bad")
        self.assertEqual(502, client.get("/bad").status)
        self.assertEqual(2, len(backend.connections))

    def test_a_fresh_connection_that_dies_is_no_reason_to_send_again(self):
        backend = self.scripted(resets)
        self.assertEqual(502, self.fetch(self.behind(backend), target="/bad").status)
        self.assertEqual(1, len(backend.connections))

    def test_an_idle_connection_that_speaks_is_dropped(self):
        self.assert_idle_dropped(lambda connection: connection.send(ok(b"poison")))

    def test_an_idle_connection_that_ends_is_dropped(self):
        self.assert_idle_dropped(lambda connection: connection.close())

    def assert_idle_dropped(self, event):
        idle = threading.Event()

        def script(connection):
            if connection.index:
                return answers(ok(b"fresh"))(connection)
            connection.request()
            connection.send(ok(b"first"))
            idle.wait(20)
            event(connection)
            connection.wait_closed()
        backend = self.scripted(script)
        client = self.client(self.behind(backend))
        self.assertEqual(b"first", bytes(client.get("/bad").body))
        idle.set()
        self.assertTrue(backend.connections[0].ended.wait(10), "the idle connection was kept")
        response = client.request("POST", "/bad", body=b"once")
        self.assertEqual((200, b"fresh"), (response.status, bytes(response.body)))

    def test_idle_connections_end_after_their_time(self):
        backend = self.backend()
        weir = self.in_front_of(upstreams={"api": settings.upstream(backend, **settings.upstream_timeouts(idle="300ms"))})
        self.fetch(weir)
        self.assertTrue(backend.connections[0].ended.wait(10), "the idle connection was kept")

    def test_connections_are_used_again(self):
        backend = self.backend()
        client = self.client(self.in_front_of(backend))
        self.assertEqual({0}, {client.get().json()["connection"] for _ in range(20)})


class AnyBackend(WeirCase):
    def test_all_kinds_of_trouble_at_once_end_in_answers(self):
        scripts = [resets, answers(b"\x00garbage\r\n\r\n"), answers_and_closes(b""), answers(ok(b"fine"))]
        weir = self.in_front_of(*[self.scripted(script) for script in scripts], free_address())

        def ask():
            return [self.fetch(weir).status for _ in range(50)]
        for asking in [self.in_background(ask) for _ in range(4)]:
            self.assertLessEqual(set(asking.result()), {200, 502, 503})
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")


if __name__ == "__main__":
    unittest.main()
