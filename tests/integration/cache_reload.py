"""A reload changes the configuration and keeps what is stored; whatever it does to a cache, no request fails."""

import json
import threading
import unittest

from backend import pattern
from cache_case import CacheCase, Gate, Origin, Page, status_of
from cache_settings import CACHE_LABEL, HIT, PURGE_PATH, REQUESTS, STATUS_LABEL, cache, purge_order
from harness import eventually, fetch, settings
from wire import RawClient

FRESH = "max-age=600"


class Reload(CacheCase):
    def setUp(self):
        super().setUp()
        self.own = self.weir(self.with_cache())

    def with_cache(self, **block):
        return self.configured(self.origin, {"/": {"name": "pages", **block}}, workers=2)

    def stored(self, **what):
        path = self.page(**{"cache_control": FRESH, **what})
        self.filled(path, weir=self.own)
        return path

    def is_stored(self, path):
        return status_of(self.ask(path, weir=self.own)).is_hit

    def test_what_is_stored_stays(self):
        path = self.stored()
        for _ in range(3):
            self.own.reload()
            self.assert_hit(self.ask(path, weir=self.own))
        self.assertEqual(1, self.count(path))

    def test_what_is_stored_stays_when_other_settings_change(self):
        path = self.stored()
        self.own.reload(self.with_cache(ttl="5s", set_cookie=True, serve_stale={"if_error": "1h"}, bypass=["cookie.a"]))
        self.assert_hit(self.ask(path, weir=self.own))
        self.assert_miss(self.ask(path, weir=self.own, cookie="a=1"), fwd="bypass")

    def test_what_is_stored_stays_when_routes_and_upstreams_change(self):
        path = self.stored()
        other = self._kept(Origin())
        config = self.configured(other, {"/": {"name": "pages"}, "/more/": {}}, workers=2)
        self.own.reload(config)
        self.assert_hit(self.ask(path, weir=self.own))

    def test_a_file_that_is_refused_changes_nothing(self):
        path = self.stored()
        self.own.configure(self.with_cache(max_size="none"))
        self.own.reload(expect="failure")
        self.assert_hit(self.ask(path, weir=self.own))

    def test_another_name_is_another_cache(self):
        path = self.stored()
        self.own.reload(self.configured(self.origin, {"/": {"name": "others"}}, workers=2))
        self.assert_miss(self.ask(path, weir=self.own))

    def test_another_size_costs_no_request(self):
        path = self.stored()
        for size in ("64MiB", "512MiB", "33MiB"):
            self.own.reload(self.with_cache(max_size=size))
            self.assertEqual(200, self.ask(path, weir=self.own).status)
            self.assertTrue(self.is_stored(path))

    def test_under_load_no_request_fails(self):
        paths = [self.page(cache_control=FRESH, body=pattern(5000)) for _ in range(20)]
        stop, wrong, count = threading.Event(), [], [0]

        def ask(number):
            with RawClient(self.own.address) as client:
                while not stop.is_set():
                    response = client.get(paths[number % len(paths)] + f"?{number % 7}")
                    client.stream.received.clear()
                    number += 1
                    count[0] += 1
                    if (response.status, bytes(response.body)) != (200, pattern(5000)):
                        wrong.append(response)
                    if response.closes():
                        return ask(number)

        asking = [self.in_background(ask, number) for number in range(6)]
        for block in ({}, {"max_size": "64MiB"}, {"max_size": "128MiB", "ttl": "1s"}, {"max_object": "1KiB"}, {},
                      {"collapse": {"enabled": False}}, {}):
            before = count[0]
            self.own.reload(self.with_cache(**block))
            eventually(lambda: count[0] > before + 50, "requests go on")
        stop.set()
        for one in asking:
            one.result()
        self.assertEqual([], wrong[:3])

    def test_those_who_wait_get_their_answer_across_a_reload(self):
        gate = Gate(Page(cache_control=FRESH), last=1)
        path = self.page(gate)
        asking = [self.in_background(lambda: self.ask(path, weir=self.own)) for _ in range(5)]
        gate.wait_held()
        eventually(lambda: self.own.metric(settings.IN_FLIGHT) >= 5, "all of them wait")
        self.own.reload(self.with_cache(ttl="5s"))
        gate.open.set()
        self.assertEqual({f"{path} #1".encode()}, {bytes(one.result().body) for one in asking})
        self.assertTrue(self.is_stored(path))

    def test_those_who_wait_get_their_answer_when_the_cache_is_gone(self):
        gate = Gate(Page(cache_control=FRESH), last=1)
        path = self.page(gate)
        asking = [self.in_background(lambda: self.ask(path, weir=self.own)) for _ in range(5)]
        gate.wait_held()
        eventually(lambda: self.own.metric(settings.IN_FLIGHT) >= 5, "all of them wait")
        self.own.reload(self.without_cache())
        gate.open.set()
        self.assertEqual({f"{path} #1".encode()}, {bytes(one.result().body) for one in asking})
        self.assertIsNone(status_of(self.ask(path, weir=self.own)))

    def without_cache(self):
        config = self.configured(self.origin, workers=2)
        for route in config["routes"]:
            route["filters"] = []
        return config

    def test_a_body_that_is_coming_comes_whole_whatever_becomes_of_its_cache(self):
        body = pattern(300_000)
        for then in (self.without_cache(), self.with_cache(max_size="64MiB"), self.with_cache(key=["header.x-user"]),
                     self.with_cache(max_object="1KiB"), self.with_cache(name="others")):
            self.own.reload(self.with_cache())
            path, go = self.in_halves(body)
            clients = [self.client(self.own, timeout=60) for _ in range(4)]
            for client in clients:
                client.send(f"GET {path} HTTP/1.1\r\nHost: weir.test\r\n\r\n")
            heads = [client.head() for client in clients]
            self.own.reload(then)
            go.set()
            for client, head in zip(clients, heads):
                self.assertEqual(body, bytes(client.rest_of(head).body))
            self.assertEqual(1, self.count(path))
            self.assertEqual(body, bytes(self.ask(path, weir=self.own).body))

    def test_a_cache_that_comes_back_works(self):
        path = self.stored()
        self.own.reload(self.without_cache())
        self.assertIsNone(status_of(self.ask(path, weir=self.own)))
        self.own.reload(self.with_cache())
        self.ask(path, weir=self.own)
        self.assertTrue(self.is_stored(path))

    def test_another_key_under_load_gives_nobody_what_is_another_s(self):
        def script(connection, request, number):
            Page(body=f"{request.target} of {request.get('x-user')}", cache_control=FRESH, vary="x-user")(
                connection, request, number)
        paths = [self.page(script) for _ in range(5)]
        stop, wrong, count = threading.Event(), [], [0]

        def ask(user):
            while not stop.is_set():
                for path in paths:
                    response = self.ask(path, weir=self.own, x_user=user)
                    count[0] += 1
                    if (response.status, bytes(response.body)) != (200, f"{path} of {user}".encode()):
                        wrong.append((user, path, response))
        asking = [self.in_background(ask, f"user{number}") for number in range(4)]
        try:
            for block in ({"key": ["header.x-user"]}, {"key": ["path", "header.x-user"], "ttl": "1s"}, {"max_size": "64MiB"},
                          {"query": {"sort": True}, "max_size": "64MiB"}, {"key": ["header.x-user"]}, {"vary": {"max_variants": 2}}, {}):
                before = count[0]
                self.own.reload(self.with_cache(**block))
                eventually(lambda: count[0] > before + 40, "requests go on")
        finally:
            stop.set()
        for one in asking:
            one.result()
        self.assertEqual([], wrong[:3])
        for number in range(4):
            self.ask(paths[0], weir=self.own, x_user=f"user{number}")      # who hasn't come since the last one
            self.assert_hit(self.ask(paths[0], weir=self.own, x_user=f"user{number}"))

    def test_orders_to_forget_hold_after_a_reload(self):
        path, later = self.stored(surrogate_key="news"), self.stored(surrogate_key="late")
        order = lambda tag: fetch(self.own.admin, "POST", PURGE_PATH, {"Content-Type": "application/json"},
                                  json.dumps(purge_order(name="pages", tag=tag)).encode()).status
        self.assertEqual(200, order("news"))
        self.own.reload()
        self.assertFalse(self.is_stored(path))
        self.assertEqual(200, order("late"))
        self.assertFalse(self.is_stored(later))

    def test_counters_go_on(self):
        path = self.stored()
        hits = lambda: self.own.metric(REQUESTS, **{CACHE_LABEL: "pages", STATUS_LABEL: HIT})
        self.ask(path, weir=self.own)
        before = hits()
        self.own.reload(self.with_cache(ttl="5s"))
        self.assertGreaterEqual(hits(), before)
        self.ask(path, weir=self.own)
        self.assertEqual(before + 1, hits())


class TwoRoutes(CacheCase):
    def test_caches_of_one_name_are_one(self):
        config = self.configured(self.origin, {"/": {"name": "one"}})
        exact = settings.route({"path": settings.exact("/exact")}, "api", "exact", filters=[cache(name="one")])
        config["routes"].insert(0, exact)
        weir = self.weir(config)
        self.page(path="/exact", cache_control=FRESH)
        self.filled("/exact", weir=weir)
        config["routes"].pop(0)
        weir.reload(config)
        self.assert_hit(self.ask("/exact", weir=weir))


if __name__ == "__main__":
    unittest.main()
