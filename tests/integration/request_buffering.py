"""`request_body: buffer`: no endpoint waits for a client's upload; it gets the request whole, with Content-Length."""

import base64
import hashlib
import os
import shutil
import signal
import threading
import time
import unittest

from backend import hangs, ok
from cli import CommandLine
from faults import LIBRARY, Faults
from h2_wire import H2Client, fetch2
from harness import WeirCase, eventually, settings
from settings import ample, concurrency_limit, rate_limit, retry, route
from wire import chunk, chunked, request_bytes

MIB = 1 << 20
BUFFERING = "weir_request_bodies_buffering"
BUFFERED = "weir_request_bodies_buffered_total"
NOT_STORED = "weir_request_bodies_not_stored_total"
FILE_BYTES = "weir_request_body_file_bytes"
DISK_CALLS = "weir_request_body_disk_calls"


def head(size, fields=""):
    return f"POST /upload HTTP/1.1\r\nHost: weir.test\r\nContent-Length: {size}\r\n{fields}\r\n".encode()


def chunked_request(*pieces, target="/upload"):
    return f"POST {target} HTTP/1.1\r\nHost: weir.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunked(*pieces)


class BufferCase(WeirCase):
    def setUp(self):
        self.uploads = self.folder()

    def buffering(self, *backends, filters=(), memory="64KiB", max_size=0, where=None, upstream=None, more=None, **config):
        block = {"mode": "buffer", "memory": memory, "folder": self.uploads} | ({"max_size": max_size} if max_size else {})
        return self.weir({
            "upstreams": {"api": settings.upstream(*backends) | (upstream or {})},
            "routes": [route("/", "api", "all", filters=list(filters), request_body=block, **(more or {}))],
        } | config, **(where or {}))

    def begins(self, weir, data):
        """A client that has sent so much of an upload; Weir is reading it."""
        client = self.client(weir)
        before = weir.metric(BUFFERING, route="all")
        client.send(data)
        eventually(lambda: weir.metric(BUFFERING, route="all") == before + 1, "the upload is being read")
        return client

    def assert_nothing_left(self, weir):
        eventually(lambda: weir.metric(FILE_BYTES, route="all") == 0, "the files are gone")
        eventually(lambda: weir.metric(BUFFERING, route="all") == 0, "nothing is being read")
        self.assertEqual([], os.listdir(self.uploads) if os.path.isdir(self.uploads) else [])


class Uploads(BufferCase):
    def test_no_endpoint_is_asked_until_the_body_is_whole(self):
        backend = self.backend()
        weir = self.buffering(backend)
        client = self.begins(weir, head(6) + b"abc")
        self.assertEqual([], backend.connections)
        client.send(b"def")
        self.assertEqual(200, client.response().status)
        self.assertEqual(b"abcdef", bytes(backend.requests[0].body))
        self.assertEqual(1, weir.metric(BUFFERED, route="all", place="memory"))

    def test_many_slow_uploads_hold_no_endpoint(self):
        backend = self.backend()
        weir = self.buffering(backend, upstream={"endpoints": [{"address": backend.address, "max_connections": 1}], "queue": {"size": 0}})
        slow = [self.begins(weir, head(6) + b"abc") for _ in range(10)]
        self.assertEqual(200, self.fetch(weir).status)
        for client in slow:
            client.send(b"def")
            self.assertEqual(200, client.response().status)

    def test_a_chunked_upload_arrives_with_content_length(self):
        backend = self.backend()
        weir = self.buffering(backend)
        for pieces in ((b"abc", b"de"), ()):
            client = self.client(weir)
            client.send(chunked_request(*pieces))
            self.assertEqual(200, client.response().status)
            request = backend.requests[-1]
            self.assertEqual([str(len(b"".join(pieces)))], request.all("content-length"))
            self.assertEqual([], request.all("transfer-encoding"))
            self.assertEqual(b"".join(pieces), bytes(request.body))

    def test_an_upload_over_http2_arrives_with_content_length(self):
        backend = self.backend()
        weir = self.buffering(backend)
        body = os.urandom(300_000)
        self.assertEqual(200, fetch2(weir.address, "POST", "/upload", body=body, sized=False).status)
        self.assertEqual([str(len(body))], backend.requests[0].all("content-length"))
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(backend.requests[0].body).digest())

    def test_a_large_upload_goes_through_a_file_without_a_name(self):
        backend = self.backend()
        weir = self.buffering(backend)
        body = os.urandom(5 * MIB + 1)
        client = self.begins(weir, head(len(body)) + body[:4 * MIB])
        eventually(lambda: weir.metric(FILE_BYTES, route="all") > 3 * MIB, "the upload is in a file")
        self.assertEqual([], os.listdir(self.uploads))
        client.send(body[4 * MIB:])
        self.assertEqual(200, client.response().status)
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(backend.requests[0].body).digest())
        self.assertEqual(1, weir.metric(BUFFERED, route="all", place="file"))
        self.assert_nothing_left(weir)

    def test_what_memory_holds_needs_no_folder(self):
        backend = self.backend()
        weir = self.buffering(backend, memory="4KiB")
        shutil.rmtree(self.uploads)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 4096).status)
        self.assertEqual(507, self.fetch(weir, "POST", body=b"x" * 4097).status)
        self.assertEqual(1, len(backend.requests))

    def test_a_request_without_a_body_has_none_at_the_endpoint(self):
        backend = self.backend()
        self.fetch(self.buffering(backend))
        self.assertEqual([], backend.requests[0].all("content-length"))

    def test_a_websocket_is_not_waited_for(self):
        def accept(connection):
            key = connection.request_head().get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            connection.send("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Accept: {proof}\r\n\r\n")
            connection.stall()

        client = self.client(self.buffering(self.scripted(accept)))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.assertEqual(101, client.head().status)

    def test_bodies_stream_without_the_setting(self):
        weir = self.in_front_of(self.scripted(hangs))
        client = self.client(weir)
        client.send(head(6) + b"abc")
        eventually(lambda: weir.metric(settings.ENDPOINT_ACTIVE) == 1, "the endpoint is asked at once")


class Clients(BufferCase):
    def test_a_client_that_leaves_leaves_nothing(self):
        backend = self.backend()
        weir = self.buffering(backend)
        client = self.begins(weir, head(9 * MIB) + b"x" * MIB)
        eventually(lambda: weir.metric(FILE_BYTES, route="all") > 0, "the upload is in a file")
        client.reset()
        self.assert_nothing_left(weir)
        self.assertEqual(499, weir.log_of("/upload")[0].status)
        self.assertEqual([], backend.connections)

    def test_a_client_that_gives_up_its_stream_leaves_nothing(self):
        backend = self.backend()
        weir = self.buffering(backend)
        client = H2Client(weir.address)
        self.addCleanup(client.close)
        stream = client.begin("POST", "/upload")
        client.send_data(stream, b"x" * 1000, end=False)
        eventually(lambda: weir.metric(BUFFERING, route="all") == 1, "the upload is being read")
        client.send_reset(stream)
        self.assert_nothing_left(weir)
        self.assertEqual([], backend.connections)

    def test_limits_of_the_body_hold(self):
        backend = self.backend()
        weir = self.buffering(backend, more={"max_body": "100KiB"})
        self.assertEqual(413, self.fetch(weir, "POST", body=b"x" * 100 * 1025).status)
        client = self.client(weir)
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunk(b"x" * 50_000) * 3)
        self.assertEqual(413, client.response().status)
        self.assertEqual([], backend.connections)
        self.assert_nothing_left(weir)

    def test_a_body_is_kept_no_longer_than_it_may_be_needed(self):
        def play(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            connection.stall()

        for filters in ([], [retry(**ample(on=["503"], attempts=3))], [concurrency_limit(9)]):
            with self.subTest(filters=filters):
                weir = self.buffering(self.scripted(play), filters=filters)
                client = self.client(weir)
                client.send(head(MIB) + b"x" * MIB)
                self.assertEqual(200, client.head().status)
                eventually(lambda: weir.metric(FILE_BYTES, route="all") == 0, "the endpoint has the body, and answers")
                self.assertEqual(1, weir.metric(BUFFERED, route="all", place="file"))
                client.close()

    def test_one_client_takes_half_of_the_files_at_most(self):
        weir = self.buffering(self.backend(), where={"launcher": ["prlimit", "--nofile=400:400"]})
        for _ in range(50):                         # a quarter of the descriptors is for files
            self.client(weir).send(head(MIB) + b"x" * 100_000)
        eventually(lambda: weir.metric(FILE_BYTES, route="all") > 50 * 65_536, "50 uploads are in files")
        self.assertEqual(507, self.fetch(weir, "POST", "/more", body=b"x" * 100_000).status)
        self.assertEqual("body_not_stored", weir.log_of("/more")[0]["error"]["code"])
        self.assertEqual(1, weir.metric(NOT_STORED, route="all", step="files"))
        self.assertIn("share of the process", weir.events("request_body_not_stored")[0])
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 1000).status)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 100_000, source="127.0.0.9").status)

    def test_one_client_takes_half_of_max_size_at_most(self):
        weir = self.buffering(self.backend(), max_size="2MiB")
        self.client(weir).send(head(MIB) + b"x" * 900_000)
        eventually(lambda: weir.metric(FILE_BYTES, route="all") > 700_000, "an upload is in a file")
        self.assertEqual(507, self.fetch(weir, "POST", body=b"x" * 500_000).status)
        self.assertEqual(1, weir.metric(NOT_STORED, route="all", step="bytes"))
        self.assertIn("max_size", weir.events("request_body_not_stored")[0])
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 500_000, source="127.0.0.9").status)

    def test_the_route_s_time_ends_an_upload(self):
        backend = self.backend()
        client = self.begins(self.buffering(backend, more={"timeout": "500ms"}), head(6) + b"abc")
        self.assertEqual(408, client.response().status)
        self.assertEqual([], backend.connections)

    def test_a_client_that_is_too_slow_is_told(self):
        backend = self.backend()
        weir = self.buffering(backend, **settings.client_timeouts(body="500ms"))
        client = self.begins(weir, head(6) + b"abc")
        self.assertEqual(408, client.response().status)
        self.assertEqual([], backend.connections)

    def test_a_client_that_waits_for_100_gets_it_before_any_endpoint_is_asked(self):
        backend = self.backend()
        client = self.begins(self.buffering(backend), head(3, "Expect: 100-continue\r\n"))
        self.assertEqual(100, client.head().status)
        self.assertEqual([], backend.connections)
        client.send(b"abc")
        self.assertEqual(200, client.response().status)
        self.assertEqual(b"abc", bytes(backend.requests[0].body))

    def test_who_is_refused_is_asked_for_no_body(self):
        weir = self.buffering(self.backend(), filters=[rate_limit("1/hour")])
        self.fetch(weir)
        client = self.client(weir)
        client.send(head(3, "Expect: 100-continue\r\n"))
        self.assertEqual(429, client.head().status)


class Filters(BufferCase):
    def test_a_retry_sends_a_body_of_any_size_again(self):
        for size, memory in ((2 * MIB, "64KiB"), (2 * MIB, "4MiB"), (10, "64KiB")):
            with self.subTest(size=size, memory=memory):
                bodies = []

                def play(connection, bodies=bodies):
                    bodies.append(bytes(connection.request().body))
                    connection.send(ok(b"fine") if len(bodies) == 3 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

                again = retry(**ample(on=["503"], attempts=3, body="1KiB"))
                weir = self.buffering(self.scripted(play), filters=[again], memory=memory)
                body = os.urandom(size)
                self.assertEqual(200, self.fetch(weir, "PUT", body=body).status)
                self.assertEqual([body] * 3, bodies)
                self.assert_nothing_left(weir)

    def test_slow_uploads_hold_no_place_of_a_limit(self):
        weir = self.buffering(self.backend(), filters=[concurrency_limit(1)])
        slow = [self.begins(weir, head(6) + b"abc") for _ in range(3)]
        self.assertEqual(200, self.fetch(weir).status)
        slow[0].send(b"def")
        self.assertEqual(200, slow[0].response().status)

    def test_a_hedge_sends_a_whole_body_to_a_second_endpoint(self):
        bodies = []

        def slow(connection):
            bodies.append(bytes(connection.request().body))
            connection.stall()

        def quick(connection):
            bodies.append(bytes(connection.request().body))
            connection.send(ok(b"quick"))

        weir = self.buffering(self.scripted(slow), self.scripted(quick), upstream={"balance": "round_robin"},
                              filters=[{"hedge": {"after": "50ms", "body": "1KiB", "budget": {"ratio": "100%", "min": 10}}}])
        body = os.urandom(MIB)
        for _ in range(2):                          # one of them begins at the slow one
            self.assertEqual(b"quick", bytes(self.fetch(weir, "QUERY", fields={"Content-Type": "text/plain"}, body=body).body))
        self.assertEqual({body}, set(bodies))
        self.assert_nothing_left(weir)


class Changes(BufferCase):
    def test_an_upload_that_began_before_a_reload_arrives(self):
        backend = self.backend()
        weir = self.buffering(backend)
        client = self.begins(weir, head(3 * MIB) + b"x" * MIB)
        weir.reload({"upstreams": {"api": settings.upstream(self.backend())}, "routes": [route("/", "api", "other")]})
        client.send(b"x" * 2 * MIB)
        self.assertEqual(200, client.response().status)
        self.assertEqual(3 * MIB, len(backend.requests[0].body))

    def test_an_upload_that_began_before_a_drain_arrives(self):
        backend = self.backend()
        weir = self.buffering(backend, **settings.shutdown(drain_timeout="60s"))
        client = self.begins(weir, head(3 * MIB) + b"x" * MIB)
        weir.signal(signal.SIGTERM)
        eventually(lambda: weir.says("drain"), "the drain has begun")
        client.send(b"x" * 2 * MIB)
        self.assertEqual(200, client.response().status)
        weir.wait()

    def test_a_drain_that_takes_too_long_cuts_the_upload(self):
        weir = self.buffering(self.backend(), **settings.shutdown(drain_timeout="300ms"))
        client = self.begins(weir, head(3 * MIB) + b"x" * MIB)
        weir.signal(signal.SIGTERM)
        self.assertTrue(client.is_closed(within=30))
        weir.wait()


class Disks(BufferCase):
    def setUp(self):
        super().setUp()
        if not LIBRARY:
            self.skipTest("FAULTS_LIBRARY names no library")
        self.faults = Faults(self.folder())

    def with_faults(self, *backends, **config):
        return self.buffering(*backends, where={"environment": self.faults.environment}, **config)

    def test_a_full_disk_is_507_and_hurts_nobody_else(self):
        backend = self.backend()
        weir = self.with_faults(backend)
        self.faults.fail_all("write")
        response = self.fetch(weir, "POST", "/full", body=b"x" * MIB)
        self.assertEqual(507, response.status)
        self.assertEqual("body_not_stored", weir.log_of("/full")[0]["error"]["code"])
        self.assertEqual(1, weir.metric(NOT_STORED, route="all", step="write"))
        self.assertIn("No space left", weir.events("request_body_not_stored")[0])
        self.assertEqual([], backend.requests)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 1000).status)
        self.faults.clear()
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * MIB).status)
        self.assert_nothing_left(weir)

    def test_a_folder_that_takes_no_file_is_507(self):
        weir = self.with_faults(self.backend())
        self.faults.fail_all("open_unnamed")
        self.assertEqual(507, self.fetch(weir, "POST", body=b"x" * MIB).status)
        self.assertEqual(1, weir.metric(NOT_STORED, route="all", step="open"))
        self.assertIn("Permission denied", weir.events("request_body_not_stored")[0])

    def test_a_file_that_cannot_be_read_again_is_507(self):
        weir = self.with_faults(self.backend())
        self.faults.fail_all("pread")
        self.assertEqual(507, self.fetch(weir, "POST", body=b"x" * MIB).status)
        self.assertEqual(1, weir.metric(NOT_STORED, route="all", step="read"))
        self.assert_nothing_left(weir)

    def test_a_disk_that_hangs_stops_no_other_request(self):
        backend = self.backend()
        weir = self.with_faults(backend)
        for call in ("write", "pread"):
            with self.subTest(call):
                self.faults.wait(call, True)
                answer = self.in_background(lambda: self.client(weir, timeout=60).request("POST", "/hangs", body=b"x" * MIB))
                eventually(lambda: weir.metric(FILE_BYTES, route="all") > 0 if call == "pread" else weir.metric(BUFFERING, route="all") == 1,
                           "the upload waits for the disk")
                self.assertEqual([200] * 10, [self.fetch(weir, "POST", body=b"small").status for _ in range(10)])
                self.faults.wait(call, False)
                self.assertEqual(200, answer.result().status)

    def test_a_client_that_leaves_while_the_disk_hangs_leaves_nothing(self):
        weir = self.with_faults(self.backend())
        self.faults.wait("write", True)
        client = self.begins(weir, head(9 * MIB) + b"x" * 100_000)
        client.reset()
        eventually(lambda: weir.metric(BUFFERING, route="all") == 0, "the upload is given up")
        self.faults.wait("write", False)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * MIB).status)
        self.assert_nothing_left(weir)

    def test_clients_that_leave_a_slow_disk_leave_no_work_to_it(self):
        weir = self.with_faults(self.backend(), memory="1MiB")
        self.faults.wait("write", True)
        before = weir.memory()
        for _ in range(150):
            client = self.client(weir)
            client.send(head(9 * MIB) + b"x" * (MIB + 100_000))
            eventually(lambda: weir.metric(DISK_CALLS, route="all") == 1, "the upload waits for the disk")
            client.reset()
            eventually(lambda: weir.metric(BUFFERING, route="all") == 0, "the upload is given up")
        self.assertEqual(0, weir.metric(DISK_CALLS, route="all"))
        self.assertLess(weir.memory() - before, 80_000)
        self.faults.wait("write", False)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * 2 * MIB).status)
        self.assert_nothing_left(weir)

    def test_a_disk_that_hangs_is_not_the_client_s_doing(self):
        for call in ("write", "pread"):
            for more in ({"timeout": "1s"}, {}):    # without one, the disk's own time ends the wait
                with self.subTest(call=call, **more):
                    weir = self.with_faults(self.backend(), more=more, **settings.client_timeouts(body="2s"))
                    self.faults.wait(call, True)
                    self.assertEqual(507, self.client(weir, timeout=60).request("POST", "/hangs", body=b"x" * MIB).status)
                    line = weir.log_of("/hangs")[0]
                    self.assertEqual("body_not_stored", line["error"]["code"])
                    self.assertNotIn("DT", line.flags)
                    self.assertEqual(1, weir.metric(NOT_STORED, route="all", step="read" if call == "pread" else call))
                    self.assertIn("did not respond in time", weir.events("request_body_not_stored")[0])
                    self.faults.wait(call, False)
                    self.assert_nothing_left(weir)

    def test_a_try_that_waits_for_the_disk_is_not_the_client_s_doing(self):
        weir = self.with_faults(self.backend(), filters=[retry(**ample(on=["503"], attempts=3, per_try_timeout="1s"))])
        self.faults.wait("pread", True)
        self.assertEqual(507, self.client(weir, timeout=60).request("PUT", body=b"x" * MIB).status)
        self.faults.wait("pread", False)

    def test_a_disk_that_hangs_holds_up_no_other_folder(self):
        other = self.folder()
        self.faults = Faults(self.folder(), files=self.uploads)
        backend = self.backend()
        routes = [route("/bad", "api", "bad", request_body={"mode": "buffer", "folder": self.uploads}),
                  route("/", "api", "good", request_body={"mode": "buffer", "folder": other})]
        weir = self.weir({"upstreams": {"api": settings.upstream(backend)}, "routes": routes}, environment=self.faults.environment)
        self.faults.wait("write", True)
        for _ in range(10):
            self.client(weir).send(head(9 * MIB).replace(b"/upload", b"/bad") + b"x" * MIB)
        eventually(lambda: weir.metric(DISK_CALLS, route="bad") == 10, "uploads wait for the disk that hangs")
        self.assertEqual([200] * 5, [self.fetch(weir, "POST", body=b"x" * MIB).status for _ in range(5)])
        self.faults.wait("write", False)

    def test_the_process_ends_in_time_while_the_disk_hangs(self):
        weir = self.with_faults(self.backend(), **settings.shutdown(drain_timeout="1s"))
        self.faults.wait("write", True)
        for _ in range(10):
            self.client(weir).send(head(9 * MIB) + b"x" * MIB)
        eventually(lambda: weir.metric(DISK_CALLS, route="all") == 10, "uploads wait for the disk")
        weir.signal(signal.SIGTERM)
        self.assertEqual(0, weir.wait())            # not by the last resort
        self.assertTrue(weir.says("stopped"))

    def test_a_reload_waits_for_no_folder_that_hangs(self):
        self.faults = Faults(self.folder(), files=self.uploads)
        backend = self.backend()
        weir = self.with_faults(backend)
        self.faults.wait("access", True)
        weir.reload()
        self.assertIn("did not respond in time", weir.events("configuration_warning")[0])
        began = time.monotonic()
        weir.reload()                               # the look that hangs is the only one
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * MIB).status)
        weir.stop()
        self.faults.wait("access", False)

    def test_without_threads_the_disk_is_used_all_the_same(self):
        weir = self.with_faults(self.backend())
        self.faults.fail_all("pthread_create")
        self.assertEqual(200, self.fetch(weir, "POST", body=b"x" * MIB).status)


class Commands(CommandLine):
    TEXT = """
listeners: [127.0.0.1:8080]
upstreams: {{ api: {{ endpoints: [127.0.0.1:9001] }} }}
routes:
  - name: upload
    upstream: api
    filters: [request_id, retry]
    request_body: {}
"""

    def test_explain_shows_where_in_the_chain_the_body_is_read(self):
        done = self.run_weir("explain", "-c", self.file(self.TEXT.format("buffer")), "GET", "http://a/")
        self.assertRegex(done.stdout, r"(?s)filter +1 request_id: .*filter +2 request_body: reads .*filter +3 retry: ")

    def test_a_folder_that_is_none_is_told(self):
        code, told = self.check(self.TEXT.format("{ mode: buffer, folder: /no/such/folder }"))
        self.assertEqual(1, code)
        self.assertIn("routes[0].request_body.folder: '/no/such/folder' can't hold request bodies: No such file", told)

    def test_a_route_of_grpc_calls_buffers_none(self):
        code, told = self.check(self.TEXT.format("buffer\n    grpc: true"))
        self.assertEqual(1, code)
        self.assertIn("a call's request may last as long as the call", told)

    def test_other_words_are_told(self):
        self.assertIn("did you mean 'buffer'?", self.check(self.TEXT.format("bufer"))[1])


if __name__ == "__main__":
    unittest.main()
