"""A client that goes away takes its upstream request with it, at once."""

import socket
import threading
import time
import unittest

from backend import hangs
from harness import WeirCase, eventually, settings
from websocket_peers import accept, upgrade_fields
from wire import chunk, request_bytes


class ClientDisconnect(WeirCase):
    def assert_cancelled(self, weir, connection, path):
        """The backend sees the close within a second; the log says who left."""
        started = time.monotonic()
        self.assertTrue(connection.ended.wait(10), "the upstream request went on")
        self.assertLess(time.monotonic() - started, 1)
        line = weir.log_of(path)[0]
        self.assertIn("DC", line.flags)
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        return line

    def waiting(self):
        """A client whose request has reached a backend that does not answer."""
        backend = self.scripted(hangs)
        weir = self.in_front_of(backend)
        client = self.client(weir)
        client.send(request_bytes(target="/gone"))
        eventually(lambda: backend.received.endswith(b"\r\n\r\n"), "the request at the backend")
        return weir, backend, client

    def test_a_reset_before_the_answer(self):
        weir, backend, client = self.waiting()
        client.reset()
        line = self.assert_cancelled(weir, backend.connections[0], "/gone")
        self.assertEqual(settings.NO_STATUS_SENT, line.status)

    def test_a_close_before_the_answer(self):
        weir, backend, client = self.waiting()
        client.close()
        self.assert_cancelled(weir, backend.connections[0], "/gone")

    def test_a_half_close_before_the_answer_counts_as_leaving(self):
        weir, backend, client = self.waiting()
        client.half_close()
        self.assert_cancelled(weir, backend.connections[0], "/gone")

    def test_leaving_during_the_response(self):
        def script(connection):
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"begun"))
            connection.wait_closed()
        backend = self.scripted(script)
        weir = self.in_front_of(backend)
        client = self.client(weir)
        client.send(request_bytes(target="/gone"))
        client.head()
        client.reset()
        self.assert_cancelled(weir, backend.connections[0], "/gone")

    def test_leaving_during_the_upload(self):
        backend = self.scripted(lambda connection: connection.wait_closed())
        weir = self.in_front_of(backend)
        client = self.client(weir)
        client.send(request_bytes("POST", "/gone", {"Content-Length": "1000000"}) + b"begun")
        eventually(lambda: backend.received.endswith(b"begun"), "the upload at the backend")
        client.reset()
        self.assert_cancelled(weir, backend.connections[0], "/gone")

    def silent_behind(self, greet):
        """A backend that sends and reads nothing after `greet`, and keeps its connection open."""
        done = threading.Event()
        self.addCleanup(done.set)

        def script(connection):
            greet(connection, connection.request_head())
            done.wait(30)
        return self.in_front_of(self.scripted(script))

    def assert_noticed(self, weir, path):
        """With nothing to read or to send."""
        started = time.monotonic()
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        self.assertLess(time.monotonic() - started, 2)
        self.assertIn("DC", weir.log_of(path)[0].flags)
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 0, "its connection gone")

    def test_a_reset_behind_the_end_of_what_the_client_sends_into_a_tunnel(self):
        weir = self.silent_behind(accept)
        client = self.half_of_a_tunnel(weir)
        client.reset()
        self.assert_noticed(weir, "/gone")

    def test_urgent_data_before_that_end_keeps_no_worker_busy(self):
        weir = self.silent_behind(accept)
        self.half_of_a_tunnel(weir, lambda client: client.sock.send(b"!", socket.MSG_OOB))
        before = weir.cpu()
        time.sleep(1)
        self.assertLess(weir.cpu() - before, 0.5)

    def half_of_a_tunnel(self, weir, before=lambda client: None):
        client = self.client(weir)
        client.send(request_bytes(target="/gone", fields=dict(upgrade_fields())))
        self.assertEqual(101, client.head().status)
        before(client)
        client.half_close()
        time.sleep(0.3)
        self.assertEqual(1, weir.metric(settings.IN_FLIGHT))
        return client

    def test_a_reset_of_an_upload_that_nobody_reads(self):
        weir = self.silent_behind(lambda connection, request: None)
        client = self.client(weir)
        client.send(request_bytes("POST", "/gone", {"Content-Length": str(1 << 30)}))
        client.sock.settimeout(0.5)
        try:
            while True:
                client.sock.send(b"u" * (1 << 16))
        except TimeoutError:
            pass
        client.reset()
        self.assert_noticed(weir, "/gone")

    def test_leaving_with_pipelined_requests_behind(self):
        weir, backend, client = self.waiting()
        client.send(request_bytes(target="/behind") * 3)
        client.reset()
        self.assert_cancelled(weir, backend.connections[0], "/gone")
        self.assertNotIn(b"/behind", backend.received)

    def test_a_client_that_leaves_between_requests_is_no_event(self):
        weir = self.in_front_of(self.backend())
        client = self.client(weir)
        client.get("/fine")
        client.reset()
        eventually(lambda: weir.metric(settings.CONNECTIONS) <= 1, "its connection gone")
        self.assertNotIn("DC", weir.log_of("/fine")[0].flags)

    def test_many_that_leave_at_once_leave_nothing_behind(self):
        backend = self.scripted(hangs)
        weir = self.in_front_of(backend)
        clients = [self.client(weir) for _ in range(100)]
        for client in clients:
            client.send(request_bytes(target="/many"))
        eventually(lambda: len(backend.connections) == 100, "all of them at the backend")
        for client in clients:
            client.reset()
        weir.log_of("/many", count=100)
        eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "nothing in flight")
        for connection in backend.connections:
            self.assertTrue(connection.ended.wait(5))


if __name__ == "__main__":
    unittest.main()
