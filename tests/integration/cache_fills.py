"""A fill serves those who are there: it doesn't outlive them without end, and no one of them holds up the rest."""

import threading
import time
import unittest

from backend import pattern
from cache_case import CacheCase, Page, status_of
from cache_settings import collapse
from harness import eventually, settings
from wire import chunk, request_bytes

FRESH = "max-age=600"
MIB = 1 << 20
CHUNKED = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\n\r\n"


class FillsCase(CacheCase):
    workers = 2
    caches = {"/": collapse(wait="30s"), "/small/": {"max_object": "64KiB"}}

    def asks(self, path, **how):
        client = self.client(self.shared, **how)
        client.send(request_bytes(target=path))
        return client

    def at_the_origin(self):
        """Requests that it has been sent and hasn't answered."""
        return self.shared.metric(settings.ENDPOINT_ACTIVE)


class Deserted(FillsCase):
    def test_nobody_is_left_and_nothing_has_come(self):
        path = self.page(lambda connection, request, number: connection.backend.stopping.wait(120))
        clients = [self.asks(f"{path}?{number}") for number in range(100)]
        eventually(lambda: self.at_the_origin() == 100, "all are at the origin")
        for client in clients:
            client.reset()
        eventually(lambda: self.at_the_origin() == 0, "none is at the origin any more")

    def test_one_of_many_is_left(self):
        path = self.page(lambda connection, request, number: (
            connection.backend.stopping.wait(4), Page(body="late", cache_control=FRESH)(connection, request, number)))
        leader, *rest = [self.asks(path) for _ in range(5)]
        eventually(lambda: self.shared.metric(settings.IN_FLIGHT) >= 5, "all wait")
        for client in (leader, *rest[1:]):
            client.reset()
        self.assertEqual(b"late", bytes(rest[0].response().body))
        self.assertEqual(1, self.count(path))

    def test_nobody_is_left_while_the_body_comes(self):
        """What has begun to come is kept."""
        body, seen = pattern(200_000), []

        def in_halves(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nCache-Control: {FRESH}\r\n\r\n")
            connection.send(body[:100_000])
            connection.backend.stopping.wait(3)
            connection.send(body[100_000:])
            seen.append(number)
        path = self.page(in_halves)
        client = self.asks(path)
        client.head()
        client.reset()
        eventually(lambda: seen, "the origin has sent all")
        self.becomes_hit(path, body)
        self.assertEqual(1, self.count(path))


class Passing(FillsCase):
    def test_one_who_does_not_read_what_only_passes_is_left_behind(self):
        body = pattern(16 * MIB)

        def script(connection, request, number):
            connection.send(CHUNKED)
            connection.send(chunk(body[:1000]))
            connection.backend.stopping.wait(1)
            connection.send(chunk(body[1000:]) + b"0\r\n\r\n")
        path = self.page(script, under="/small/")
        lazy = self.asks(path, receive_buffer=4096)
        lazy.head()
        diligent = self.asks(path, timeout=60)
        started = time.monotonic()
        self.assertEqual(body, bytes(diligent.response().body))
        self.assertLess(time.monotonic() - started, 45)
        self.assertEqual(1, self.count(path))

    def test_one_who_is_alone_may_take_the_time(self):
        body = pattern(8 * MIB)
        path = self.page(lambda connection, request, number: connection.send(CHUNKED + "") or connection.send(
            chunk(body) + b"0\r\n\r\n"), under="/small/")
        slow = self.asks(path, receive_buffer=4096)
        head = slow.head()
        time.sleep(12)      # longer than one waits who holds up others
        self.assertEqual(body, bytes(slow.rest_of(head).body))


class Said(FillsCase):
    """RFC 9211 section 2.6: `stored` says that it did."""

    def test_what_is_announced_and_fits(self):
        path = self.page(cache_control=FRESH)
        self.assertIn("stored", status_of(self.ask(path)))
        self.assert_hit(self.ask(path))

    def test_what_may_yet_turn_out_too_large(self):
        for size in (1000, MIB):
            with self.subTest(size=size):
                body, go = pattern(size), threading.Event()

                def script(connection, request, number):
                    connection.send(CHUNKED)
                    go.wait(30)
                    connection.send(chunk(body) + b"0\r\n\r\n")
                path = self.page(script, under="/small/")
                client = self.asks(path)
                first = client.head()
                go.set()
                self.assertEqual(body, bytes(client.rest_of(first).body))
                self.assert_miss(first)
                self.assertNotIn("stored", status_of(first))
                if size == 1000:
                    self.becomes_hit(path, body)

    def test_what_has_come_with_its_head(self):
        body = pattern(1000)
        path = self.page(lambda connection, request, number: connection.send(
            CHUNKED.encode() + chunk(body) + b"0\r\n\r\n"), under="/small/")
        self.assertIn("stored", status_of(self.ask(path)))

    def test_what_is_announced_and_too_large(self):
        path = self.page(under="/small/", body=pattern(100_000), cache_control=FRESH)
        self.assert_not_stored(path)


class Ranges(FillsCase):
    def five(self, path):
        for _ in range(5):
            answer = self.ask(path, range="bytes=2-4")
            self.assertEqual((206, b"234"), (answer.status, bytes(answer.body)))
        return self.count(path)

    def page_with_ranges(self, under="/", **what):
        """As an origin has it that knows ranges."""
        body = b"0123456789" * 10_000
        whole = Page(body=body, **what)
        part = Page(body=body[2:5], status=206, fields=[("Content-Range", f"bytes 2-4/{len(body)}")], **what)
        return self.page(lambda connection, request, number: (part if request.get("range") else whole)(
            connection, request, number), under=under)

    def test_of_what_may_not_be_stored(self):
        self.assertLessEqual(self.five(self.page_with_ranges(cache_control="no-store")), 6)

    def test_of_what_is_too_large(self):
        self.assertLessEqual(self.five(self.page_with_ranges(under="/small/", cache_control=FRESH)), 6)

    def test_of_what_is_stored(self):
        self.assertEqual(1, self.five(self.page_with_ranges(cache_control=FRESH)))


if __name__ == "__main__":
    unittest.main()
