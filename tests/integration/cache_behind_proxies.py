"""Behind a proxy that is trusted, a URL is what that one says: its scheme is in the key, and whatever else the origin is told
of the URL makes a copy of its own. What a stranger says of that counts for nothing."""

import json
import unittest

from cache_case import CacheCase, Page, status_of
from cache_poisoning import EVIL, FRESH, reflecting
from cache_settings import PURGE_PATH, cache_status, purge_order
from harness import fetch, settings

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
TOLD = ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")


def upgrading(connection, request, number):
    """An origin that wants everybody to come by https, and tells them so for good."""
    told = request.get("x-forwarded-proto") or request.get("forwarded", "")
    if "https" in told.split(", for=")[0]:
        page = Page(body=b"secret", cache_control=FRESH)
    else:
        page = Page(status=301, location=f"https://weir.test{request.target}", cache_control=FRESH)
    page(connection, request, number)


class BehindAProxy(CacheCase):
    caches = {"/": {"purge_from": [f"{PROXY}/32"], **cache_status(key=True)}}
    more = settings.forwarded(trusted_proxies=[f"{PROXY}/32"])

    def told(self, path, proto=None, host=None, port=None, source=PROXY, **more):
        fields = [(name, value) for name, value in zip(TOLD, (proto, host, port)) if value is not None]
        return self.ask(path, fields=fields, source=source, **more)

    def purged(self, url):
        order = json.dumps(purge_order(url=url)).encode()
        return fetch(self.shared.admin, "POST", PURGE_PATH, {"Content-Type": "application/json"}, order).status

    def assert_own_copies(self, path, *ways):
        """Each way to ask has a copy that no other one gets."""
        bodies = [bytes(self.told(path, **way).body) for way in ways]
        self.assertEqual(len(ways), len(set(bodies)), bodies)
        for way, body in zip(ways, bodies):
            again = self.told(path, **way)
            self.assert_hit(again)
            self.assertEqual(body, bytes(again.body), way)


class Schemes(BehindAProxy):
    def test_a_redirect_to_https_is_not_for_those_who_came_by_https(self):
        """RFC 9110 section 4.2.2: http and https are different origins."""
        path = self.page(upgrading)
        for _ in range(2):
            self.assertEqual(301, self.told(path, "http").status)
            self.assertEqual(301, self.told(path).status)
            self.assertEqual((200, b"secret"), (self.told(path, "https").status, bytes(self.told(path, "HTTPS").body)))
        self.assertEqual(2, self.count(path))

    def test_a_stranger_s_word_for_its_scheme_is_none(self):
        path = self.page(upgrading)
        self.assertEqual(301, self.told(path, "https", source=STRANGER).status)
        self.assertEqual(200, self.told(path, "https").status)
        self.assertEqual(301, self.told(path, "https", source=STRANGER).status)

    def test_the_url_of_the_key_has_it(self):
        path = self.page(cache_control=FRESH)
        self.assertEqual(f"https://weir.test{path}", status_of(self.told(path, "https"))["key"])

    def test_a_chain_of_schemes_is_another_word_than_its_first(self):
        path = self.page(reflecting("X-Forwarded-Proto"))
        self.assert_own_copies(path, {"proto": "https"}, {"proto": "https, http"}, {"proto": "http, https"}, {"proto": EVIL},
                               {"proto": "http"})

    def test_an_order_for_the_url_of_one_scheme_leaves_the_other(self):
        path = self.page(cache_control=FRESH)
        for proto in ("http", "https"):
            self.assert_miss(self.told(path, proto))
        self.assertEqual(200, self.purged(f"https://weir.test{path}"))
        self.assert_miss(self.told(path, "https"))
        self.assert_hit(self.told(path, "http"))
        self.assertEqual(200, self.told(path, "https", method="PURGE").status)
        self.assert_miss(self.told(path, "https"))
        self.assert_hit(self.told(path, "http"))

    def test_a_location_with_the_scheme_as_told_is_of_the_same_origin(self):
        """RFC 9111 section 4.4."""
        path, other = self.page(cache_control=FRESH), self.page(cache_control=FRESH)
        self.page(method="POST", path=path, status=201, location=f"https://weir.test{other}")
        self.told(other, "https")
        self.assertEqual(201, self.told(path, "https", method="POST").status)
        self.assert_miss(self.told(other, "https"))


class HostsAndPorts(BehindAProxy):
    def test_each_host_that_is_told_has_its_own_copy(self):
        path = self.page(reflecting("X-Forwarded-Host"))
        self.assert_own_copies(path, {"host": EVIL}, {}, {"host": f"weir.test, {EVIL}"}, {"host": f"{EVIL}, weir.test"})

    def test_each_port_that_is_told_has_its_own_copy(self):
        path = self.page(reflecting("X-Forwarded-Port"))
        self.assert_own_copies(path, {"port": "1234"}, {}, {"port": "12345"})

    def test_by_which_port_the_client_came_is_not_for_all_to_have(self):
        """What fills the cache is asked for by the URL's own port; what passes tells the real one."""
        path = self.page(reflecting("X-Forwarded-Port"))
        for host, port in (("weir.test", b"80"), ("weir.test:8443", b"8443")):
            self.assertIn(port, bytes(self.ask(path, host=host).body))
        passing = self.ask(self.page(reflecting("X-Forwarded-Port")), cache_control="no-store")
        self.assertIn(self.shared.address.rpartition(":")[2].encode(), bytes(passing.body))

    def test_no_two_of_these_words_make_the_same_key(self):
        path = self.page(reflecting(*TOLD))
        self.assert_own_copies(path, {"host": EVIL}, {"port": EVIL}, {"proto": EVIL}, {"host": f"{EVIL}\t1"},
                               {"host": EVIL, "port": "1"})

    def test_what_the_url_says_anyway_makes_no_copies(self):
        path = self.page(cache_control=FRESH)
        self.assert_miss(self.told(path, "https"))
        for words in ({"host": "weir.test"}, {"host": "WEIR.test"}, {"port": "443"}, {"host": "weir.test", "port": "443"}):
            with self.subTest(words):
                self.assert_hit(self.told(path, "https", **words))

    def test_what_a_stranger_tells_makes_no_copies_and_reaches_nobody(self):
        path = self.page(reflecting(*TOLD, "Forwarded"))
        lies = {"proto": "https", "host": EVIL, "port": "1234"}
        first = self.told(path, source=STRANGER, forwarded=f"host={EVIL}", **lies)
        self.assertNotIn(EVIL, first.body.decode())
        self.assert_hit(self.told(path, source=STRANGER))
        self.assert_hit(self.told(path))

    def test_a_prefix_reaches_no_origin_that_fills_the_cache(self):
        path = self.page(reflecting("X-Forwarded-Prefix"))
        self.ask(path, x_forwarded_prefix=f"/{EVIL}", source=PROXY)
        self.assertNotIn(EVIL, self.ask(path, source=PROXY).body.decode())

    def test_a_change_ends_all_copies_of_its_url(self):
        """RFC 9111 section 4.4."""
        path = self.page(reflecting("X-Forwarded-Host"))
        self.page(method="POST", path=path, status=204)
        ways = ({}, {"host": EVIL}, {"port": "1234"})
        for changing in ways:
            for way in ways:
                self.told(path, **way)
                self.assert_hit(self.told(path, **way))
            self.assertEqual(204, self.told(path, method="POST", **changing).status)
            for way in ways:
                self.assert_miss(self.told(path, **way))

    def test_orders_for_a_url_end_all_copies_of_it(self):
        path = self.page(reflecting("X-Forwarded-Host"))
        for order in (lambda: self.purged(f"http://weir.test{path}"), lambda: self.told(path, method="PURGE").status):
            for way in ({}, {"host": EVIL}):
                self.told(path, **way)
            self.assertEqual(200, order())
            for way in ({}, {"host": EVIL}):
                self.assert_miss(self.told(path, **way))


class ByForwarded(BehindAProxy):
    """RFC 7239."""

    more = settings.forwarded(style="rfc7239", trusted_proxies=[f"{PROXY}/32"])

    def test_a_redirect_to_https_is_not_for_those_who_came_by_https(self):
        path = self.page(upgrading)
        for _ in range(2):
            self.assertEqual(301, self.ask(path, forwarded="for=192.0.2.1;proto=http").status)
            self.assertEqual(200, self.ask(path, forwarded="for=192.0.2.2;proto=https").status)
            self.assertEqual(200, self.ask(path, forwarded='for=192.0.2.3;Proto="https";host=weir.test').status)
            self.assertEqual(301, self.ask(path, forwarded="for=192.0.2.1;proto=https", source=STRANGER).status)
        self.assertEqual(2, self.count(path))

    def test_each_host_that_is_told_has_its_own_copy(self):
        path = self.page(reflecting("Forwarded"))
        told = [f"for=192.0.2.1;host={host}" for host in (EVIL, "weir.test", f"weir.test, for=192.0.2.1;host={EVIL}")]
        bodies = [bytes(self.ask(path, forwarded=value).body) for value in told]
        self.assertEqual(3, len(set(bodies)), bodies)
        for value, body in zip(told, bodies):
            self.assertEqual(body, bytes(self.ask(path, forwarded=value).body))
        self.assertEqual(3, self.count(path))

    def test_the_other_family_of_fields_is_not_believed(self):
        path = self.page(reflecting(*TOLD))
        self.assert_miss(self.told(path, "https", EVIL, "1234"))
        self.assert_hit(self.told(path))


class AsTheyCome(BehindAProxy):
    """Where Weir adds nothing itself, the origin reads both families of a trusted proxy."""

    more = settings.forwarded(style="none", trusted_proxies=[f"{PROXY}/32"])

    def test_both_families_make_copies(self):
        path = self.page(reflecting("Forwarded", *TOLD))
        self.assert_own_copies(path, {"proto": "https"}, {"host": EVIL}, {"forwarded": f"host={EVIL}"}, {},
                               {"proto": "http", "forwarded": "proto=https"}, {"host": EVIL, "forwarded": f"host={EVIL}"})


if __name__ == "__main__":
    unittest.main()
