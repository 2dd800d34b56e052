"""The tools of these tests, tried on each other: a wrong ruler measures nothing."""

import socket
import struct
import tempfile
import threading
import unittest

from backend import HttpBackend, ScriptedBackend, digest, pattern, resets
from dns_server import AAAA, SRV, DnsServer, encode_name
from harness import LogLine, eventually, free_address, parse_metrics
from load import FastOrigin, Load, kept_connections, new_connections
from wire import FRAGMENTS, Closed, Cut, Malformed, RawClient, chunk, chunked, fetch, request_bytes


class Tools(unittest.TestCase):
    def kept(self, server):
        self.addCleanup(server.stop)
        return server

    def answered(self, wire, method="GET", fragment=None, end=True):
        def script(connection):
            connection.request()
            connection.send(wire, fragment)
            if not end:
                connection.wait_closed()
        with RawClient(self.kept(ScriptedBackend(script)).address) as client:
            return client.request(method)

    def test_the_reader_takes_any_fragments(self):
        wire = b"HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire += chunked(b"ab", b"c", trailers=[("X-T", "1")])
        for fragment in FRAGMENTS:
            response = self.answered(wire, fragment=fragment)
            self.assertEqual((200, b"abc", [("X-T", "1")], 1),
                             (response.status, bytes(response.body), response.trailers, len(response.interim)))

    def test_the_reader_is_strict(self):
        for wire in (b"HTTP/1.1 200 OK\nA: b\r\n\r\n", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", b"HTTP/2 200\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"abc")[:-2] + b"0\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n"):
            with self.subTest(wire), self.assertRaises((Malformed, TypeError)):
                self.answered(wire)

    def test_a_cut_is_told_with_what_had_come(self):
        with self.assertRaises(Cut) as caught:
            self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        self.assertEqual(b"abc", bytes(caught.exception.partial.body))

    def test_a_close_before_an_answer_is_told(self):
        with self.assertRaises(Closed):
            self.answered(b"")

    def test_a_reset_is_a_reset(self):
        with self.assertRaises(ConnectionResetError):
            fetch(self.kept(ScriptedBackend(resets)).address)

    def test_an_open_connection_is_not_closed(self):
        with RawClient(self.kept(HttpBackend()).address) as client:
            client.get()
            self.assertFalse(client.is_closed(within=0.05))

    def test_the_backend_records_and_answers(self):
        backend = self.kept(HttpBackend("b"))
        with RawClient(backend.address) as client:
            account = client.request("POST", "/x", {"X-A": "1"}, b"hello").json()
            told = {key: account[key] for key in ("backend", "method", "target", "body", "connection")}
            self.assertEqual({"backend": "b", "method": "POST", "target": "/x", "body": "hello", "connection": 0}, told)
            self.assertEqual(1000, len(client.get("/bytes/1000").body))
            self.assertEqual(digest(pattern(120_000)), dict(client.get("/chunked/120000").trailers)["X-Sum"])
            self.assertEqual([204, 304, 500], [client.get(f"/status/{status}").status for status in (204, 304, 500)])
            self.assertEqual("5", client.request("HEAD", "/bytes/5").get("content-length"))
        self.assertEqual(6, len(backend.requests) - 1)
        self.assertTrue(backend.received.startswith(b"POST /x HTTP/1.1\r\n"))

    def test_a_held_request_waits_for_its_release(self):
        backend = self.kept(HttpBackend())
        with RawClient(backend.address) as client:
            client.send(request_bytes(target="/hold"))
            self.assertTrue(backend.held.acquire(timeout=5))
            backend.release.set()
            self.assertEqual(200, client.response().status)

    def test_unix_and_ipv6_addresses_work(self):
        with tempfile.TemporaryDirectory() as folder:
            for where in ({"host": "::1"}, {"unix": f"{folder}/b.sock"}):
                self.assertEqual(200, fetch(self.kept(HttpBackend(**where)).address).status)

    def test_a_script_s_fault_is_remembered(self):
        backend = self.kept(ScriptedBackend(lambda connection: 1 / 0))
        RawClient(backend.address).close()
        eventually(lambda: backend.faults, "a fault")

    def test_free_addresses_are_free_and_ours(self):
        host, port = free_address().split(":")
        with socket.socket() as sock:
            sock.bind((host, int(port)))

    def test_metrics_and_log_lines_are_read(self):
        samples = parse_metrics('# TYPE a counter\na{b="c",d="e\\"f"} 3\ng 1e3\nh{le="+Inf"} 2 1700000000\n')
        self.assertEqual([("a", {"b": "c", "d": 'e\\"f'}, 3), ("g", {}, 1000), ("h", {"le": "+Inf"}, 2)], [tuple(s) for s in samples])
        self.assertEqual({"UF", "UT"}, LogLine(flags="UF,UT").flags)
        self.assertEqual({"UF", "UT"}, LogLine(flags=["UF", "UT"]).flags)

    def test_load_is_accounted_for(self):
        origin = self.kept(FastOrigin(b"fine"))
        loads = [Load(new_connections, 2, origin.address, 200), Load(kept_connections, 1, origin.address, 4)]
        threading.Event().wait(0.3)
        for load in loads:
            tally = load.finish()
            self.assertEqual({"fine"}, set(tally))
        load = Load(new_connections, 1, free_address(), 100)
        threading.Event().wait(0.3)
        self.assertEqual({"connect: [Errno 111] Connection refused"}, set(load.finish()))


class Dns(unittest.TestCase):
    def setUp(self):
        self.server = DnsServer()
        self.addCleanup(self.server.stop)

    def ask(self, name, kind):
        """(rcode, [(type, ttl, data)])"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            host, port = self.server.address.split(":")
            question = encode_name(name) + struct.pack("!HH", kind, 1)
            sock.sendto(b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0" + question, (host, int(port)))
            reply = sock.recv(4096)
        code, count, at, records = reply[3] & 15, struct.unpack("!H", reply[6:8])[0], 12 + len(question), []
        for _ in range(count):
            found, _, ttl, length = struct.unpack("!HHIH", reply[at + 2:at + 12])
            records.append((found, ttl, reply[at + 12:at + 12 + length]))
            at += 12 + length
        return code, records

    def test_it_answers_what_it_knows(self):
        self.server.put("a.test", "127.0.0.1", "127.0.0.2")
        self.server.put("a.test", "::1", kind=AAAA)
        self.server.put("_s._tcp.test", (1, 2, 80, "a.test"), kind=SRV)
        self.assertEqual((0, [(1, 1, bytes([127, 0, 0, 1])), (1, 1, bytes([127, 0, 0, 2]))]), self.ask("A.test", 1))
        self.assertEqual(16, len(self.ask("a.test", AAAA)[1][0][2]))
        self.assertEqual(struct.pack("!HHH", 1, 2, 80) + encode_name("a.test"), self.ask("_s._tcp.test", SRV)[1][0][2])
        self.assertEqual(1, self.server.questions("a.test"))

    def test_it_fails_as_it_is_told(self):
        self.assertEqual((3, []), self.ask("none.test", 1))
        self.server.put("a.test", "127.0.0.1")
        self.server.failing = "servfail"
        self.assertEqual((2, []), self.ask("a.test", 1))


if __name__ == "__main__":
    unittest.main()
