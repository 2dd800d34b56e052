"""Reloads under 1,000 WebSockets, long gRPC streams and a load of HTTP/2 requests: none is cut, none fails."""

import re
import subprocess
import time
import unittest

import grpc
from grpc_peers import GrpcClient, GrpcServer
from harness import ReleaseCase, free_address, settings
from load import FastOrigin
from memory import raise_file_limit
from settings import route
from websocket_peers import EchoBackend, WebSocketClient

SOCKETS, CALLS, RELOADS = 1000, 10, 20
SECONDS = 12                                        # of load; the reloads are spread over it
SUMMARY = re.compile(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")


class StreamsUnderReload(ReleaseCase, grpc.GrpcCase):
    def setUp(self):
        super().setUp()
        if raise_file_limit() < 5 * SOCKETS:
            self.skipTest("too few files allowed")
        self.origin = self._kept(FastOrigin(b"x" * 1024))
        self.calls = self._kept(GrpcServer())
        self.echo = self._kept(EchoBackend())
        self.binds = free_address(), free_address()

    def config(self, number):
        plain, secure = self.binds
        return {
            "workers": 2,
            "listeners": [settings.listener(plain), settings.listener(secure, tls={"certificates": [self.site.yaml()]})],
            "upstreams": {"sockets": settings.upstream(self.echo), "requests": settings.upstream(self.origin),
                          "calls": settings.upstream(self.calls) | {"protocol": "http2"}},
            "routes": [settings.answers(404, match=f"/new/{number}"), route("/chat", "sockets", "sockets"),
                       route("/test.Service/", "calls", "calls"), route("/", "requests", "requests")],
            "access_log": {"path": "/dev/null"},
            **settings.client_limits(requests_per_connection=0),
        }

    def load(self, url):
        """h2load for SECONDS; what it says at its end."""
        process = subprocess.Popen(["h2load", "-D", str(SECONDS), "-c", "8", "-m", "10", url], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return lambda: process.communicate(timeout=SECONDS + 20)[0]

    def assert_none_failed(self, told):
        total, done, good, *bad = map(int, SUMMARY.search(told).groups())
        print(f"\nh2load: {done} requests")
        self.assertEqual([0, 0, 0], bad, told)
        self.assertEqual(done, good, told)
        self.assertGreater(done, 1000)

    def echo_over_all(self, sockets, word):
        for socket in sockets:
            socket.say(word)
        for number, socket in enumerate(sockets):
            self.assertEqual(word, socket.hear().payload, f"WebSocket {number}")

    def count_on(self, calls, number):
        for call in calls:
            call.tell(f"{number}")
        for call in calls:
            self.assertEqual({"message": f"{number}"}, call.next())

    def test_twenty_reloads(self):
        weir = self.weir(self.config(0))
        sockets = []
        for _ in range(SOCKETS):
            sockets.append(WebSocketClient(weir.address))
            self.addCleanup(sockets[-1].close)
            self.assertEqual(101, sockets[-1].open("/chat").status)
        calls = [self._kept(GrpcClient(self.binds[number % 2], "talk", self.authority.ca if number % 2 else None))
                 for number in range(CALLS)]
        self.echo_over_all(sockets, b"before")
        self.count_on(calls, 0)
        begun = time.monotonic()
        loads = [self.load(f"http://{self.binds[0]}/"), self.load(f"https://{self.binds[1]}/")]
        for number in range(1, RELOADS + 1):
            time.sleep(max(0, begun + number * SECONDS / (RELOADS + 2) - time.monotonic()))
            weir.reload(self.config(number))
            self.count_on(calls, number)
        self.echo_over_all(sockets, b"after")
        for load in loads:
            self.assert_none_failed(load())
        for call in calls:
            call.hang_up()
            self.assertEqual(0, call.next(code=0)["code"])
        self.assertEqual(RELOADS, weir.reloads()["success"])
        self.assertEqual(SOCKETS, len(self.echo.connections))


if __name__ == "__main__":
    unittest.main()
