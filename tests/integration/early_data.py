"""TLS early data (0-RTT): requests that come before the handshake is done, by `openssl s_client`."""

import os
import socket
import threading
import unittest

import tls
from backend import fields_of
from harness import eventually, settings
from settings import route
from wire import Stream, request_bytes

CLOSING = {"Connection": "close"}
EARLY = "Early data was accepted"


class Tap:
    """Relays one connection to `address`, and keeps what its client said."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.target, self.said = (host, int(port)), b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        near, _ = self.listener.accept()
        far = socket.create_connection(self.target)
        back = threading.Thread(target=self._pump, args=(far, near, lambda bytes: None), daemon=True)
        back.start()
        self._pump(near, far, self._keep)
        back.join()
        self.listener.close()

    def _keep(self, bytes):
        self.said += bytes

    @staticmethod
    def _pump(source, sink, keep):
        with source, sink:
            try:
                while bytes := source.recv(65536):
                    keep(bytes)
                    sink.sendall(bytes)
            except OSError:
                pass


class EarlyData(tls.TlsCase):
    ROUTES = [route("/early", "api", "early", early_data=True), route("/bytes", "api", "bytes", early_data=True), route("/", "api", "late")]

    def early(self, backend=None, listener=None, **config):
        return self.serving(listener or self.secure(early_data=True), backend, routes=self.ROUTES, **config)

    def session(self, weir):
        """A file with a session that a later connection resumes."""
        kept = os.path.join(self.folder(), "session")
        self.talk(weir.address, request_bytes(target="/early/first", fields=CLOSING), "-sess_out", kept)
        return kept

    def talk(self, address, request, *options):
        told = tls.run("openssl", "s_client", "-connect", address, "-servername", "a.test", "-tls1_3", "-ign_eof", *options,
                       data=request)
        return (told.stdout + told.stderr).decode(errors="replace")

    def ask_early(self, address, session, target, method="GET"):
        file = os.path.join(self.folder(), "request")
        with open(file, "wb") as out:
            out.write(request_bytes(method, target, fields=CLOSING))
        return self.talk(address, b"", "-sess_in", session, "-early_data", file)

    def test_a_route_that_takes_it_serves_it_and_says_so_to_the_endpoint(self):
        backend = self.backend()
        weir = self.early(backend)
        told = self.ask_early(weir.address, self.session(weir), "/early/1")
        self.assertIn(EARLY, told)
        self.assertIn("HTTP/1.1 200", told)
        self.assertRegex(told, r'(?i)"early-data", *"1"')
        self.assertEqual("TLSv1.3", weir.log_of("/early/1")[0]["tls"]["version"])
        self.assertEqual([], fields_of(self.tls(weir).get("/early/2").json(), "early-data"))

    def test_any_other_route_and_any_other_method_are_too_early(self):
        weir = self.early()
        for method, target in (("GET", "/late"), ("DELETE", "/early/x")):
            with self.subTest(method):
                told = self.ask_early(weir.address, self.session(weir), target, method)
                self.assertIn(EARLY, told)
                self.assertIn("HTTP/1.1 425 Too Early", told)
                self.assertIn("too_early", told)
        self.assertEqual(200, self.tls(weir).get("/late").status)

    def test_an_endpoints_425_passes(self):
        weir = self.early(self.scripted(lambda connection: (connection.request(), connection.send(
            b"HTTP/1.1 425 Too Early\r\nContent-Length: 5\r\n\r\nwait!"))))
        self.assertIn("wait!", self.ask_early(weir.address, self.session(weir), "/early/1"))

    def test_the_answer_to_an_early_request_may_be_large_and_the_connection_lives_on(self):
        weir = self.early()
        file = os.path.join(self.folder(), "request")
        with open(file, "wb") as out:
            out.write(request_bytes(target="/bytes/500000"))
        told = self.talk(weir.address, request_bytes(target="/late", fields=CLOSING), "-sess_in", self.session(weir),
                         "-early_data", file)
        self.assertEqual(2, told.count("HTTP/1.1 200"))
        self.assertEqual(500_000, weir.log_of("/bytes/500000")[0]["bytes_out"])
        self.assertEqual(1, len(weir.log_of("/late")))

    def test_a_replay_reaches_nobody(self):
        backend = self.backend()
        weir = self.early(backend)
        session, tap = self.session(weir), Tap(weir.address)
        self.assertIn(EARLY, self.ask_early(tap.address, session, "/early/once"))
        weir.log_of("/early/once")
        host, port = weir.address.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as replay:
            replay.sendall(tap.said)
            replay.shutdown(socket.SHUT_WR)
            answer = bytearray()
            try:
                Stream(replay).rest(answer)
            except OSError:
                pass
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 0, "the replay's end")
        self.assertEqual(1, len(weir.log_of("/early/once")))

    def test_a_ticket_serves_once_and_not_beyond_a_reload(self):
        weir = self.early()
        session = self.session(weir)
        self.assertIn(EARLY, self.ask_early(weir.address, session, "/early/1"))
        again = self.talk(weir.address, request_bytes(target="/late", fields=CLOSING), "-sess_in", session)
        self.assertIn("New, TLSv1.3", again)
        self.assertIn("HTTP/1.1 200", again)
        session = self.session(weir)
        weir.reload()
        self.assertIn("New, TLSv1.3", self.talk(weir.address, request_bytes(target="/late", fields=CLOSING), "-sess_in", session))

    def test_a_listener_without_it_offers_none(self):
        weir = self.early(listener=self.secure())
        kept = os.path.join(self.folder(), "session")
        told = self.talk(weir.address, request_bytes(target="/early", fields=CLOSING), "-sess_out", kept)
        self.assertIn("HTTP/1.1 200", told)
        self.assertIn("Max Early Data: 0", told)

    def test_a_client_of_tls_1_2_is_served(self):
        weir = self.early()
        told = tls.run("openssl", "s_client", "-connect", weir.address, "-tls1_2", "-ign_eof",
                       data=request_bytes(target="/late", fields=CLOSING)).stdout
        self.assertIn(b"HTTP/1.1 200", told)


if __name__ == "__main__":
    unittest.main()
