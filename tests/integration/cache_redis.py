"""Two processes with a cache each and one Redis behind both: what one has filled the other finds, what one is told to
forget both forget, and a Redis that is gone is a miss."""

import contextlib
import json
import re
import socket
import threading
import time
import unittest

from backend import pattern
from cache_case import CacheCase, Gate, Origin, Page, status_of
from cache_settings import (IF_ERROR, PURGE_PATH, STORED_KEYS, STORED_PIECES, WHILE_REVALIDATE, purge_order, shared,
                            store)
from harness import PATIENCE, eventually, fetch, is_sanitized
from redis_server import RedisServer
from wire import RawClient, end, request_bytes, reset

FRESH = "max-age=600"
WITHIN = 1 if not is_sanitized() else 3             # seconds until an order is obeyed everywhere


class Relay:
    """Between a Weir and a unix socket, until it is cut."""

    def __init__(self, path):
        self.path, self.is_cut, self.pairs, self.sockets, self.threads = path, False, [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:%d" % self.listener.getsockname()[1]
        self._start(self._accept)

    def _start(self, *what):
        self.threads.append(threading.Thread(target=what[0], args=what[1:], daemon=True))
        self.threads[-1].start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                reset(near)
                continue
            far = socket.socket(socket.AF_UNIX)
            self.sockets += (near, far)
            try:
                far.connect(self.path)
            except OSError:
                reset(near)
                continue
            self.pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                self._start(self._carry, one, other)

    def _carry(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for sock in (one, other):
            end(sock)

    def cut(self):
        self.is_cut = True
        while self.pairs:
            for sock in self.pairs.pop():
                end(sock)

    def mend(self):
        self.is_cut = False

    def stop(self):
        self.cut()
        end(self.listener)
        for thread in self.threads:
            thread.join(20)
        for sock in (self.listener, *self.sockets):
            sock.close()


class Fleet(CacheCase):
    """`first` and `second` over one origin. The second one's way to Redis can be cut."""

    settings = {}                                   # of the caches

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)
        super().setUpClass()
        cls.first = cls.shared

    @classmethod
    def serve(cls):
        cls.origin = Origin()
        return {"origin": cls.origin}, cls.served(cls.redis.url)

    @classmethod
    def served(cls, url, timeout="1s"):
        return cls.configured(cls.origin, {"/": {**shared(), **cls.settings}}, **store(url, timeout=timeout))

    def setUp(self):
        super().setUp()
        self.relay = self._kept(Relay(self.redis.path))
        self.second = self.weir(self.served(self.relay.url))
        for weir in (self.first, self.second):
            self.finds_redis(weir)
        self.hears_of(self.first, self.second)

    def finds_redis(self, weir):
        for family in ("weir_store_state", "weir_cache_store_state"):
            eventually(lambda family=family: weir.metric(family, state="up") == 1, f"{family} is up")

    def hears_of(self, other, weir):
        """A store counts as up until it is found to be gone, and what names an order that a process hasn't read of yet is a
        miss there: so it has begun once it finds what the other has just filled."""
        eventually(lambda: self.passes_on(other, weir), "they know of each other")

    def passes_on(self, one, other):
        path = self.page(cache_control=FRESH)
        try:
            with self.reaching_redis(patience=2):
                self.ask(path, weir=one)
        except AssertionError:
            return False
        return status_of(self.ask(path, weir=other)).is_hit

    def keys(self):
        """Those of the responses in Redis."""
        return [line for line in self.redis.says(f"KEYS {STORED_KEYS}").split("\r\n") if line and line[0] not in "*$"]

    def filled_by(self, weir, under="/", **what):
        """A page that one process has filled, once it is in Redis."""
        path = self.page(under=under, **{"cache_control": FRESH, **what})
        with self.reaching_redis():
            self.filled(path, weir=weir)
        return path

    @contextlib.contextmanager
    def reaching_redis(self, patience=PATIENCE):
        """Ends when one more response is there."""
        before = len(self.keys())
        yield
        eventually(lambda: len(self.keys()) > before, "it is in Redis", patience)

    def purge(self, weir, **what):
        body = json.dumps(purge_order(**what)).encode()
        response = fetch(weir.admin, "POST", PURGE_PATH, {"Content-Type": "application/json"}, body)
        self.assertEqual(200, response.status, bytes(response.body))

    def number(self, weir, path, **how):
        """Which of the origin's answers a process gives."""
        response = self.ask(path, weir=weir, **how)
        self.assertEqual(200, response.status)
        return int(response.body.decode().split("#")[1])

    def assert_forgotten(self, weir, path, newer_than=1, patience=None):
        eventually(lambda: self.number(weir, path) > newer_than, "it is forgotten", patience or WITHIN)


class Shared(Fleet):
    def test_what_one_has_filled_is_a_hit_in_the_other(self):
        path = self.filled_by(self.first, x_kept="1", content_type="text/x-kept")
        response = self.ask(path, weir=self.second)
        self.assert_hit(response)
        self.assertEqual((f"{path} #1".encode(), "1", "text/x-kept"),
                         (bytes(response.body), response.get("x-kept"), response.get("content-type")))
        self.assertIsNotNone(response.get("age"))
        self.assert_hit(self.ask(path, weir=self.second))
        self.assertEqual(1, self.count(path))

    def test_and_the_other_way_round(self):
        path = self.filled_by(self.second)
        self.assert_hit(self.ask(path, weir=self.first))
        self.assertEqual(1, self.count(path))

    def test_its_age_goes_on(self):
        """RFC 9111 section 4.2.3: wherever it resided."""
        path = self.filled_by(self.first, age=100)
        response = self.ask(path, weir=self.second)
        status = self.assert_hit(response)
        self.assertIn(int(response.get("age")), range(100, 120))
        self.assertIn(status["ttl"], range(480, 501))

    def test_every_byte_comes_back(self):
        body = pattern(300_000)
        path = self.filled_by(self.first, body=body)
        response = self.ask(path, weir=self.second)
        self.assert_hit(response)
        self.assertEqual(body, bytes(response.body))

    def test_variants_are_found(self):
        """RFC 9111 section 4.1."""
        path = self.page(lambda connection, request, number: Page(
            body=request.get("accept-language", "-"), cache_control=FRESH, vary="accept-language")(connection, request, number))
        for language in ("en", "de"):
            with self.reaching_redis():
                self.filled(path, weir=self.first, accept_language=language)
        for language in ("en", "de"):
            response = self.ask(path, weir=self.second, accept_language=language)
            self.assert_hit(response)
            self.assertEqual(language.encode(), bytes(response.body))
        other = self.ask(path, weir=self.second, accept_language="fr")
        self.assert_miss(other)
        self.assertEqual(b"fr", bytes(other.body))

    def test_what_is_not_stored_is_not_there_either(self):
        for directives in ("no-store", "private, max-age=60"):
            path = self.page(cache_control=directives)
            self.ask(path, weir=self.first)
            self.assert_miss(self.ask(path, weir=self.second))

    def test_a_range_and_a_condition_are_answered_from_it(self):
        path = self.filled_by(self.first, body=pattern(1000), etag='"1"')
        part = self.ask(path, weir=self.second, range="bytes=10-19")
        self.assertEqual((206, pattern(1000)[10:20]), (part.status, bytes(part.body)))
        self.assertEqual(304, self.ask(path, weir=self.second, if_none_match='"1"').status)
        self.assertEqual(1, self.count(path))

    def test_it_survives_the_process(self):
        path = self.filled_by(self.first)
        third = self.weir(self.served(self.redis.url))
        self.hears_of(self.first, third)
        self.assert_hit(self.ask(path, weir=third))
        self.assertEqual(1, self.count(path))


class Limits(Fleet):
    settings = shared(max_object="4KiB")

    def test_a_larger_object_stays_in_its_process(self):
        path = self.page(body=pattern(10_000), cache_control=FRESH)
        self.filled(path, weir=self.first)
        small = self.filled_by(self.first)          # what was to be written before is written
        self.assert_hit(self.ask(small, weir=self.second))
        self.assert_hit(self.ask(path, weir=self.first))
        self.assert_miss(self.ask(path, weir=self.second))


class Large(Fleet):
    """A body in several pieces."""

    settings = shared(max_object="4MiB")

    def pieces(self):
        return [line for line in self.redis.says(f"KEYS {STORED_PIECES}").split("\r\n") if line and line[0] not in "*$"]

    def settled(self):
        """Waits until nothing is written to Redis: a process writes behind the response, piece by piece."""
        def writes():
            found = re.search(r"cmdstat_set:calls=(\d+)", self.redis.says("INFO commandstats"))
            return found and int(found[1])

        def is_still():
            before = writes()
            time.sleep(0.3)
            return writes() == before
        eventually(is_still, "no more writes")

    def filled_by(self, *arguments, **what):
        path = super().filled_by(*arguments, **what)
        self.settled()
        return path

    def test_a_long_body_lies_in_pieces_and_comes_back(self):
        body, before = pattern(2_500_000), set(self.pieces())
        path = self.filled_by(self.first, body=body)
        own = set(self.pieces()) - before
        self.assertEqual(10, len(own))
        for key in own:
            self.assertGreater(float(self.redis.says(f"TTL {key}").strip(":\r\n")), 0)
        response = self.ask(path, weir=self.second)
        self.assert_hit(response)
        self.assertEqual(body, bytes(response.body))

    def test_a_body_that_comes_anew_takes_the_place_of_the_older_one(self):
        before = set(self.pieces())
        path = self.filled_by(self.first, body=pattern(2_500_000))
        for letter in "ab":
            self.page(body=letter * 2_000_000, cache_control=FRESH, path=path)
            self.assertEqual(letter.encode() * 2_000_000, bytes(self.ask(path, weir=self.first, cache_control="no-cache").body))
            self.settled()
        self.assertEqual(10, len(set(self.pieces()) - before))
        response = self.ask(path, weir=self.second)
        self.assert_hit(response)
        self.assertEqual(b"b" * 2_000_000, bytes(response.body))

    def test_a_body_with_a_piece_missing_or_cut_is_a_miss(self):
        for harm in ("DEL {}", "SET {} short"):
            with self.subTest(harm):
                self.settled()
                before = set(self.pieces())
                path = self.filled_by(self.first, body=pattern(2_500_000))
                self.redis.says(harm.format((set(self.pieces()) - before).pop()))
                response = self.ask(path, weir=self.second)
                self.assertEqual((200, pattern(2_500_000)), (response.status, bytes(response.body)))
                self.assert_miss(response)


class Stale(Fleet):
    """What Redis holds past its time is used by the rules of what memory holds (RFC 5861)."""

    def test_while_it_is_refreshed(self):
        path = self.filled_by(self.first, age=700, cache_control="max-age=600, stale-while-revalidate=6000")
        gate = Gate(Page(cache_control=FRESH))
        self.page(gate, path=path)
        for _ in range(3):
            response = self.ask(path, weir=self.second)
            self.assertEqual(f"{path} #1".encode(), bytes(response.body))
            self.assert_stale_hit(response, WHILE_REVALIDATE)
        gate.wait_held()
        self.assertEqual(2, self.count(path))
        gate.open.set()
        eventually(lambda: self.number(self.second, path) == 2, "it is refreshed", WITHIN)

    def test_when_the_origin_fails(self):
        path = self.filled_by(self.first, age=700, cache_control="max-age=600, stale-if-error=6000")
        self.page(lambda connection, *_: connection.reset(), path=path)
        clients = [self.client(self.second) for _ in range(8)]
        for client in clients:
            client.send(request_bytes(target=path))
        for client in clients:
            response = client.response()
            self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))
            self.assert_stale_hit(response, IF_ERROR)

    def test_it_is_validated(self):
        path = self.filled_by(self.first, age=700, cache_control="max-age=600, stale-if-error=6000", etag='"1"',
                              fields_304=[("Age", "0")])
        self.assertEqual(1, self.number(self.second, path))
        self.assertEqual([200, 304], [request.answered for request in self.origin.asked(path)])
        self.assert_hit(self.ask(path, weir=self.second))

    def test_not_when_it_must_be_revalidated(self):
        path = self.filled_by(self.first, cache_control="max-age=1, must-revalidate, stale-if-error=6000")
        self.page(lambda connection, *_: connection.reset(), path=path)
        eventually(lambda: self.ask(path, weir=self.second).status >= 500, "it is over, and not used")


class Forgetting(Fleet):
    def both(self, **what):
        """A page that both have in memory."""
        path = self.filled_by(self.first, **what)
        self.assert_hit(self.ask(path, weir=self.second))
        return path

    def test_a_tag_purged_on_one_is_gone_from_both(self):
        for one, other in ((self.first, self.second), (self.second, self.first)):
            path, kept = self.both(surrogate_key="news"), self.both(surrogate_key="sport")
            self.purge(one, tag="news")
            self.assertEqual(2, self.number(one, path))
            self.assert_forgotten(other, path)
            self.assertEqual((1, 1), (self.number(one, kept), self.number(other, kept)))
            self.assertEqual(1, self.count(kept))

    def test_so_are_urls_prefixes_and_all(self):
        for what in ("url", "prefix", "all"):
            with self.subTest(what):
                path = self.both()
                self.purge(self.first, **({"all": True} if what == "all" else {what: f"http://weir.test{path}"}))
                self.assertEqual(2, self.number(self.first, path))
                self.assert_forgotten(self.second, path)

    def test_a_soft_order_is_soft_everywhere(self):
        path = self.both(surrogate_key="soft", etag='"1"')
        self.purge(self.first, tag="soft", soft=True)
        eventually(lambda: 304 in [request.answered for request in self.origin.asked(path)] or
                   not self.number(self.second, path), "validated", WITHIN)
        self.assertEqual((1, 1), (self.number(self.first, path), self.number(self.second, path)))

    def test_what_is_in_redis_alone_is_forgotten_too(self):
        path = self.filled_by(self.first, surrogate_key="cold")
        self.purge(self.first, tag="cold")
        third = self.weir(self.served(self.redis.url))
        self.finds_redis(third)
        self.assertGreater(self.number(third, path), 1)

    def test_an_unsafe_method_on_one_is_felt_by_both(self):
        """RFC 9111 section 4.4."""
        path = self.both()
        self.page(path=path, method="POST")
        self.ask(path, method="POST", weir=self.first)
        newest = self.number(self.first, path)
        self.assertGreater(newest, 1)
        self.assert_forgotten(self.second, path)

    def test_a_url_of_any_length_is_told(self):
        """Longer than an order to forget may be."""
        path = self.page(cache_control=FRESH)
        self.page(path=path, method="POST")
        target, host = f"{path}?{'x' * 8100}", ".".join(["a" * 60] * 4)
        with self.reaching_redis():
            self.filled(target, weir=self.first, host=host)
        self.assert_hit(self.ask(target, weir=self.second, host=host))
        self.assertEqual(200, self.ask(target, method="POST", weir=self.first, host=host).status)
        eventually(lambda: not status_of(self.ask(target, weir=self.second, host=host)).is_hit, "it is forgotten", WITHIN)

    def test_a_flood_of_changes_leaves_what_they_do_not_concern(self):
        """More of them than the log keeps."""
        both, kept = self.both(surrogate_key="kept"), self.filled_by(self.first)
        changed = self.page(cache_control=FRESH)
        last = f"{changed}?4499"
        with self.reaching_redis():
            self.filled(last, weir=self.first)
        self.page(path=changed, method="POST")
        with RawClient(self.first.address) as client:
            for number in range(4500):
                self.assertEqual(200, client.request("POST", f"{changed}?{number}").status)
        eventually(lambda: not status_of(self.ask(last, weir=self.second)).is_hit, "the last is heard of", 60)
        for weir in (self.first, self.second):
            self.assert_hit(self.ask(both, weir=weir))
            self.assert_hit(self.ask(kept, weir=weir))

    def cut(self):
        self.relay.cut()
        eventually(lambda: self.second.metric("weir_store_state", state="up") == 0, "the second one knows that Redis is gone")

    def test_one_that_was_cut_off_obeys_when_it_is_back(self):
        path, kept = self.both(surrogate_key="missed"), self.both(surrogate_key="other")
        self.cut()
        self.purge(self.first, tag="missed")
        self.assertEqual(2, self.number(self.first, path))
        self.assertEqual(200, self.ask(path, weir=self.second).status)
        self.relay.mend()
        self.assert_forgotten(self.second, path, patience=10)
        self.assertEqual(1, self.number(self.second, kept))

    def test_what_one_was_told_while_it_was_cut_off_is_told_to_all(self):
        path = self.both(surrogate_key="told")
        self.cut()
        self.purge(self.second, tag="told")
        self.assertGreater(self.number(self.second, path), 1)
        self.relay.mend()
        self.assert_forgotten(self.first, path, patience=10)

    def test_orders_in_hundreds_while_one_is_cut_off(self):
        paths = [self.both(surrogate_key=f"many-{number}") for number in range(3)]
        self.cut()
        for number in range(300):
            self.purge(self.first, tag=f"many-{number}")
        self.relay.mend()
        for path in paths:
            self.assert_forgotten(self.second, path, patience=10)


class Trouble(Fleet):
    """A Redis of its own for each test, to be harmed."""

    def setUp(self):
        self.redis = self._kept(RedisServer())
        super().setUp()
        self.weir_at = lambda: self.weir(self.served(self.redis.url, timeout="50ms"))

    def hears_of(self, other, weir):
        """The first one has another Redis."""
        eventually(lambda: self.passes_on(weir, weir), "it finds its Redis")

    def assert_serves(self, weir, seconds=1.0):
        """All requests are answered, from memory or from the origin, for a while."""
        ends = time.monotonic() + seconds
        kept = self.page(cache_control=FRESH)
        self.ask(kept, weir=weir)
        while time.monotonic() < ends:
            path = self.page(cache_control=FRESH)
            response = self.ask(path, weir=weir)
            self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))
            self.assert_hit(self.ask(path, weir=weir))
            self.assert_hit(self.ask(kept, weir=weir))

    def test_a_redis_that_has_lost_its_orders_leaves_what_may_stand_in(self):
        weir = self.weir_at()
        self.finds_redis(weir)
        self.hears_of(weir, weir)
        path = self.filled_by(weir, cache_control="max-age=600, stale-if-error=6000", etag='"1"')
        self.assert_hit(self.ask(path, weir=weir))
        self.redis.says("FLUSHALL")
        self.assertIn("validated", weir.events("cache_purges_lost")[0])
        self.page(lambda connection, *_: connection.reset(), path=path)
        response = self.ask(path, weir=weir)
        self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))
        self.assertIn(f"hit; ttl=0; detail={IF_ERROR}", response.get("cache-status"))

    def test_a_redis_that_has_lost_its_orders_has_what_is_stored_validated(self):
        weir = self.weir_at()
        self.finds_redis(weir)
        self.hears_of(weir, weir)
        path = self.filled_by(weir, etag='"1"', fields_304=[("Age", "0")])
        self.redis.kill()
        self.redis.start()
        weir.events("cache_purges_lost")
        self.assertEqual(1, self.number(weir, path))
        self.assertEqual([200, 304], [request.answered for request in self.origin.asked(path)])
        self.assert_hit(self.ask(path, weir=weir))
        eventually(lambda: weir.metric("weir_cache_purge_logs_lost_total") == 1, "it is counted")

    def test_a_redis_that_has_lost_its_orders_is_no_matter_to_a_cache_that_had_none(self):
        self.second.stop()                          # its cache is shared, so it would tell of a loss
        weir = self.weir(self.configured(self.origin, {"/": self.settings}, **store(self.redis.url)))
        self.finds_redis(weir)
        path = self.page(cache_control=FRESH)
        self.filled(path, weir=weir)
        eventually(lambda: "*0" not in (self.redis.says("KEYS weir:*purges*") or "*0"), "it has marked the log")
        self.redis.says("FLUSHALL")
        self.assertIn("consequence=none", weir.events("cache_purges_lost")[0])
        self.assert_hit(self.ask(path, weir=weir))
        self.assertEqual(1, self.count(path))

    def test_a_redis_that_is_killed_makes_misses_and_no_errors(self):
        weir = self.weir_at()
        self.finds_redis(weir)
        path = self.filled_by(weir)
        harm = self.in_background(lambda: (time.sleep(0.3), self.redis.kill()))
        self.assert_serves(weir)
        harm.result()
        self.assert_hit(self.ask(path, weir=weir))
        self.redis.start()
        self.finds_redis(weir)
        self.filled_by(weir)

    def test_a_redis_that_hangs_makes_misses_and_no_errors(self):
        weir = self.weir_at()
        self.finds_redis(weir)
        harm = self.in_background(lambda: (time.sleep(0.3), self.redis.pause()))
        self.assert_serves(weir)
        harm.result()
        started = time.monotonic()
        self.ask(self.page(cache_control=FRESH), weir=weir)
        self.assertLess(time.monotonic() - started, 1)
        self.redis.resume()

    def test_a_redis_that_is_full_makes_misses_and_no_errors(self):
        weir = self.weir_at()
        self.finds_redis(weir)
        self.redis.says("CONFIG SET maxmemory-policy noeviction")
        self.redis.says("CONFIG SET maxmemory 1")
        self.assert_serves(weir)

    def test_pages_leave_a_quarter_of_redis_to_orders_and_counts(self):
        self.redis.says("CONFIG SET maxmemory-policy noeviction")
        self.redis.says("CONFIG SET maxmemory 24mb")
        one, other = self.weir_at(), self.weir_at()
        for weir in (one, other):
            self.finds_redis(weir)
        self.hears_of(one, other)
        kept = self.filled_by(one)
        self.assert_hit(self.ask(kept, weir=other))
        for body in [pattern(200_000)] * 120 + [pattern(10_000)] * 200 + [b"short"] * 500:
            self.ask(self.page(body=body, cache_control=FRESH), weir=one)
        eventually(lambda: one.metric("weir_cache_store_full_total") > 100, "the last ones are left out")
        self.assertLess(self.used(), 0.77 * (24 << 20))
        self.purge(one, url=f"http://weir.test{kept}")
        self.assert_forgotten(other, kept, patience=10)

    def used(self):
        return int(re.search(r"used_memory:(\d+)", self.redis.says("INFO memory"))[1])

    def test_a_start_without_redis_is_a_cache_in_memory(self):
        self.redis.kill()
        weir = self.weir_at()
        self.assert_serves(weir, seconds=0.2)

    def test_what_is_no_response_of_ours_is_a_miss(self):
        path = self.filled_by(self.second, body=pattern(5000))
        for value in ("garbage", "", "\\x00", "0" * 5000):
            for key in self.keys():
                self.redis.says(f'SET {key} "{value}"')
            with self.subTest(value[:10]):
                weir = self.weir_at()
                self.finds_redis(weir)
                response = self.ask(path, weir=weir)
                self.assertEqual((200, pattern(5000)), (response.status, bytes(response.body)))
                self.assert_miss(response)


if __name__ == "__main__":
    unittest.main()
