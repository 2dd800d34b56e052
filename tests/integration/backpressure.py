"""Who does not read does not receive: a slow peer never makes Weir hold more than a few buffers."""

import threading
import unittest

from backend import digest, ok, pattern
from harness import LITTLE_QUARANTINE, WeirCase, eventually
from wire import request_bytes

MIB = 1 << 20
SIZE = 50 * MIB
GROWTH = 8 * 1024                                   # KiB


class Backpressure(WeirCase):
    environment = LITTLE_QUARANTINE

    def settled(self, position):
        """Waits until `position()` has stopped moving for a while."""
        seen, pause = [-1], threading.Event()

        def stands():
            before, seen[0] = seen[0], position()
            if before != seen[0]:
                pause.wait(0.3)
                return False
            return True
        eventually(stands, "the flow stands still")

    def test_a_slow_client_holds_a_large_response_at_its_backend(self):
        sent, body = [0], pattern(SIZE)

        def script(connection):
            connection.request()
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
            for start in range(0, SIZE, 65536):
                connection.send(body[start:start + 65536])
                sent[0] = start
            connection.wait_closed()
        weir = self.in_front_of(self.scripted(script))
        before = weir.memory()
        client = self.client(weir, receive_buffer=65536, timeout=40)
        client.send(request_bytes())
        response = client.head()
        self.settled(lambda: sent[0])
        self.assertLess(sent[0], SIZE * 3 // 4, "the backend could send all of it")
        self.assertLess(weir.memory() - before, GROWTH)
        client.rest_of(response)
        self.assertEqual(digest(body), digest(response.body))
        self.assertLess(weir.memory("VmHWM") - before, GROWTH)

    def test_a_slow_backend_holds_a_large_upload_at_its_client(self):
        go, received, body = threading.Event(), [], pattern(SIZE)

        def script(connection):
            connection.request_head()
            go.wait(40)
            taken = bytearray()
            connection.stream.exactly(SIZE, taken)
            received.append(digest(taken))
            connection.send(ok(b"done"))
        weir = self.in_front_of(self.scripted(script, receive_buffer=65536))
        before, sent = weir.memory(), [0]
        client = self.client(weir, timeout=40)

        def upload():
            client.send(request_bytes("POST", fields={"Content-Length": str(SIZE)}))
            for start in range(0, SIZE, 65536):
                client.send(body[start:start + 65536])
                sent[0] = start
        uploading = self.in_background(upload)
        self.settled(lambda: sent[0])
        self.assertLess(sent[0], SIZE * 3 // 4, "the client could send all of it")
        self.assertLess(weir.memory() - before, GROWTH)
        go.set()
        uploading.result()
        self.assertEqual(b"done", bytes(client.response().body))
        self.assertEqual([digest(body)], received)
        self.assertLess(weir.memory("VmHWM") - before, GROWTH)

    def test_a_client_that_pipelines_without_reading_is_not_read_for_ever(self):
        weir = self.in_front_of(self.backend())
        before = weir.memory()
        client = self.client(weir, receive_buffer=4096)
        client.sock.settimeout(2)
        batch = request_bytes(target="/bytes/20000") * 1000
        with self.assertRaises(TimeoutError, msg="all of it was read"):
            for _ in range(SIZE // len(batch)):
                client.send(batch)
        self.assertLess(weir.memory() - before, GROWTH)

    def test_what_is_pipelined_behind_a_pending_response_waits_at_its_client(self):
        api = self.backend()
        weir = self.in_front_of(api)
        before = weir.memory()
        client = self.client(weir)
        client.send(request_bytes(target="/hold"))
        self.assertTrue(api.held.acquire(timeout=20))
        client.sock.settimeout(2)
        sent, batch = 0, request_bytes(target="/after") * 1000
        with self.assertRaises(TimeoutError, msg="all of it was read"):
            while sent < SIZE:
                sent += client.sock.send(batch)
        self.assertLess(sent, 16 * MIB)             # what the kernel's buffers take
        self.assertLess(weir.memory() - before, GROWTH)


if __name__ == "__main__":
    unittest.main()
