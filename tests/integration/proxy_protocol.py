"""PROXY headers, version 1 and 2: believed on a listener from named networks alone, and sent to upstreams."""

import socket
import struct
import subprocess
import unittest

from backend import fields_of, ok
from harness import WeirCase, eventually, free_address, settings
from wire import FRAGMENTS, RawClient, request_bytes

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
STRANGER = "127.0.0.9"


def v1(source="203.0.113.7", destination="192.0.2.1", ports=(4711, 443)):
    return f"PROXY TCP4 {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def v2(source="203.0.113.7", destination="192.0.2.1", ports=(4711, 443), fields=b"", command=0x21):
    rest = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", *ports) + fields
    return SIGNATURE + struct.pack("!BBH", command, 0x11, len(rest)) + rest


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def summed(header):
    """With a checksum in its last four bytes, which are zeros yet."""
    return header[:-4] + struct.pack("!I", crc32c(header))


class Accepted(WeirCase):
    def setUp(self):
        self.api = self.backend()
        self.running = self.in_front_of(self.api, listeners=[settings.listener(
            free_address(), **settings.proxy_protocol_from("127.0.0.1/32", timeout="500ms"))])

    def account(self, header, fragment=None):
        client = self.client(self.running)
        client.send(header + request_bytes(), fragment)
        return client.response().json()

    def test_connections_are_limited_by_client_of_ipv6_by_its_64(self):
        weir = self.in_front_of(self.api, listeners=[settings.listener(
            free_address(), **settings.proxy_protocol_from("127.0.0.1/32"))], **settings.client_limits(connections_per_client=2))
        def status(source):
            client = self.client(weir)
            client.send(f"PROXY TCP6 {source} 2001:db8::ff 4711 443\r\n".encode() + request_bytes())
            return client.response().status
        self.assertEqual([200, 200, 429], [status(source) for source in ("2001:db8::1", "2001:db8::2", "2001:db8::3")])
        self.assertEqual([200, 200, 429], [status("::ffff:10.1.1.1"), status("::ffff:10.1.1.1"), status("::ffff:10.1.1.1")])
        self.assertEqual(200, status("2001:db8:0:1::1"))

    def assert_told(self, account, address, port):
        self.assertEqual([address], fields_of(account, "x-forwarded-for"))
        self.assertEqual([port], fields_of(account, "x-forwarded-port"))

    def assert_cut_off(self, *pieces, source=None):
        """Closed without a byte, counted, and nothing of it at the backend."""
        before = self.refused()
        with RawClient(self.running.address, source=source) as client:
            try:
                for piece in pieces:
                    client.send(piece)
            except OSError:
                pass
            self.assertTrue(client.is_closed(), "it was answered")
        eventually(lambda: self.refused() == before + 1, "the refusal counted")
        self.assertEqual(b"", self.api.received)

    def refused(self):
        return self.running.metric(settings.REFUSED_CONNECTIONS, reason="proxy_header")

    def test_its_source_is_the_client(self):
        for header in (v1(), v2(), summed(v2(fields=tlv(4, b"noop") + tlv(3, bytes(4))))):
            for fragment in FRAGMENTS:
                with self.subTest(header, fragment=fragment):
                    self.assert_told(self.account(header, fragment), "203.0.113.7", "443")
        self.assertEqual("203.0.113.7", self.running.log_of("/")[0][settings.LOG_CLIENT])

    def test_all_requests_of_a_connection_have_it(self):
        client = self.client(self.running)
        client.send(v1() + request_bytes() * 3)
        for _ in range(3):
            self.assert_told(client.response().json(), "203.0.113.7", "443")
        self.assert_told(client.get().json(), "203.0.113.7", "443")

    def test_local_and_unknown_leave_the_socket_s_address(self):
        port = self.running.address.split(":")[1]
        for header in (v2(command=0x20), b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"):
            with self.subTest(header):
                self.assert_told(self.account(header), "127.0.0.1", port)

    def test_tls_before_the_sender_is_https(self):
        account = self.account(v2(fields=tlv(0x20, b"\x01" + bytes(4))))
        self.assertEqual(["https"], fields_of(account, "x-forwarded-proto"))

    def test_what_it_tells_beside_is_logged(self):
        fields = tlv(1, b"h2") + tlv(2, b"a.test") + tlv(5, b"id-17") + tlv(0xee, b"?")
        self.account(v2(fields=fields))
        self.account(v2(fields=tlv(5, b"\x00\xff")))
        for told in ({"authority": "a.test", "alpn": "h2", "unique_id": "id-17"}, {"unique_id": "00ff"}):
            eventually(lambda: told in [line.get("proxy") for line in self.running.access_log()], told)

    def test_a_connection_without_one_is_closed(self):
        for begin in (request_bytes(), b"\x16\x03\x01\x02\0\x01\0", b"PROXY TCP4 nowhere nowhere 1 2\r\n",
                      v2(command=0x31), summed(v2(fields=tlv(3, bytes(4))))[:-1] + b"?"):
            with self.subTest(begin):
                self.assert_cut_off(begin + request_bytes())

    def test_a_stranger_is_closed_whatever_it_sends(self):
        self.assert_cut_off(v1() + request_bytes(), source=STRANGER)
        self.assert_cut_off(request_bytes(), source=STRANGER)

    def test_a_header_that_does_not_end_is_given_up(self):
        self.assert_cut_off(v1()[:-2])
        self.assert_cut_off(v2()[:20])
        self.assert_told(self.account(v1()), "203.0.113.7", "443")

    def test_connections_that_wait_for_it_are_bounded_and_take_no_place_of_others(self):
        weir = self.in_front_of(self.api, listeners=[settings.listener(
            free_address(), **settings.proxy_protocol_from("127.0.0.1/32", timeout="60s"))],
            **settings.client_limits(connections=80), workers=1)
        waiting = [self.client(weir) for _ in range(100)]
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 5, "a part of the limit waits")
        self.assertTrue(waiting[0].is_closed())
        for client in (self.client(weir), waiting[-1]):
            client.send(v1() + request_bytes())
            self.assertEqual(200, client.response().status)
        for client in waiting:
            client.close()
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 1, "none waits any more")

    def test_curl_is_understood(self):
        done = subprocess.run(["curl", "-s", "--haproxy-protocol", f"http://{self.running.address}/"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("127.0.0.1", done.stdout)

    def test_a_reload_turns_it_off_and_on(self):
        address = self.running.address
        plain = {"upstreams": {"api": settings.upstream(self.api)}, "routes": [settings.route("/", "api")]}
        self.running.reload({**plain, "listeners": [settings.listener(address)]})
        self.assertEqual(200, self.fetch(self.running).status)
        self.running.reload({**plain, "listeners": [settings.listener(
            address, **settings.proxy_protocol_from("127.0.0.1/32"))]})
        self.assert_told(self.account(v1()), "203.0.113.7", "443")


class Sent(WeirCase):
    def behind(self, script, version):
        self.api = self.scripted(script)
        return self.weir({"upstreams": {"api": settings.upstream(self.api, **settings.proxy_protocol_to(version))},
                          "routes": [settings.route("/", "api")]})

    def test_version_1_comes_before_the_request_once_a_connection(self):
        def script(connection):
            connection.header = connection.stream.line()
            connection.request()
            connection.send(ok())
            connection.wait_closed()
        weir = self.behind(script, "v1")
        client = self.client(weir)
        for _ in range(3):
            self.assertEqual(200, client.get().status)
        host, port = weir.address.split(":")
        told = f"PROXY TCP4 127.0.0.1 {host} {client.sock.getsockname()[1]} {port}".encode()
        self.assertEqual([told] * 3, [connection.header for connection in self.api.connections])

    def test_version_2_tells_the_same(self):
        headers = []
        def script(connection):
            header = bytearray()
            connection.stream.exactly(28, header)
            headers.append(bytes(header))
            connection.request()
            connection.send(ok())
        weir = self.behind(script, "v2")
        client = self.client(weir)
        self.assertEqual(200, client.get().status)
        host, port = weir.address.split(":")
        self.assertEqual([v2("127.0.0.1", host, (client.sock.getsockname()[1], int(port)))], headers)

    def test_health_checks_speak_for_themselves(self):
        """LOCAL, which has no addresses, and the protocol that requests use before anything else."""
        for kind, version, told in (("http", "v2", SIGNATURE + b"\x20\0\0\0"), ("tcp", "v2", SIGNATURE + b"\x20\0\0\0"),
                                    ("http", "v1", b"PROXY UNKNOWN\r\n"), ("tcp", "v1", b"PROXY UNKNOWN\r\n")):
            with self.subTest(kind, version=version):
                headers = []
                def script(connection, headers=headers, kind=kind, told=told):
                    header = bytearray()
                    connection.stream.exactly(len(told), header)
                    headers.append(bytes(header))
                    if kind == "http":
                        connection.request()
                        connection.send(ok())
                api = self.scripted(script)
                check = {"health_check": {"type": kind, "interval": "100ms", "timeout": "5s"}}
                self.weir({"upstreams": {"api": settings.upstream(api, **settings.proxy_protocol_to(version)) | check},
                           "routes": [settings.route("/", "api")]})
                eventually(lambda: len(headers) > 1, "two checks")
                self.assertEqual({told}, set(headers))

    def test_one_weir_tells_another(self):
        api = self.backend()
        inner = self.in_front_of(api, listeners=[settings.listener(
            free_address(), **settings.proxy_protocol_from("127.0.0.1/32"))])
        for version in ("v1", "v2"):
            outer = self.weir({
                "listeners": [settings.listener(free_address(), **settings.proxy_protocol_from("127.0.0.0/8"))],
                "upstreams": {"api": settings.upstream(inner.address, **settings.proxy_protocol_to(version))},
                "routes": [settings.route("/", "api")]})
            client = self.client(outer)
            client.send(v1() + request_bytes())
            account = client.response().json()
            self.assertEqual(["203.0.113.7"], fields_of(account, "x-forwarded-for"))
            self.assertEqual(["443"], fields_of(account, "x-forwarded-port"))

    def test_idle_connections_from_before_it_was_set_are_not_used(self):
        lines = []
        def script(connection):
            while True:
                line = connection.stream.line(first=True)
                lines.append(line)
                if line.startswith(b"PROXY"):
                    line = connection.stream.line()
                while connection.stream.line():
                    pass
                connection.send(ok())
        api = self.scripted(script)
        config = lambda **more: {"upstreams": {"api": settings.upstream(api, **more)}, "routes": [settings.route("/", "api")]}
        weir = self.weir(config())
        self.assertEqual(200, self.fetch(weir).status)
        weir.reload(config(**settings.proxy_protocol_to("v1")))
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual([b"GET", b"PROXY"], [line.split(b" ")[0] for line in lines])


if __name__ == "__main__":
    unittest.main()
