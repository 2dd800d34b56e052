"""The word gRPC in a request's Content-Type switches nothing off: its rules hold where gRPC is spoken, and errors stay errors."""

import threading
import unittest

from h2_wire import CANCEL, H2Client, H2Server
from harness import WeirCase, eventually, settings
from wire import request_bytes

TYPES = ("application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web-text")
CALL = {"content-type": "application/grpc", "te": "trailers"}
UPLOAD = {"Content-Type": "application/grpc", "Content-Length": "100000"}


class Errors(WeirCase):
    def test_an_error_has_its_own_status_unless_the_request_is_a_call(self):
        weir = self.weir({"routes": [settings.answers(200, "hello", match="/elsewhere")]})
        for kind in TYPES:
            for method in ("GET", "POST"):
                with self.subTest(kind=kind, method=method):
                    fields = {"Content-Type": kind, "grpc-timeout": "1m"}
                    response = self.fetch(weir, method, "/nowhere", fields=fields)
                    self.assertEqual((404, "application/problem+json"), (response.status, response.get("content-type")))
                    self.assertFalse(response.get("grpc-status"))
        with H2Client(weir.address) as client:
            self.assertEqual(404, client.get("/nowhere", CALL).status)
            self.assertEqual(404, client.request("POST", "/nowhere", {"content-type": "application/grpc-web"}).status)
        self.assertEqual({404}, {line.status for line in weir.log_of("/nowhere", 10)})

    def test_the_error_of_a_call_is_stored_by_no_cache(self):
        weir = self.weir({"routes": [settings.answers(200, "hello", match="/elsewhere")]})
        with H2Client(weir.address) as client:
            told = client.request("POST", "/nowhere", CALL)
        fields = dict(told.fields)
        self.assertEqual((200, "12", "no-store"), (told.status, fields["grpc-status"], fields["cache-control"]))
        self.assertEqual(12, weir.log_of("/nowhere")[0]["grpc_status"])

    def test_behind_the_filter_grpc_web_errors_are_told_as_such_and_only_to_a_post(self):
        weir = self.weir({"filters": ["grpc_web"], "upstreams": {"api": settings.upstream("127.0.0.1:1")},
                          "routes": [settings.route("/", "api")]})
        web = {"Content-Type": "application/grpc-web", "Content-Length": "0"}
        told = self.fetch(weir, "POST", "/a.B/C", fields=web)
        self.assertEqual((200, "14", "no-store"), (told.status, told.get("grpc-status"), told.get("cache-control")))
        self.assertEqual(502, self.fetch(weir, "GET", "/a.B/C", fields={"Content-Type": "application/grpc-web"}).status)

    def test_grpc_timeout_ends_no_request_that_is_not_a_call(self):
        backend = self.backend()
        backend.delay = 0.3
        weir = self.in_front_of(backend)
        for kind in TYPES:
            with self.subTest(kind):
                response = self.fetch(weir, "GET", "/", fields={"Content-Type": kind, "grpc-timeout": "1m"})
                self.assertEqual((200, "a"), (response.status, response.json()["backend"]))

    def test_an_answer_that_breaks_off_is_complete_to_no_client_but_a_calls(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            connection.reset()
        weir = self.in_front_of(self.scripted(script))
        client = self.client(weir)
        client.send(request_bytes("GET", "/"))
        with self.assertRaises(Exception):
            client.response()


class Timeouts(WeirCase):
    def mute(self):
        """Takes requests, and answers nothing."""
        return self.scripted(lambda connection: connection.wait_closed())

    def test_timeouts_response_holds_where_no_grpc_is_spoken(self):
        upstream = settings.upstream(self.mute(), **settings.upstream_timeouts(response="500ms"))
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [settings.route("/", "api")]})
        self.assertEqual(504, self.fetch(weir, "POST", "/1", fields={"Content-Type": "application/grpc"}).status)
        with H2Client(weir.address) as client:
            self.assertEqual("14", dict(client.request("POST", "/2", CALL).fields)["grpc-status"])
            self.assertEqual(504, client.request("GET", "/3", CALL).status)
        for path in ("/1", "/2", "/3"):
            self.assertEqual("response_timeout", weir.log_of(path)[0]["error"]["code"])

    def test_timeouts_response_holds_for_http1_at_an_http2_endpoint(self):
        def script(connection):
            H2Server(connection).until(lambda: False)
        upstream = settings.upstream(self.scripted(script), **settings.upstream_timeouts(response="500ms"))
        weir = self.weir({"upstreams": {"api": upstream | {"protocol": "http2"}}, "routes": [settings.route("/", "api")]})
        self.assertEqual(504, self.fetch(weir, "POST", "/1", fields={"Content-Type": "application/grpc"}).status)

    def test_timeouts_body_holds_where_no_grpc_is_spoken(self):
        weir = self.in_front_of(self.mute(), **settings.client_timeouts(body="500ms"))
        client = self.client(weir)
        client.send(request_bytes("POST", "/", fields=UPLOAD) + b"begun")
        self.assertEqual(408, client.response().status)
        with H2Client(weir.address) as client:
            stream = client.begin("POST", "/", {"content-type": "text/plain"})
            client.send_data(stream, b"begun", end=False)
            self.assertEqual(408, client.response(stream).status)

    def paced(self, route=None, **grpc):
        """An HTTP/2 endpoint that answers /early as gRPC at once, and nothing else; two routes to it."""
        def script(connection):
            server = H2Server(connection)
            while True:
                stream, message = server.request()
                if dict(message.fields)[":path"].endswith("/early"):
                    server.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        upstream = settings.upstream(self.scripted(script)) | {"protocol": "http2"}
        limits = settings.client_limits(body_rate="100KiB")
        return self.weir({**limits, "upstreams": {"api": upstream}, "routes": [
            settings.route("/granted", "api", grpc=True), settings.route("/", "api")]})

    def begin(self, client, path):
        stream = client.begin("POST", path, CALL)
        client.send_data(stream, b"\0\0\0\0\1x", end=False)
        return stream

    def test_body_rate_holds_until_the_endpoint_has_answered_as_grpc_or_the_route_says_grpc(self):
        weir = self.paced()
        with H2Client(weir.address) as client:
            early, granted = self.begin(client, "/early"), self.begin(client, "/granted/late")
            self.assertEqual(200, client.head(early).status)
            late = self.begin(client, "/late")
            told = client.response(late)
            self.assertEqual("request_timeout", weir.log_of("/late")[0]["error"]["code"])
            self.assertIn("too slowly", dict(told.fields)["grpc-message"])
            self.assertFalse(client.message(early).is_over)
            self.assertFalse(client.message(granted).is_over)
            for stream in (early, granted):
                client.send_reset(stream, CANCEL)

    def test_body_rate_holds_for_http1(self):
        weir = self.paced()
        client = self.client(weir)
        client.send(request_bytes("POST", "/late", fields=UPLOAD) + b"begun")
        self.assertEqual(408, client.response().status)


if __name__ == "__main__":
    unittest.main()
