"""A request's scheme is that of its connection, or of a trusted proxy; never the request's own word."""

import json
import ssl
import unittest

import tls
from h2_wire import H2Client, H2Server
from harness import settings
from settings import route


class EchoServer:
    """Answers with the pseudo-fields and fields that it was sent."""

    def __init__(self, context=None):
        self.context = context

    def __call__(self, connection):
        if self.context:
            connection.sock = self.context.wrap_socket(connection.sock, server_side=True)
            connection.stream.sock = connection.sock
        server = H2Server(connection)
        while True:
            stream, request = server.request()
            server.answer(stream, json.dumps(list(request.fields)).encode())


def told(response):
    return dict(json.loads(bytes(response.body)))


class RequestScheme(tls.TlsCase):
    def in_front_of_h2(self, context=None, upstream=None, **config):
        backend = self.scripted(EchoServer(context))
        return self.in_front_of(backend, **{"upstreams": {
            "api": settings.upstream(backend) | {"protocol": "http2"} | (upstream or {})}, **config})

    def plain(self, **config):
        return self.in_front_of_h2(**config, routes=[
            route("/redirect", redirect={"to": "{scheme}://{host}/new"}), route({"path": "/port", "host": "a.test:80"}, respond={"status": 204}),
            route("/", "api")])

    def ask2(self, weir, target, scheme, fields=(), host="a.test"):
        client = H2Client(weir.address)
        self.addCleanup(client.close)
        return client.request(target=target, scheme=scheme, fields=fields, host=host)

    def test_a_plain_client_that_says_https_stays_plain(self):
        weir = self.plain()
        response = self.ask2(weir, "/", "https")
        self.assertEqual(("http", "http"), (told(response)[":scheme"], told(response)["x-forwarded-proto"]))
        response = self.fetch(weir, target="https://a.test/")
        self.assertEqual(("http", "http"), (told(response)[":scheme"], told(response)["x-forwarded-proto"]))

    def test_redirects_and_patterns_follow_the_connection(self):
        weir = self.plain()
        for ask in (lambda target: self.ask2(weir, target, "https"), lambda target: self.fetch(weir, target="https://a.test" + target)):
            self.assertEqual("http://a.test/new", ask("/redirect").get("location"))
            self.assertEqual(204, ask("/port").status)

    def test_a_trusted_proxy_states_the_scheme_of_its_client(self):
        weir = self.plain(**settings.forwarded(trusted_proxies=["127.0.0.1"]))
        fields = {"x-forwarded-proto": "https"}
        self.assertEqual("https://a.test/new", self.ask2(weir, "/redirect", "http", fields).get("location"))
        response = told(self.ask2(weir, "/", "http", fields))
        self.assertEqual(("http", "https"), (response[":scheme"], response["x-forwarded-proto"]))

    def test_a_plain_endpoint_is_told_http_by_a_client_over_tls(self):
        weir = self.in_front_of_h2(listeners=[self.secure()])
        response = told(self.tls(weir).get(host="a.test"))
        self.assertEqual(("http", "https"), (response[":scheme"], response["x-forwarded-proto"]))

    def test_an_endpoint_over_tls_is_told_https_by_a_plain_client(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.site.cert, self.site.key)
        context.set_alpn_protocols(["h2"])
        weir = self.in_front_of_h2(context, {"tls": {"ca": self.authority.ca, "server_name": "a.test"}})
        response = told(self.fetch(weir, host="a.test"))
        self.assertEqual(("https", "http"), (response[":scheme"], response["x-forwarded-proto"]))


if __name__ == "__main__":
    unittest.main()
