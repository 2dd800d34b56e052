"""What is told to be forgotten is (by URL, prefix and tag, at the admin address and by PURGE), and so is what has
changed (RFC 9111 section 4.4)."""

import json
import unittest

from cache_case import CacheCase, Gate, Page, status_of
from cache_settings import PURGE_PATH, purge_order, serve_stale
from harness import fetch
from wire import RawClient, request_bytes

FRESH = "max-age=600"
HOST = "weir.test"


class PurgeCase(CacheCase):
    def purge(self, weir=None, **what):
        body = json.dumps(purge_order(**what)).encode()
        return fetch((weir or self.shared).admin, "POST", PURGE_PATH, {"Content-Type": "application/json"}, body)

    def purged(self, **what):
        response = self.purge(**what)
        self.assertEqual(200, response.status, bytes(response.body))
        self.assertIsInstance(response.json(), dict)

    def url(self, path, host=HOST):
        return f"http://{host}{path}"

    def stored(self, under="/", path=None, **what):
        path = self.page(under=under, path=path, **{"cache_control": FRESH, **what})
        self.filled(path)
        return path

    def is_stored(self, path, **how):
        """Whether it is answered without the origin; asks for it, so what was gone is back afterwards."""
        return status_of(self.ask(path, **how)).is_hit


class ByAdmin(PurgeCase):
    caches = {"/": {"name": "pages"}, "/other/": {"name": "other"}, "/user/": {"name": "users", "key": ["header.x-user"]},
              "/kind/": {"tags": ["x-tags"], **serve_stale(refreshing="1h", failing="1h")}}

    def test_a_url(self):
        path, other = self.stored(), self.stored()
        self.purged(url=self.url(path))
        self.assert_miss(self.ask(path), fwd="uri-miss")
        self.assertTrue(self.is_stored(other))
        self.assertTrue(self.is_stored(path), "what came afterwards stays")

    def test_a_url_in_any_of_its_forms(self):
        path = self.stored()
        for form in (f"http://WEIR.test{path}", f"http://{HOST}:80{path}", f"http://{HOST}/a/..{path}"):
            with self.subTest(form):
                self.purged(url=form)
                self.assertFalse(self.is_stored(path))

    def test_a_url_with_its_query(self):
        path = self.page(cache_control=FRESH)
        for query in ("", "?a=1", "?a=2"):
            self.filled(path + query)
        self.purged(url=self.url(path + "?a=1"))
        self.assertEqual([True, False, True], [self.is_stored(path + query) for query in ("", "?a=1", "?a=2")])

    def test_a_url_with_all_its_variants_and_users(self):
        """RFC 9111 section 4.4: invalidation concerns all responses for a URI."""
        path = self.page(cache_control=FRESH, vary="accept-language")
        for language in ("en", "de"):
            self.filled(path, accept_language=language)
        self.purged(url=self.url(path))
        self.assertFalse(self.is_stored(path, accept_language="en"))
        self.assertFalse(self.is_stored(path, accept_language="de"))
        path = self.page(under="/user/", cache_control=FRESH)
        for user in ("alice", "bob"):
            self.filled(path, x_user=user)
        self.purged(url=self.url(path))
        self.assertFalse(self.is_stored(path, x_user="alice"))
        self.assertFalse(self.is_stored(path, x_user="bob"))

    def test_a_prefix(self):
        inside = [self.stored(path=f"/shop/{name}") for name in ("a", "b/c", "d")]
        outside = [self.stored(path="/shopping/a"), self.stored(path="/a/shop/")]
        self.purged(prefix=self.url("/shop/"))
        self.assertEqual([False] * 3, [self.is_stored(path) for path in inside])
        self.assertEqual([True] * 2, [self.is_stored(path) for path in outside])

    def test_a_prefix_is_one_host_s(self):
        path = self.page(cache_control=FRESH)
        self.filled(path)
        self.filled(path, host="other.test")
        self.purged(prefix="http://other.test/")
        self.assertTrue(self.is_stored(path))
        self.assertFalse(self.is_stored(path, host="other.test"))

    def test_a_tag(self):
        news = [self.stored(surrogate_key="news sport"), self.stored(cache_tag="front, news"), self.stored(surrogate_key="news")]
        others = [self.stored(surrogate_key="newsroom"), self.stored(cache_tag="sport, front"), self.stored()]
        self.purged(tag="news")
        self.assertEqual([False] * 3, [self.is_stored(path) for path in news])
        self.assertEqual([True] * 3, [self.is_stored(path) for path in others])

    def test_tags_are_not_told_to_clients(self):
        path = self.page(cache_control=FRESH, surrogate_key="a b", cache_tag="c")
        unstored = self.page(cache_control="no-store", surrogate_key="a b", cache_tag="c")
        for response in (self.ask(path), self.ask(path), self.ask(unstored), self.ask(unstored, method="POST")):
            self.assertEqual((None, None), (response.get("surrogate-key"), response.get("cache-tag")))

    def test_tags_are_in_the_fields_that_the_route_names(self):
        path = self.stored(under="/kind/", x_tags="news", surrogate_key="kept")
        response = self.ask(path)
        self.assertEqual((None, "kept"), (response.get("x-tags"), response.get("surrogate-key")))
        self.purged(tag="kept")
        self.assertTrue(self.is_stored(path))
        self.purged(tag="news")
        self.assertFalse(self.is_stored(path))

    def test_a_soft_order_makes_stale(self):
        """What is stale is validated, or served while it is asked for anew."""
        path = self.stored(surrogate_key="soft-news", etag='"1"')
        self.purged(tag="soft-news", soft=True)
        self.assert_miss(self.ask(path), fwd="stale", fwd_status=304)
        self.assertTrue(self.is_stored(path))
        kind = self.stored(under="/kind/", x_tags="soft-kind")
        self.purged(tag="soft-kind", soft=True)
        self.assert_hit(self.ask(kind), detail="stale-while-revalidate")
        self.becomes_hit(kind, f"{kind} #2".encode())

    def test_what_is_made_stale_helps_when_the_origin_fails(self):
        """RFC 5861 section 4."""
        path = self.stored(under="/kind/", x_tags="soft-fail", cache_control="max-age=600, stale-while-revalidate=0")
        self.purged(tag="soft-fail", soft=True)
        self.page(lambda connection, *_: connection.reset(), path=path)
        self.assert_hit(self.ask(path), detail="stale-if-error")

    def test_a_hard_order_leaves_nothing_to_be_stale(self):
        path = self.stored(under="/kind/", x_tags="hard-kind")
        self.purged(tag="hard-kind")
        self.page(lambda connection, *_: connection.reset(), path=path)
        self.assertEqual(502, self.ask(path).status)

    def test_a_soft_url_and_a_soft_prefix(self):
        for what in ({"url": lambda path: path}, {"prefix": lambda path: path[:-1]}):
            path = self.stored(etag='"1"')
            self.purged(soft=True, **{kind: self.url(text(path)) for kind, text in what.items()})
            self.assert_miss(self.ask(path), fwd="stale", fwd_status=304)

    def test_all(self):
        path, other = self.stored(), self.stored(under="/other/")
        self.purged(name="pages", all=True)
        self.assertEqual((False, True), (self.is_stored(path), self.is_stored(other)))
        self.purged(all=True)
        self.assertEqual((False, False), (self.is_stored(path), self.is_stored(other)))

    def test_of_one_cache_alone(self):
        path, other = self.stored(surrogate_key="both"), self.stored(under="/other/", surrogate_key="both")
        self.purged(name="other", tag="both")
        self.assertEqual((True, False), (self.is_stored(path), self.is_stored(other)))

    def test_an_order_that_makes_no_sense_is_told_so(self):
        path = self.stored()
        for what in ({}, {"url": self.url("/a"), "tag": "b"}, {"name": "nobody", "all": True}, {"tag": ""}, {"url": 5},
                     {"page": "/"}):
            with self.subTest(what):
                self.assertIn(self.purge(**what).status, range(400, 500))
        for body in (b"", b"{", b"[]", b"news"):
            with self.subTest(body):
                self.assertIn(fetch(self.shared.admin, "POST", PURGE_PATH, body=body).status, range(400, 500))
        self.assertTrue(self.is_stored(path))

    def test_what_was_on_its_way_is_not_stored_as_if_it_had_come_later(self):
        """An answer that the origin gave before the order is older than it."""
        for order in ({"tag": "race"}, {"all": True}, None):
            with self.subTest(order):
                gate = Gate(Page(cache_control=FRESH, surrogate_key="race"), last=1)
                path = self.page(gate)
                asking = self.in_background(lambda: self.ask(path))
                gate.wait_held()
                self.purged(**(order or {"url": self.url(path)}))
                gate.open.set()
                self.assertEqual(200, asking.result().status)
                self.assertEqual(f"{path} #2".encode(), bytes(self.ask(path).body))

    def test_a_storm_of_orders_costs_no_request(self):
        path = self.stored()
        with self.client(self.shared.admin) as admin:
            for number in range(500):
                body = json.dumps(purge_order(tag=f"storm-{number}")).encode()
                self.assertEqual(200, admin.request("POST", PURGE_PATH, {"Content-Type": "application/json"}, body).status)
                if number % 50 == 0:
                    self.assertTrue(self.is_stored(path))
        self.assertTrue(self.is_stored(path))


class ByMethod(PurgeCase):
    caches = {"/": {"purge_from": ["127.0.0.1", "127.0.7.0/24"]}}

    def test_from_an_allowed_address(self):
        for source in ("127.0.0.1", "127.0.7.9"):
            path = self.stored()
            response = self.ask(path, method="PURGE", source=source)
            self.assertEqual(200, response.status)
            self.assertIn("application/json", response.get("content-type"))
            response.json()
            self.assert_miss(self.ask(path), fwd="uri-miss")
        self.assertEqual(0, self.count(path, "PURGE"), "the origin is not told")

    def test_from_another_address_it_is_refused_and_nothing_happens(self):
        path = self.stored()
        response = self.ask(path, method="PURGE", source="127.0.0.2")
        self.assertEqual(403, response.status)
        self.assertTrue(self.is_stored(path))
        self.assertEqual(0, self.count(path, "PURGE"))

    def test_an_address_that_is_only_claimed_is_none(self):
        path = self.stored()
        response = self.ask(path, method="PURGE", source="127.0.0.2", x_forwarded_for="127.0.0.1", forwarded="for=127.0.0.1")
        self.assertEqual(403, response.status)
        self.assertTrue(self.is_stored(path))

    def test_what_is_not_there_is_no_mistake(self):
        self.assertEqual(200, self.ask("/never-stored", method="PURGE", source="127.0.0.1").status)

    def test_it_means_that_very_url(self):
        path = self.page(cache_control=FRESH)
        for query in ("", "?a=1"):
            self.filled(path + query)
        self.filled(path, host="other.test")
        self.ask(path + "?a=1", method="PURGE", source="127.0.0.1")
        self.assertTrue(self.is_stored(path))
        self.assertTrue(self.is_stored(path, host="other.test"))
        self.assertFalse(self.is_stored(path + "?a=1"))


class UnsafeMethods(PurgeCase):
    caches = {"/": {}, "/user/": {"key": ["header.x-user"]}}

    def change(self, path, method="POST", status=200, **what):
        """A page for an unsafe method, and the request for it."""
        self.page(path=path, method=method, status=status, **what)
        return self.ask(path, method=method)

    def test_each_of_them_ends_what_is_stored_for_its_target(self):
        """RFC 9111 section 4.4."""
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method):
                path = self.stored()
                self.assert_miss(self.change(path, method), fwd="method")
                self.assertFalse(self.is_stored(path))

    def test_one_that_nobody_knows_is_unsafe(self):
        """RFC 9111 section 4.4: including methods whose safety is unknown."""
        path = self.stored()
        if self.change(path, "FROB").status < 400:
            self.assertFalse(self.is_stored(path))

    def test_a_redirect_is_a_success_too(self):
        """RFC 9111 section 4.4: 2xx and 3xx."""
        for status in (201, 204, 302, 303):
            with self.subTest(status):
                path = self.stored()
                self.change(path, status=status)
                self.assertFalse(self.is_stored(path))

    def test_an_error_changes_nothing(self):
        """RFC 9111 section 4.4: only a non-error status."""
        for status in (400, 403, 404, 500, 503):
            with self.subTest(status):
                path = self.stored()
                self.change(path, status=status)
                self.assertTrue(self.is_stored(path))

    def test_safe_methods_change_nothing(self):
        """RFC 9110 section 9.2.1."""
        path = self.stored()
        for method in ("OPTIONS", "HEAD"):
            self.change(path, method)
            self.assertTrue(self.is_stored(path))

    def test_thousands_of_them_leave_the_rest(self):
        """Of a cache whose keys are more than URLs, so that each is kept as an order to forget."""
        stored = self.page(under="/user/", cache_control=FRESH)
        changed = self.page(under="/user/", cache_control=FRESH)
        for path in (stored, changed + "?0", changed + "?4999"):
            self.filled(path, x_user="alice")
        self.page(path=changed, method="POST")
        with RawClient(self.shared.address) as client:
            for number in range(5000):
                self.assertEqual(200, client.request("POST", f"{changed}?{number}").status)
        self.assertTrue(self.is_stored(stored, x_user="alice"))
        for path in (changed + "?0", changed + "?4999"):
            self.assertFalse(self.is_stored(path, x_user="alice"))

    def test_all_its_variants_end(self):
        """RFC 9111 section 4.4: all stored responses for the URI."""
        path = self.page(cache_control=FRESH, vary="accept-language")
        for language in ("en", "de"):
            self.filled(path, accept_language=language)
        self.change(path)
        self.assertFalse(self.is_stored(path, accept_language="en"))
        self.assertFalse(self.is_stored(path, accept_language="de"))

    def test_its_location_ends_and_its_content_location(self):
        """RFC 9111 section 4.4."""
        for field in ("location", "content_location"):
            for write in (lambda path: path, self.url, lambda path: f"//{HOST}{path}", lambda path: path[1:],
                          lambda path: f"http://{HOST}:80{path}", lambda path: f"{path}#part", lambda path: f"/x/..{path}"):
                other, form = self.stored(), self.page(cache_control=FRESH)
                with self.subTest(field, value=write(other)):
                    self.change(form, status=201, **{field: write(other)})
                    self.assertFalse(self.is_stored(other))

    def test_those_of_another_origin_do_not(self):
        """RFC 9111 section 4.4: else one site could empty another's cache."""
        for field in ("location", "content_location"):
            for write in (lambda path: f"http://other.test{path}", lambda path: f"//other.test{path}",
                          lambda path: f"http://{HOST}:8080{path}", lambda path: f"http://{HOST}.other.test{path}"):
                path, form = self.page(cache_control=FRESH), self.page(cache_control=FRESH)
                target = write(path)
                with self.subTest(field, value=target):
                    host = target.split("//")[1].split("/")[0]
                    self.filled(path, host=host)
                    self.filled(path)
                    self.change(form, status=201, **{field: target})
                    self.assertTrue(self.is_stored(path, host=host))
                    self.assertTrue(self.is_stored(path))

    def test_a_nonsense_location_does_no_harm(self):
        for value in ("", "http://", "://", "http://[", "%", "/%zz", "\x80", "?", "http:" + "/" * 2000):
            with self.subTest(value):
                path = self.stored()
                self.assertEqual(201, self.change(path, status=201, location=value).status)
                self.assertFalse(self.is_stored(path))

    def test_what_was_on_its_way_is_older_than_the_change(self):
        """RFC 9111 section 4.4: an answer that the origin made before the change is not to be kept beyond it."""
        gate = Gate(last=1)
        path = self.page(gate)
        asking = self.in_background(lambda: self.ask(path))
        gate.wait_held()
        self.change(path)
        gate.open.set()
        self.assertEqual(200, asking.result().status)
        self.assertFalse(self.is_stored(path))

    def test_whoever_asks_after_the_change_does_not_wait_for_what_was_on_its_way(self):
        gate = Gate(last=1)
        path = self.page(gate)
        asking = self.in_background(lambda: self.ask(path))
        gate.wait_held()
        self.change(path)
        later = self.client(self.shared)
        later.send(request_bytes(target=path))
        response = later.response()
        gate.open.set()
        self.assertNotEqual(f"{path} #1".encode(), bytes(response.body))
        asking.result()


if __name__ == "__main__":
    unittest.main()
