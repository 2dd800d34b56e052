"""Large responses go from kernel to kernel: whole, in order, and never a byte of another."""

import os
import unittest

from backend import digest, ok, pattern
from harness import LITTLE_QUARANTINE, WeirCase
from wire import request_bytes

KIB, MIB = 1 << 10, 1 << 20
AROUND_THE_EDGES = [64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 72 * KIB, 80 * KIB, 81 * KIB, 100 * KIB, MIB, 5 * MIB + 7]


def sized(connection):
    """Answers `/N` with N bytes, for as long as it is asked; `/N/PIECE` in pieces."""
    while request := connection.request():
        size, _, piece = request.target.strip("/").partition("/")
        body = pattern(int(size))
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"
        connection.send(head if request.method == "HEAD" else head.encode() + body, int(piece) if piece else None)


class LargeBodies(WeirCase):
    environment = LITTLE_QUARANTINE

    def ask(self, client, target, method="GET"):
        client.send(request_bytes(method, target))
        return client.response(method)

    def pipes(self, weir):
        folder, found = f"/proc/{weir.process.pid}/fd", 0
        for fd in os.listdir(folder):
            try:
                found += os.readlink(f"{folder}/{fd}").startswith("pipe:")
            except FileNotFoundError:               # closed since it was listed
                pass
        return found

    def test_each_size_arrives_whole_on_one_kept_connection(self):
        weir = self.in_front_of(self.scripted(sized))
        client = self.client(weir, timeout=40)
        for size in AROUND_THE_EDGES + AROUND_THE_EDGES[::-1] + [0, 1, 2 * MIB, 1]:
            response = self.ask(client, f"/{size}")
            self.assertEqual((200, digest(pattern(size))), (response.status, digest(response.body)), size)

    def test_a_body_that_comes_in_pieces_arrives_whole(self):
        weir = self.in_front_of(self.scripted(sized))
        client = self.client(weir, timeout=40)
        for piece in (1000, 8192, 65536):
            response = self.ask(client, f"/{3 * MIB}/{piece}")
            self.assertEqual(digest(pattern(3 * MIB)), digest(response.body), piece)

    def test_the_head_of_a_large_body_is_followed_by_the_next_answer(self):
        weir = self.in_front_of(self.scripted(sized))
        client = self.client(weir, timeout=40)
        self.assertEqual(b"", bytes(self.ask(client, f"/{MIB}", "HEAD").body))
        self.assertEqual(digest(pattern(MIB)), digest(self.ask(client, f"/{MIB}").body))

    def test_pipes_are_used_again_and_none_is_left_behind(self):
        weir = self.in_front_of(self.scripted(sized))
        at_first = self.pipes(weir)
        client = self.client(weir, timeout=40)
        for _ in range(20):
            self.ask(client, f"/{MIB}")
        self.assertEqual(at_first + 2, self.pipes(weir), "one pipe, two ends, was made and kept")

    def test_a_client_that_leaves_inside_a_large_body_leaves_nothing_to_the_next(self):
        weir = self.in_front_of(self.scripted(sized))
        for _ in range(5):
            leaver = self.client(weir, timeout=40, receive_buffer=65536)
            leaver.send(request_bytes("GET", f"/{20 * MIB}"))
            leaver.head()
            leaver.close()
            response = self.ask(self.client(weir, timeout=40), f"/{MIB}")
            self.assertEqual(digest(pattern(MIB)), digest(response.body))

    def test_a_backend_that_dies_inside_a_large_body_cuts_the_client_off(self):
        def script(connection):
            connection.request()
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {MIB}\r\n\r\n".encode() + pattern(MIB // 2))
            connection.close()
        weir = self.in_front_of(self.scripted(script))
        client = self.client(weir)
        client.send(request_bytes())
        response = client.head()
        with self.assertRaises(Exception):
            client.rest_of(response)
        self.assertLessEqual(len(response.body), MIB // 2)

    def test_bytes_behind_a_large_body_never_reach_a_client(self):
        def script(connection):
            connection.request()
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {MIB}\r\n\r\n".encode() + pattern(MIB) + ok(b"poison"))
            connection.wait_closed()
        weir = self.in_front_of(self.scripted(script))
        client = self.client(weir)
        for _ in range(3):
            response = self.ask(client, "/")
            self.assertEqual(digest(pattern(MIB)), digest(response.body))


if __name__ == "__main__":
    unittest.main()
