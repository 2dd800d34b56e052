"""Endpoints that misbehave at random, and clients that leave at random: a response that arrives whole is the right one, and
nothing is left behind."""

import random
import time
import unittest

from backend import ok
from h2_wire import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, REFUSED_STREAM, RST_STREAM, H2Client, H2Server,
                     block, frame, number)
from harness import WeirCase, eventually, settings
from wire import Closed, Cut, Malformed, RawClient, request_bytes

SECONDS = 4
CLIENTS = 6
ENDED = (Closed, Cut, Malformed, OSError, AssertionError)


class Misbehaving(WeirCase):
    def setUp(self):
        self.seed = random.randrange(1 << 30)
        self.until = time.monotonic() + SECONDS

    # -- endpoints: a whole response has the request's path as its body

    def http1(self, connection):
        chance = random.Random(self.seed + connection.index)
        while True:
            path = connection.request().target.encode()
            deed = chance.randrange(12)
            if deed == 0:
                connection.wait_closed()
            elif deed == 1:
                return connection.reset()
            elif deed == 2:
                return connection.send(ok(path))
            elif deed == 3:
                return connection.send(ok(path)[:-1])
            elif deed == 4:
                connection.send(ok(path) + ok(b"poison"))
            elif deed == 5:
                connection.send(b"HTTP/1.1 103 Early\r\n\r\n" + ok(path), fragment=7)
            else:
                connection.send(ok(path))

    def http2(self, connection):
        chance = random.Random(self.seed + connection.index)
        if chance.randrange(8) == 0:
            connection.wait_closed()                # not even SETTINGS
            return
        server = H2Server(connection)
        while True:
            stream, request = server.request()
            self.misbehave(server, stream, request.get(":path").encode(), chance)

    def misbehave(self, server, stream, path, chance):
        head = frame(HEADERS, block([(":status", "200")]), END_HEADERS, stream)
        body = frame(DATA, path, END_STREAM, stream)
        deed = chance.randrange(14)
        if deed == 0:
            server.send_reset(stream, chance.choice((NO_ERROR, REFUSED_STREAM)))
        elif deed == 1:
            server.send(head)
        elif deed == 2:
            server.send(head + frame(DATA, path[:-1], 0, stream) + frame(RST_STREAM, number(NO_ERROR), stream=stream))
        elif deed == 3:
            server.send(head + body + frame(GOAWAY, number(chance.choice((0, stream))) + number(NO_ERROR)))
        elif deed == 4:
            server.send(head + body + frame(RST_STREAM, number(NO_ERROR), stream=stream))
        elif deed == 5:
            server.abort()
            raise Closed("by ourselves")
        elif deed == 6:
            while server.sock.recv(1 << 16):        # silent from here on
                pass
            raise Closed("by Weir")
        elif deed == 7:
            server.send(head + body + frame(HEADERS, block([(":status", "200")]), END_HEADERS, stream + 2))
        elif deed != 8:
            server.send(head + body)

    # -- clients

    def ask(self, weir, index):
        chance, right, number_of = random.Random(self.seed + 1000 + index), 0, 0
        while time.monotonic() < self.until:
            session = self.session1 if chance.randrange(2) else self.session2
            try:
                right += session(weir, chance, f"/{index}/{number_of}")
            except Wrong:
                raise
            except ENDED:
                pass
            number_of += 1
        return right

    def session1(self, weir, chance, name):
        right = 0
        with RawClient(weir.address) as client:
            for i in range(4):
                client.send(request_bytes(chance.choice(("GET", "PUT")), f"{name}/{i}", body=b""))
                if chance.randrange(8) == 0:
                    return right
                right += self.check(client.response(), f"{name}/{i}")
        return right

    def session2(self, weir, chance, name):
        right = 0
        with H2Client(weir.address) as client:
            streams = [(client.ask(chance.choice(("GET", "PUT")), f"{name}/{i}"), f"{name}/{i}") for i in range(4)]
            for stream, path in streams:
                if chance.randrange(8) == 0:
                    client.send_reset(stream)
                else:
                    response = client.response(stream)
                    if response.complete:
                        right += self.check(response, path)
        return right

    def check(self, response, path):
        if response.status == 200 and bytes(response.body) != path.encode():
            raise Wrong(f"seed {self.seed}: {path} got {response}")
        return response.status == 200

    def assert_survived(self, script, **upstream):
        backend = self.scripted(script)
        timeouts = settings.upstream_timeouts(response="300ms", read="300ms", connect="500ms", idle="1s")
        block = settings.upstream(backend, **timeouts) | upstream
        weir = self.weir({"upstreams": {"api": block}, "routes": [settings.route(
            "/", "api", filters=[settings.retry(attempts=2, on=["reset", "timeout"], **settings.ample())])]})
        asking = [self.in_background(self.ask, weir, index) for index in range(CLIENTS)]
        right = sum(client.result() for client in asking)
        self.assertGreater(right, 20, f"seed {self.seed}")
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        eventually(lambda: weir.metric("weir_endpoint_connections") == 0, "no connection left")
        eventually(lambda: weir.metric("weir_endpoint_active_requests") == 0, "no attempt left")

    def test_http1(self):
        self.assert_survived(self.http1)

    def test_http2(self):
        self.assert_survived(self.http2, protocol="http2", http2={"ping_timeout": "200ms"})

    def test_http2_with_keep_alive_pings(self):
        self.assert_survived(self.http2, protocol="http2", http2={"ping_timeout": "200ms", "ping_interval": "1s"})


class Wrong(Exception):
    pass


if __name__ == "__main__":
    unittest.main()
