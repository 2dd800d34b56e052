"""HTTP/2 on either side of the cache: what is stored and who waits for it is the same as with HTTP/1.1."""

import threading
import unittest

from backend import ScriptedBackend, pattern
from cache_case import CacheCase
from cache_settings import collapse
from h2_wire import CANCEL, INTERNAL_ERROR, H2Client, H2Server

FRESH = "max-age=600"


class H2Origin(ScriptedBackend):
    """Answers each stream by its path with what `pages` has for it: `(server, stream, request, number)`; on one thread a connection,
    so a page that waits holds up the others of its connection. `asked`: paths and heads, as they came."""

    def __init__(self, **how):
        self.pages, self.requests, self.lock = {}, [], threading.Lock()
        super().__init__(self._serve, **how)

    def _serve(self, connection):
        server = H2Server(connection)
        while True:
            stream, request = server.request()
            path = request.get(":path").split("?")[0]
            with self.lock:
                self.requests.append((path, request))
                number = sum(1 for asked, _ in self.requests if asked == path)
            self.pages[path](server, stream, request, number)

    def asked(self, path, method=None):
        with self.lock:
            return [request for asked, request in self.requests if asked == path.split("?")[0]]

    def count(self, path, method=None):
        return len(self.asked(path))


def answer(body=b"", status=200, **fields):
    """A page with these fields, which validates by its ETag; `PATH #N` without a body of its own."""
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]

    def page(server, stream, request, number):
        if fields.get("etag") and request.get("if-none-match") == fields["etag"]:
            return server.answer(stream, b"", 304, pairs)
        own = body or f"{request.get(':path')} #{number}".encode()
        if request.get(":method") == "HEAD":
            return server.answer(stream, b"", status, pairs + [("content-length", str(len(own)))])
        server.answer(stream, own, status, pairs)
    return page


class Held:
    """Sends a head and the first part of its body, and the rest once it is opened."""

    def __init__(self, body, then=None, **fields):
        self.body, self.then = body, then or (lambda server, stream: server.send_data(stream, self.body[len(self.body) // 2:]))
        self.fields = [(name.replace("_", "-"), value) for name, value in fields.items()]
        self.open = threading.Event()

    def __call__(self, server, stream, request, number):
        if number > 1:
            return server.answer(stream, self.body, fields=self.fields)
        server.send_headers(stream, [(":status", "200"), *self.fields])
        server.send_data(stream, self.body[:len(self.body) // 2], end=False)
        self.open.wait(60)
        self.then(server, stream)


class Upstream(CacheCase):
    """The origin speaks HTTP/2 by prior knowledge."""

    caches = {"/": collapse(wait="60s")}
    upstream = {"protocol": "http2"}

    @classmethod
    def serve(cls):
        cls.origin = H2Origin()
        return {"origin": cls.origin}, cls.configured(cls.origin)

    def at(self, page):
        return self.page(page)

    def kept(self, path):
        """Asked for once. What doesn't say how long it is can't say yet that it is stored when it is first answered."""
        first = self.ask(path)
        self.assert_miss(first)
        again = self.becomes_hit(path)
        self.assertEqual((first.status, bytes(first.body)), (again.status, bytes(again.body)))
        self.assertEqual(1, self.count(path))
        return again

    def test_what_it_answers_is_kept(self):
        for body in (b"small", pattern(300_000)):
            for sized in ({}, {"content_length": str(len(body))}):
                with self.subTest(size=len(body), sized=bool(sized)):
                    path = self.at(answer(body, cache_control=FRESH, etag='"1"', x_odd="1", **sized))
                    response = self.kept(path)
                    self.assertEqual(("1", '"1"', body), (response.get("x-odd"), response.get("etag"), bytes(response.body)))

    def test_an_empty_body_is_one(self):
        def page(server, stream, request, number):
            server.send_headers(stream, [(":status", "200"), ("cache-control", FRESH)], end=True)
        self.assertEqual(b"", bytes(self.kept(self.at(page)).body))

    def test_ranges_and_head_are_answered_from_it(self):
        path = self.at(answer(pattern(50_000), cache_control=FRESH))
        self.kept(path)
        part = self.ask(path, range="bytes=100-199")
        self.assertEqual((206, pattern(50_000)[100:200]), (part.status, bytes(part.body)))
        head = self.ask(path, method="HEAD")
        self.assertEqual((200, "50000"), (head.status, head.get("content-length")))
        self.assertEqual(1, self.count(path))

    def test_a_304_makes_it_fresh_again(self):
        """RFC 9111 section 4.3.4."""
        path = self.at(answer(b"state", cache_control="max-age=600", age="700", etag='"1"', content_length="5"))
        self.filled(path)
        again = self.ask(path)
        self.assert_miss(again, fwd="stale", fwd_status=304)
        self.assertEqual((200, b"state"), (again.status, bytes(again.body)))
        self.assertEqual('"1"', self.origin.asked(path)[1].get("if-none-match"))

    def test_those_who_wait_have_it_while_it_comes(self):
        held = Held(pattern(400_000), cache_control=FRESH)
        path = self.at(held)
        clients = [self.client(self.shared, timeout=60) for _ in range(20)]
        for client in clients:
            client.send(f"GET {path} HTTP/1.1\r\nHost: weir.test\r\n\r\n")
        heads = [client.head() for client in clients]
        held.open.set()
        for client, head in zip(clients, heads):
            self.assertEqual(pattern(400_000), bytes(client.rest_of(head).body))
        self.assertEqual(1, self.count(path))
        self.assert_hit(self.ask(path))

    def test_trailers_do_not_become_headers(self):
        """RFC 9110 section 6.5.1."""
        def page(server, stream, request, number):
            server.send_headers(stream, [(":status", "200"), ("cache-control", FRESH), ("trailer", "x-sum")])
            server.send_data(stream, b"summed", end=False)
            server.send_headers(stream, [("x-sum", "1")], end=True)
        hit = self.kept(self.at(page))
        self.assertEqual((b"summed", None), (bytes(hit.body), hit.get("x-sum")))

    def assert_never_kept(self, held):
        """A body that broke off is cut for its client, too, and the next one gets a whole one."""
        path = self.at(held)
        client = self.client(self.shared, timeout=60)
        client.send(f"GET {path} HTTP/1.1\r\nHost: weir.test\r\n\r\n")
        head = client.head()
        held.open.set()
        with self.assertRaises(Exception):
            client.rest_of(head)
        whole = self.ask(path)
        self.assert_miss(whole)
        self.assertEqual(held.body, bytes(whole.body))
        self.assertEqual(2, self.count(path))

    def test_a_body_whose_stream_is_reset_is_not_kept(self):
        """RFC 9111 section 3.3: an incomplete response."""
        reset = lambda server, stream: server.send_reset(stream, INTERNAL_ERROR)
        self.assert_never_kept(Held(pattern(200_000), reset, cache_control=FRESH))
        self.assert_never_kept(Held(pattern(200_000), reset, cache_control=FRESH, content_length="200000"))

    def test_a_body_whose_connection_goes_is_not_kept(self):
        self.assert_never_kept(Held(pattern(200_000), lambda server, stream: server.abort(), cache_control=FRESH))

    def test_a_body_shorter_than_it_said_is_not_kept(self):
        """RFC 9113 section 8.1.1: malformed."""
        short = lambda server, stream: server.send_data(stream, b"", end=True)
        self.assert_never_kept(Held(pattern(200_000), short, cache_control=FRESH, content_length="200000"))

    def test_a_stream_that_is_refused_costs_those_who_wait_nothing(self):
        path = self.at(lambda server, stream, request, number:
                       server.send_reset(stream, 7) if number == 1 else answer(cache_control=FRESH)(server, stream, request, number))
        first = self.ask(path)
        self.assertIn(first.status, (200, 502))
        self.assertEqual(200, self.ask(path).status)
        self.assert_hit(self.ask(path))


class Clients(CacheCase):
    """Those who ask speak HTTP/2, many streams on a connection."""

    caches = {"/": collapse(wait="60s")}

    def connected(self, **how):
        client = H2Client(self.shared.address, **how)
        self.addCleanup(client.close)
        return client

    def test_hits_on_many_streams_at_once(self):
        path = self.page(body=pattern(100_000), cache_control=FRESH)
        self.filled(path)
        client = self.connected()
        streams = [client.ask(target=path) for _ in range(20)]
        for stream in streams:
            response = client.response(stream)
            self.assert_hit(response)
            self.assertEqual(pattern(100_000), bytes(response.body))
        self.assertEqual(1, self.count(path))

    def test_ranges_and_heads_beside_them(self):
        path = self.page(body=pattern(100_000), cache_control=FRESH)
        self.filled(path)
        client = self.connected()
        part, none = client.ask(target=path, fields={"range": "bytes=-5"}), client.ask(target=path, fields={"range": "bytes=200000-"})
        head = client.ask("HEAD", path)
        self.assertEqual((206, pattern(100_000)[-5:]), (client.response(part).status, bytes(client.response(part).body)))
        self.assertEqual("bytes 99995-99999/100000", client.response(part).get("content-range"))
        self.assertEqual(416, client.response(none).status)
        self.assertEqual((200, "100000", b""), (client.response(head).status, client.response(head).get("content-length"),
                                               bytes(client.response(head).body)))

    def test_streams_of_one_connection_wait_for_one_another(self):
        body = pattern(200_000)
        path, go = self.in_halves(body)
        client = self.connected()
        streams = [client.ask(target=path) for _ in range(10)]
        for stream in streams:
            self.assertEqual(200, client.head(stream).status)
        go.set()
        self.assertEqual({body}, {bytes(client.response(stream).body) for stream in streams})
        self.assertEqual(1, self.count(path))

    def test_a_stream_that_its_client_resets_spoils_the_fill_for_nobody(self):
        body = pattern(200_000)
        path, go = self.in_halves(body)
        client = self.connected()
        leader, waiting = client.ask(target=path), client.ask(target=path)
        client.head(leader), client.head(waiting)
        client.send_reset(leader, CANCEL)
        self.assertEqual(404, client.get("/nothing").status)       # the reset has been read by now
        go.set()
        self.assertEqual((body, None), (bytes(client.response(waiting).body), client.message(waiting).reset))
        self.assertEqual(1, self.count(path))
        self.assert_hit(self.ask(path))

    def test_one_alone_that_its_client_resets_is_stored_or_asked_for_anew(self):
        body = pattern(200_000)
        path, go = self.in_halves(body)
        client = self.connected()
        stream = client.ask(target=path)
        client.head(stream)
        client.send_reset(stream, CANCEL)
        self.assertEqual(404, client.get("/nothing").status)
        go.set()
        again = client.get(path)
        self.assertEqual((200, body), (again.status, bytes(again.body)))
        self.assertEqual(body, bytes(self.becomes_hit(path).body))

    def test_a_stream_without_room_holds_up_no_other_and_no_fill(self):
        """RFC 9113 section 5.2: flow control is each stream's own."""
        body = pattern(400_000)
        path, go = self.in_halves(body)
        narrow, wide = self.connected(window=1000, grants=False), self.connected()
        stuck, free = narrow.ask(target=path), wide.ask(target=path)
        narrow.head(stuck), wide.head(free)
        go.set()
        self.assertEqual(body, bytes(wide.response(free).body))
        self.assert_hit(self.ask(path))
        narrow.grant(stuck, 1 << 20)
        self.assertEqual(body, bytes(narrow.response(stuck).body))
        self.assertEqual(1, self.count(path))

    def test_what_breaks_off_is_reset_for_all_and_not_kept(self):
        body = pattern(100_000)

        def script(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nCache-Control: {FRESH}\r\n\r\n")
            if number > 1:
                return connection.send(body)
            connection.send(body[:50_000])
            go.wait(60)
            connection.close()
        go = threading.Event()
        path = self.page(script)
        client = self.connected()
        streams = [client.ask(target=path) for _ in range(3)]
        for stream in streams:
            client.head(stream)
        go.set()
        for stream in streams:
            response = client.response(stream)
            self.assertFalse(response.complete)
            self.assertIsNotNone(response.reset)
        whole = self.ask(path)
        self.assert_miss(whole)
        self.assertEqual(body, bytes(whole.body))


class BothSides(Upstream):
    """The origin's promises once more, asked by HTTP/2."""

    def ask(self, target, method="GET", weir=None, fields=(), **words):
        pairs = [(word.replace("_", "-"), str(value)) for word, value in words.items()] + list(fields)
        with H2Client((weir or self.shared).address) as client:
            return client.request(method, target, pairs)


if __name__ == "__main__":
    unittest.main()
