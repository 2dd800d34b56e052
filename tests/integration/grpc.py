"""gRPC through Weir: server and client are grpc-js; what is called for is written in node/."""

import base64
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

from certificates import Authority
from grpc_peers import GrpcClient, GrpcServer
from harness import WeirCase, free_address, settings

RAW = "000102fdfeff"
SENT = {"text": ["plain"], "raw": [RAW]}
OK, CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION, UNIMPLEMENTED, UNAVAILABLE = 0, 1, 4, 9, 12, 14
WEB, WEB_TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"


class GrpcCase(WeirCase):
    @classmethod
    def setUpClass(cls):
        cls.files = tempfile.mkdtemp(prefix="weir-grpc-")
        cls.addClassCleanup(shutil.rmtree, cls.files, ignore_errors=True)
        cls.authority = Authority(cls.files)
        cls.site = cls.authority.issue("a.test", name="site")

    def serving(self, *filters, upstream=None, **route):
        """A gRPC server, and Weir in front of it: in the clear and by TLS."""
        self.server = self._kept(GrpcServer())
        return self.weir({
            "listeners": [settings.listener(free_address()),
                          settings.listener(free_address(), tls={"certificates": [self.site.yaml()]})],
            "upstreams": {"api": settings.upstream(self.server) | {"protocol": "http2"} | (upstream or {})},
            "routes": [settings.route("/", "api", "all", filters=list(filters), **route)],
        })

    def client(self, weir, call, tls=False):
        address, ca = (weir.addresses[1], self.authority.ca) if tls else (weir.address, None)
        return self._kept(GrpcClient(address, call, ca))

    def call(self, weir, call, **how):
        return self.client(weir, call, **how).next()


class Calls(GrpcCase):
    def test_unary_with_metadata_both_ways(self):
        weir = self.serving()
        for tls in (False, True):
            with self.subTest(tls=tls):
                told = self.call(weir, "unary", tls=tls)
                self.assertEqual("hello", told["answer"])
                self.assertEqual(SENT, told["head"])
                self.assertEqual({"code": OK, "metadata": SENT}, told["status"])
        self.assertEqual(OK, weir.log_of("/test.Service/Echo")[0]["grpc_status"])

    def test_messages_of_a_megabyte(self):
        weir = self.serving()
        for tls in (False, True):
            self.assertTrue(self.call(weir, "large", tls=tls)["same"])

    def test_the_client_streams(self):
        self.assertEqual({"messages": 1000, "bytes": 100_000}, self.call(self.serving(), "collect"))

    def test_the_server_streams(self):
        told = self.call(self.serving(), "count")
        self.assertEqual(list(range(1000)), told["messages"])
        self.assertEqual(OK, told["code"])

    def test_both_stream_in_turns_and_at_once(self):
        weir = self.serving()
        for tls in (False, True):
            self.assertEqual({"code": OK, "got": 200}, self.call(weir, "chat", tls=tls))

    def test_a_hundred_streams_at_once(self):
        weir = self.serving()
        for tls in (False, True):
            self.assertEqual(100, self.call(weir, "many", tls=tls)["good"])

    def test_an_error_of_the_servers_own_arrives_whole(self):
        weir = self.serving()
        error = self.call(weir, "fail")["error"]
        self.assertEqual((FAILED_PRECONDITION, "not now: 100 % über"), (error["code"], error["details"]))
        self.assertEqual(SENT, error["metadata"])
        self.assertEqual(FAILED_PRECONDITION, weir.log_of("/test.Service/Echo")[0]["grpc_status"])

    def test_a_stream_lives_over_reloads(self):
        weir = self.serving()
        client = self.client(weir, "talk")
        for turn in range(10):
            client.tell(f"before {turn}")
            self.assertEqual(f"before {turn}", client.next()["message"])
            weir.reload()
        client.tell("after")
        self.assertEqual("after", client.next()["message"])
        client.hang_up()
        self.assertEqual(OK, client.next()["code"])

    def test_a_stream_may_be_silent_for_longer_than_a_response(self):
        short = {"timeouts": {"response": "100ms", "between_bytes": "100ms"}}
        weir = self.serving(upstream=short)
        client = self.client(weir, "talk")
        self.server.next(event="begun")
        with self.assertRaises(subprocess.TimeoutExpired):
            client.process.wait(0.5)
        client.tell("still here")
        self.assertEqual("still here", client.next()["message"])
        client.hang_up()
        self.assertEqual(OK, client.next()["code"])


class Ends(GrpcCase):
    def test_a_cancel_reaches_the_server(self):
        weir = self.serving()
        self.assertEqual(CANCELLED, self.call(weir, "cancel")["code"])
        self.assertEqual("chat", self.server.next(event="cancelled")["method"])

    def test_a_client_that_dies_cancels(self):
        weir = self.serving()
        client = self.client(weir, "endless")
        self.assertEqual(0, client.next()["message"])
        client.process.kill()
        self.assertEqual("count", self.server.next(event="cancelled")["method"])

    def test_a_deadline_of_the_clients(self):
        weir = self.serving()
        self.assertEqual(DEADLINE_EXCEEDED, self.call(weir, "deadline")["error"]["code"])
        self.assertLess(self.server.next(event="begun")["deadline"], 301)
        self.server.next(event="cancelled")

    def test_weir_keeps_the_deadline_that_is_asked_for(self):
        weir, words = self.serving(), set()
        for call in range(1, 9):                    # the server knows the deadline, too, and may be the first to say so
            self.assertEqual(DEADLINE_EXCEEDED, self.call(weir, "bare_deadline")["error"]["code"])
            line = weir.log_of("/test.Service/Echo", count=call)[-1]
            self.assertEqual(DEADLINE_EXCEEDED, line["grpc_status"])
            self.server.next(event="cancelled")
            words.add(line.get("error", {}).get("code"))
            if "total_timeout" in words:
                return
        self.fail(words)

    def test_the_routes_timeout_is_a_deadline_too(self):
        weir = self.serving(timeout="200ms")
        self.assertEqual(DEADLINE_EXCEEDED, self.call(weir, "hang")["error"]["code"])
        self.server.next(event="cancelled")

    def test_a_deadline_in_the_middle_of_a_stream_is_told_by_trailers(self):
        weir, words = self.serving(), set()
        for _ in range(8):                          # the server knows the deadline, too, and may be the first to say so
            told = self.call(weir, "count_then_hang")
            self.assertEqual(([0, 1, 2], DEADLINE_EXCEEDED), (told["messages"], told["code"]))
            words.add(told["details"])
            if "the time for the whole request ran out" in words:
                return
        self.fail(words)

    def test_a_server_that_dies_in_the_middle_of_a_stream_is_unavailable(self):
        weir = self.serving()
        client = self.client(weir, "endless")
        self.assertEqual(0, client.next()["message"])
        self.server.process.kill()
        self.assertEqual(UNAVAILABLE, client.next(code=UNAVAILABLE)["code"])

    def test_a_server_that_is_down_is_unavailable(self):
        weir = self.serving()
        self.server.stop()
        for tls in (False, True):
            error = self.call(weir, "hang", tls=tls)["error"]
            self.assertEqual(UNAVAILABLE, error["code"])
            self.assertIn("refused", error["details"])

    def test_no_route_is_unimplemented(self):
        weir = self.weir({"routes": [settings.route("/elsewhere", "api")], "upstreams": {"api": settings.upstream(free_address())}})
        self.assertEqual(UNIMPLEMENTED, self.call(weir, "hang")["error"]["code"])


def framed(message, flag=0):
    return struct.pack(">BI", flag, len(message)) + message


def unframed(body):
    """[(flag, message)]"""
    frames = []
    while body:
        flag, length = struct.unpack(">BI", body[:5])
        frames.append((flag, body[5:5 + length]))
        body = body[5 + length:]
    return frames


def unpadded(text):
    """What a text of base64 stands for that was padded in pieces."""
    return b"".join(base64.b64decode(text[at:at + 4]) for at in range(0, len(text), 4))


class Web(GrpcCase):
    def post(self, weir, path, body, content_type=WEB, **fields):
        return self.fetch(weir, "POST", path, body=body, fields={"Content-Type": content_type, **fields})

    def status_of(self, frame):
        flag, fields = frame
        self.assertEqual(0x80, flag)
        return int(dict(line.split(": ", 1) for line in fields.decode().split("\r\n") if line)["grpc-status"])

    def test_unary(self):
        response = self.post(self.serving("grpc_web"), "/test.Service/Echo", framed(b"hello"))
        self.assertEqual((200, WEB), (response.status, response.get("content-type")))
        message, end = unframed(response.body)
        self.assertEqual((0, b"hello"), message)
        self.assertEqual(OK, self.status_of(end))

    def test_in_base64(self):
        text = base64.b64encode(framed(b"hello"))
        response = self.post(self.serving("grpc_web"), "/test.Service/Echo", text, WEB_TEXT)
        self.assertEqual(WEB_TEXT, response.get("content-type"))
        message, end = unframed(unpadded(response.body))
        self.assertEqual((0, b"hello"), message)
        self.assertEqual(OK, self.status_of(end))

    def test_a_megabyte_in_base64(self):
        large = os.urandom(1 << 20)
        response = self.post(self.serving("grpc_web"), "/test.Service/Echo", base64.b64encode(framed(large)), WEB_TEXT)
        message, end = unframed(unpadded(response.body))
        self.assertEqual((0, large), message)

    def test_the_server_streams_and_its_metadata_comes_last(self):
        response = self.post(self.serving("grpc_web"), "/test.Service/Count", framed(b'{"to": 50}'), **{"x-raw-bin": "AQI="})
        *messages, end = unframed(response.body)
        self.assertEqual([str(i).encode() for i in range(50)], [message for _, message in messages])
        self.assertIn(b"x-raw-bin: AQI=\r\n", end[1])

    def test_an_error_without_messages_is_in_the_head(self):
        response = self.post(self.serving("grpc_web"), "/test.Service/Echo", framed(b"x"), **{"x-do": "fail"})
        self.assertEqual((200, str(FAILED_PRECONDITION), b""),
                         (response.status, response.get("grpc-status"), response.body))

    def test_errors_of_weirs_own(self):
        weir = self.serving("grpc_web")
        bad = self.post(weir, "/test.Service/Echo", b"no base64!", WEB_TEXT)
        self.assertEqual((200, "13", WEB_TEXT), (bad.status, bad.get("grpc-status"), bad.get("content-type")))
        self.server.stop()
        down = self.post(weir, "/test.Service/Echo", framed(b"x"))
        self.assertEqual((200, str(UNAVAILABLE), WEB), (down.status, down.get("grpc-status"), down.get("content-type")))
        self.assertIn("connection_refused", down.get("proxy-status"))

    def test_a_deadline(self):
        weir = self.serving("grpc_web")
        late = self.post(weir, "/test.Service/Echo", framed(b"x"), **{"x-do": "hang", "grpc-timeout": "200m"})
        self.assertEqual(str(DEADLINE_EXCEEDED), late.get("grpc-status"))
        cut = self.post(weir, "/test.Service/Count", framed(b'{"to": 2, "then": "hang"}'), **{"grpc-timeout": "200m"})
        self.assertEqual(DEADLINE_EXCEEDED, self.status_of(unframed(cut.body)[-1]))

    def test_grpc_itself_passes(self):
        weir = self.serving("grpc_web")
        self.assertEqual({"code": OK, "got": 200}, self.call(weir, "chat"))


if __name__ == "__main__":
    unittest.main()
