"""What two servers could read differently is refused, and no byte of it reaches a backend."""

import unittest

from backend import HttpBackend
from harness import SharedWeirCase, eventually, settings
from wire import RawClient, chunked, request_bytes

HOST = b"Host: weir.test\r\n"
GET = b"GET /v HTTP/1.1\r\n" + HOST
POST = b"POST /v HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"\r\n"
BAD, UNIMPLEMENTED = (400,), (501,)
BAD_VERSION = (400, 505)                            # RFC 9110 15.6.6; both say it

REFUSED_HEADS = {
    # 1-4: Transfer-Encoding
    "TE with CL": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    "CL after TE": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", BAD),
    "TE not chunked at the end": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", (400, 501)),
    "unknown coding": (POST + b"Transfer-Encoding: squeeze\r\n\r\n0\r\n\r\n", UNIMPLEMENTED),
    "unknown coding, then chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (400, 501)),
    "TE on HTTP/1.0": (b"POST /v HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    "two TE fields": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", BAD),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BAD),
    "an empty coding before chunked": (POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", BAD),
    "a parameter on chunked": (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", (400, 501)),
    "vertical tab before chunked": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", BAD),
    "quoted chunked": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', (400, 501)),
    "an empty TE": (POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n", BAD),
    # 5: Content-Length
    **{f"CL {value!r}": (POST + b"Content-Length: " + value + b"\r\n\r\nabc", BAD) for value in
       (b"", b"+3", b"-3", b"0x3", b"1_0", b"3 3", b"3,3", b"3, 3", b"3.0", b"three", b"99999999999999999999999", b"\xb2")},
    "CL twice, equal": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", BAD),
    "CL twice, different": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", BAD),
    # 7: line ends
    "a bare CR in a value": (GET + b"X-A: a\rb\r\n\r\n", BAD),
    "a bare CR as a line end": (b"GET /v HTTP/1.1\r\nHost: weir.test\rX-A: b\r\n\r\n", BAD),
    "a bare CR in the request line": (b"GET /v HTTP/1.1\r" + HOST + END, BAD),
    "a bare LF after the request line": (b"GET /v HTTP/1.1\n" + HOST + END, BAD),
    "a bare LF after a field": (GET + b"X-A: b\n\r\n", BAD),
    "a bare LF at the end of the head": (GET + b"\n", BAD),
    # 8-11: fields
    "NUL in a value": (GET + b"X-A: a\0b\r\n\r\n", BAD),
    "a control byte in a value": (GET + b"X-A: a\x01b\r\n\r\n", BAD),
    "DEL in a value": (GET + b"X-A: a\x7fb\r\n\r\n", BAD),
    "NUL in a name": (GET + b"X\0A: b\r\n\r\n", BAD),
    "an empty field name": (GET + b": b\r\n\r\n", BAD),
    "a name that is no token": (GET + b"X(A): b\r\n\r\n", BAD),
    "an 8-bit name": (GET + b"X-\xe4: b\r\n\r\n", BAD),
    "a line without a colon": (GET + b"X-A\r\n\r\n", BAD),
    "Host : a": (b"GET /v HTTP/1.1\r\nHost : a\r\n\r\n", BAD),
    "a tab before the colon": (GET + b"X-A\t: b\r\n\r\n", BAD),
    "a space before the first field": (b"GET /v HTTP/1.1\r\n " + HOST + END, BAD),
    "obs-fold by a space": (GET + b"X-A: a\r\n b\r\n\r\n", BAD),
    "obs-fold by a tab": (GET + b"X-A: a\r\n\tb\r\n\r\n", BAD),
    # 12: Host
    "no Host": (b"GET /v HTTP/1.1\r\n\r\n", BAD),
    "two Hosts": (GET + HOST + END, BAD),
    "two different Hosts": (GET + b"Host: other\r\n\r\n", BAD),
    **{f"Host {value!r}": (b"GET /v HTTP/1.1\r\nHost: " + value + b"\r\n\r\n", BAD) for value in
       (b"a b", b"a/b", b"user@a", b"a:b", b"a:99999", b"[::1", b"a?b", b"a#b", b"\xe4")},
    # 13: the target
    "a tab in the target": (b"GET /v\tx HTTP/1.1\r\n" + HOST + END, BAD),
    "8-bit in the target": (b"GET /v\xe4 HTTP/1.1\r\n" + HOST + END, BAD),
    "a control byte in the target": (b"GET /v\x01 HTTP/1.1\r\n" + HOST + END, BAD),
    "NUL in the target": (b"GET /v\0 HTTP/1.1\r\n" + HOST + END, BAD),
    "a fragment in the target": (b"GET /v#x HTTP/1.1\r\n" + HOST + END, BAD),
    "a space in the target": (b"GET /v x HTTP/1.1\r\n" + HOST + END, BAD),
    "an asterisk for GET": (b"GET * HTTP/1.1\r\n" + HOST + END, BAD),
    "authority form for GET": (b"GET weir.test:80 HTTP/1.1\r\n" + HOST + END, BAD),
    "userinfo in the target": (b"GET http://u@weir.test/v HTTP/1.1\r\n" + HOST + END, BAD),
    "an absolute target without host": (b"GET http:///v HTTP/1.1\r\n" + HOST + END, BAD),
    "a target without slash": (b"GET v HTTP/1.1\r\n" + HOST + END, BAD),
    # 14: method and version
    "HTTP/0.9": (b"GET /v\r\n\r\n", BAD_VERSION),
    "HTTP/0.9 spelled out": (b"GET /v HTTP/0.9\r\n" + HOST + END, BAD_VERSION),
    "HTTP/2.0": (b"GET /v HTTP/2.0\r\n" + HOST + END, BAD_VERSION),
    "HTTP/1.32": (b"GET /v HTTP/1.32\r\n" + HOST + END, BAD_VERSION),
    "HTTP/1.2": (b"GET /v HTTP/1.2\r\n" + HOST + END, BAD_VERSION),
    "HTTP/01.1": (b"GET /v HTTP/01.1\r\n" + HOST + END, BAD_VERSION),
    "http/1.1": (b"GET /v http/1.1\r\n" + HOST + END, BAD_VERSION),
    "RTSP/1.0": (b"OPTIONS /v RTSP/1.0\r\n" + HOST + END, BAD_VERSION),
    "ICE/1.0": (b"SOURCE /v ICE/1.0\r\n" + HOST + END, BAD_VERSION + UNIMPLEMENTED),
    "a broken preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", BAD_VERSION),
    "an unknown method": (b"BREW /v HTTP/1.1\r\n" + HOST + END, UNIMPLEMENTED),
    "a method that is no token": (b"G@T /v HTTP/1.1\r\n" + HOST + END, BAD + UNIMPLEMENTED),
    "a method in lower case": (b"get /v HTTP/1.1\r\n" + HOST + END, BAD + UNIMPLEMENTED),
    "two spaces before the target": (b"GET  /v HTTP/1.1\r\n" + HOST + END, BAD),
    "two spaces before the version": (b"GET /v  HTTP/1.1\r\n" + HOST + END, BAD),
    "a tab in the request line": (b"GET\t/v HTTP/1.1\r\n" + HOST + END, BAD),
    "a space after the version": (b"GET /v HTTP/1.1 \r\n" + HOST + END, BAD),
    "a space before the method": (b" GET /v HTTP/1.1\r\n" + HOST + END, BAD),
    # 15: empty lines
    "three leading CRLF": (b"\r\n\r\n\r\n" + GET + END, BAD),
    "a leading LF": (b"\n" + GET + END, BAD),
}

REFUSED_CHUNKS = {
    **{f"chunk size {size!r}": CHUNKED + size + b"\r\nabc\r\n0\r\n\r\n" for size in
       (b"+3", b"-3", b"0x3", b" 3", b"3 ", b"3\t", b"_3", b"3_", b"", b"g", b"\xb3", b"00000000000000003", b"fffffffffffffffff")},
    "chunk data without CRLF": CHUNKED + b"3\r\nabc0\r\n\r\n",
    "chunk data with LF": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "chunk data one byte longer": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "chunk size with LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "chunk size with a bare CR": CHUNKED + b"3\rabc\r\n0\r\n\r\n",
    "a bare LF in an extension": CHUNKED + b"3;a=\nb\r\nabc\r\n0\r\n\r\n",
    "a bare CR in an extension": CHUNKED + b"3;a=\rb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"3;a=\0\r\nabc\r\n0\r\n\r\n",
    "extensions without end": CHUNKED + b"".join(b"1;e=" + b"x" * 500 + b"\r\na\r\n" for _ in range(12)) + b"0\r\n\r\n",
    "a last chunk with LF": CHUNKED + b"3\r\nabc\r\n0\n\r\n",
    "a folded trailer": CHUNKED + b"3\r\nabc\r\n0\r\nX-A: a\r\n b\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"3\r\nabc\r\n0\r\nX-A\r\n\r\n",
    "a trailer with a space before the colon": CHUNKED + b"3\r\nabc\r\n0\r\nX-A : a\r\n\r\n",
}


class Strictness(SharedWeirCase):
    @classmethod
    def serve(cls):
        backends = {"victim": HttpBackend("victim"), "alive": HttpBackend("alive")}
        return backends, {
            "upstreams": {name: settings.upstream(backend) for name, backend in backends.items()},
            "routes": [settings.route("/alive", "alive"), settings.route("/", "victim")],
        }

    def setUp(self):
        self.victim = self.backends["victim"]

    def assert_alive(self):
        self.assertEqual("alive", self.fetch(self.shared, target="/alive").json()["backend"])

    def refuse(self, wire, statuses, fragment=None):
        """Refused with one of `statuses`, closed, and not a byte of it at the backend."""
        seen = len(self.victim.received)
        with RawClient(self.shared.address, timeout=5) as client:
            try:
                client.send(wire, fragment)
            except (BrokenPipeError, ConnectionResetError):
                pass                                 # refused before all of it was sent
            self.assert_refused(client, *statuses)
        self.assertEqual(b"", self.victim.received[seen:])

    def test_heads_are_refused_untouched(self):
        for name, (wire, statuses) in REFUSED_HEADS.items():
            with self.subTest(name):
                self.refuse(wire, statuses)
                self.assert_alive()

    def test_heads_are_refused_in_any_fragments(self):
        for name, (wire, statuses) in REFUSED_HEADS.items():
            for fragment in (1, 7):
                with self.subTest(name, fragment=fragment):
                    self.refuse(wire, statuses, fragment)

    def test_broken_chunks_that_came_with_their_head_are_refused_untouched(self):
        for name, wire in REFUSED_CHUNKS.items():
            with self.subTest(name):
                self.refuse(wire, BAD)
                self.assert_alive()

    def test_what_follows_a_refused_request_is_never_read(self):
        for name, (wire, statuses) in REFUSED_HEADS.items():
            with self.subTest(name):
                self.refuse(wire + b"\r\n" + request_bytes(target="/smuggled"), statuses)

    def test_what_comes_after_the_refusal_was_told_is_dropped(self):
        seen = len(self.victim.received)
        with RawClient(self.shared.address, timeout=5) as client:
            client.send(GET + HOST + END)
            self.assertEqual(400, client.response().status)
            for _ in range(3):
                try:
                    client.send(request_bytes(target="/late"))
                except (BrokenPipeError, ConnectionResetError):
                    break
            self.assertTrue(client.is_closed(), "a second answer")
        self.assert_alive()
        self.assertEqual(b"", self.victim.received[seen:])

    def test_what_is_pipelined_before_a_refused_request_is_answered(self):
        seen = len(self.victim.requests)
        with RawClient(self.shared.address, timeout=5) as client:
            client.send(request_bytes(target="/first") + GET + HOST + END + request_bytes(target="/smuggled"))
            self.assertEqual(200, client.response().status)
            self.assert_refused(client, 400)
        self.assertEqual(["/first"], [request.target for request in self.victim.requests[seen:]])

    def test_connect_opens_no_tunnel(self):
        client = self.client(self.shared)
        client.send(b"CONNECT weir.test:443 HTTP/1.1\r\nHost: weir.test:443\r\n\r\n")
        self.assertIn(client.response().status, (400, 403, 404, 405, 501))
        self.assertNotIn(b"CONNECT", self.victim.received)

    def test_refusals_are_counted_as_the_client_s(self):
        before = self.shared.metric(settings.FAILURES)
        self.refuse(GET + HOST + END, BAD)
        eventually(lambda: self.shared.metric(settings.FAILURES) == before + 1, "the refusal counted")


class LateFaults(SharedWeirCase):
    """Faults in a body whose head has gone on already: the backend never sees a complete request."""

    serve = Strictness.serve

    def begin(self, wire, until):
        """Sends it, and waits until `until` has reached the backend on a connection of its own."""
        victim = self.backends["victim"]
        known, complete = len(victim.connections), len(victim.requests)
        client = self.client(self.shared)
        client.send(wire)
        eventually(lambda: any(until in connection.received for connection in victim.connections[known:]), f"{until} forwarded")
        return client, victim.connections[known], lambda: self.assertEqual(complete, len(victim.requests))

    def test_a_broken_chunk_never_completes_the_request(self):
        for name, wire in REFUSED_CHUNKS.items():
            with self.subTest(name):
                client, _, assert_incomplete = self.begin(CHUNKED + b"5\r\nhello\r\n", until=b"hello")
                client.send(wire[len(CHUNKED):])
                self.assert_refused(client, 400)
                assert_incomplete()
                client.close()

    def test_a_body_cut_short_never_completes_the_request(self):
        for fields, part in (({"Content-Length": "10"}, b"cut"), ({"Transfer-Encoding": "chunked"}, b"3\r\ncut\r\n5\r\nx")):
            with self.subTest(fields):
                client, connection, assert_incomplete = self.begin(request_bytes("POST", "/v", fields) + part, until=b"cut")
                client.half_close()
                self.assertTrue(connection.ended.wait(10), "the backend's connection stayed open")
                assert_incomplete()
                client.close()


class Accepted(SharedWeirCase):
    """The lawful neighbours of what is refused."""

    serve = Strictness.serve

    def test_lawful_requests_pass(self):
        lawful = {
            "no Host on 1.0": b"GET /v HTTP/1.0\r\n\r\n",
            "an absolute target": b"GET http://weir.test/v HTTP/1.1\r\n" + HOST + END,
            "OPTIONS *": b"OPTIONS * HTTP/1.1\r\n" + HOST + END,
            "an empty value": GET + b"X-A:\r\n\r\n",
            "tabs and 8-bit in a value": GET + b"X-A:\ta\tb \xe4 \r\n\r\n",
            "CHUNKED in upper case": POST + b"transfer-encoding: CHUNKED\r\n\r\n" + chunked(b"abc"),
            "chunk size with zeros": CHUNKED + b"0003\r\nabc\r\n000\r\n\r\n",
            "a quoted extension": CHUNKED + b'3;a="b;c"\r\nabc\r\n0\r\n\r\n',
            "Host with a port": b"GET /v HTTP/1.1\r\nHost: weir.test:8080\r\n\r\n",
            "Host as IPv6": b"GET /v HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
            "zero length": POST + b"Content-Length: 0\r\n\r\n",
        }
        for name, wire in lawful.items():
            with self.subTest(name):
                client = self.client(self.shared)
                client.send(wire)
                self.assertEqual(200, client.response().status)

    def test_an_upgrade_we_do_not_know_is_an_ordinary_request(self):
        account = self.fetch(self.shared, fields={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
                                                  "HTTP2-Settings": "AAMAAABk"}).json()
        names = {name.lower() for name, _ in account["fields"]}
        self.assertFalse(names & {"upgrade", "http2-settings"})


if __name__ == "__main__":
    unittest.main()
