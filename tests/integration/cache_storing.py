"""What a shared cache keeps, and what it must not (RFC 9111 section 3), by what responses, requests and the route say."""

import unittest

from backend import chunk, pattern
from cache_case import CacheCase, Page, http_date, status_of
from cache_settings import TARGETED, TARGETED_FOR_ALL, cache, query, vary
from h2_wire import H2Client
from harness import WeirCase, free_address, settings
from settings import route
from websocket_peers import EchoBackend, WebSocketClient
from wire import Closed, Cut

FRESH = "max-age=60"
HEURISTIC = (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)    # RFC 9110 section 15.1, but for 206


class ByStatus(CacheCase):
    def test_a_final_status_with_a_lifetime_is_stored(self):
        """RFC 9111 section 3: what says how long it is fresh, whatever its status."""
        for status in (*HEURISTIC, 302, 303, 307, 400, 403, 418):
            with self.subTest(status):
                self.assert_reused(self.page(status=status, cache_control=FRESH))

    def test_by_heuristics_those_that_are_defined_as_cacheable(self):
        """RFC 9111 section 4.2.2, RFC 9110 section 15.1."""
        for status in HEURISTIC:
            with self.subTest(status):
                self.assert_reused(self.page(status=status, last_modified=http_date(100_000), date=http_date()))

    def test_by_heuristics_no_other(self):
        """RFC 9111 section 4.2.2: unless the response is marked as cacheable, as by `public`."""
        for status in (302, 303, 307, 400, 401, 403, 429, 500, 502, 503, 504):
            with self.subTest(status):
                self.assert_not_stored(self.page(status=status, last_modified=http_date(100_000), date=http_date()))

    def test_by_heuristics_any_that_is_public(self):
        """RFC 9111 section 4.2.2."""
        path = self.page(status=302, cache_control="public", last_modified=http_date(100_000), date=http_date())
        self.assert_reused(path)

    def test_without_any_lifetime_nothing_is_reused(self):
        """RFC 9111 section 4.2: no explicit lifetime, and none by heuristics."""
        for status in (200, 404):
            self.assert_not_reused(self.page(status=status))

    def test_a_part_is_never_taken_for_the_whole(self):
        """RFC 9111 section 3.3: an incomplete response answers no request for all of it."""
        path = self.page(body=b"01234", status=206, cache_control=FRESH, content_range="bytes 0-4/10")
        self.assert_not_reused(path)
        self.page(path=path, body=b"0123456789", cache_control=FRESH)
        whole = self.ask(path)
        self.assertEqual((200, b"0123456789"), (whole.status, bytes(whole.body)))

    def test_a_304_that_nobody_asked_for_is_not_stored(self):
        """RFC 9111 section 3: a 304 is not to be stored as a response."""
        path = self.page(status=304, cache_control=FRESH, etag='"1"', validates=False)
        self.ask(path)
        self.page(path=path, body=b"whole", cache_control=FRESH)
        whole = self.ask(path)
        self.assertEqual((200, b"whole"), (whole.status, bytes(whole.body)))

    def test_interim_responses_are_no_responses(self):
        """RFC 9110 section 15.2: the final one is stored."""
        def early_hints(connection, request, number):
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nCache-Control: no-store\r\n\r\n")
            Page(cache_control=FRESH)(connection, request, number)
        second = self.assert_reused(self.page(early_hints))
        self.assertEqual((200, []), (second.status, second.interim))


class ByDirectives(CacheCase):
    def test_no_store(self):
        """RFC 9111 section 5.2.2.5."""
        for directives in ("no-store", "max-age=60, no-store", "NO-STORE, max-age=60", "public,no-store,max-age=60"):
            with self.subTest(directives):
                self.assert_not_stored(self.page(cache_control=directives))

    def test_private(self):
        """RFC 9111 section 5.2.2.7."""
        for directives in ("private", "max-age=60, private", "Private, s-maxage=60", "private, public, max-age=60"):
            with self.subTest(directives):
                self.assert_not_stored(self.page(cache_control=directives))

    def test_fields_that_are_private_reach_no_second_client(self):
        """RFC 9111 section 5.2.2.7, the qualified form."""
        path = self.page(cache_control='max-age=60, private="x-user, x-account"', x_user="alice", x_account="7", x_all="1")
        self.assertEqual("alice", self.ask(path).get("x-user"))
        self.page(path=path, cache_control=FRESH, x_all="1")
        second = self.ask(path)
        self.assertEqual((None, None, "1"), (second.get("x-user"), second.get("x-account"), second.get("x-all")))

    def test_must_understand_makes_little_of_no_store_where_the_status_is_understood(self):
        """RFC 9111 section 5.2.2.3."""
        self.assert_reused(self.page(cache_control="must-understand, no-store, max-age=60"))

    def test_must_understand_forbids_what_is_not_understood(self):
        """RFC 9111 section 5.2.2.3."""
        for status in (299, 499):
            with self.subTest(status):
                self.assert_not_stored(self.page(status=status, cache_control="must-understand, max-age=60"))
                self.assert_not_stored(self.page(status=status, cache_control="must-understand, no-store, max-age=60"))

    def test_a_directive_is_none_inside_of_quotes(self):
        """RFC 9111 section 5.2: an argument may be a quoted string."""
        self.assert_reused(self.page(cache_control='community="UCI, no-store, private", max-age=60'))
        self.assert_reused(self.page(cache_control='a="\\", no-store", max-age=60'))

    def test_unknown_directives_are_ignored(self):
        """RFC 9111 section 5.2.3."""
        self.assert_reused(self.page(cache_control="max-age=60, no-storey, x-private=1, pre-check=0"))

    def test_directives_are_found_on_any_line(self):
        """RFC 9110 section 5.3: several lines are one list."""
        self.assert_not_stored(self.page(fields=[("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")]))
        self.assert_reused(self.page(fields=[("Cache-Control", "public"), ("cache-control", "max-age=60")]))

    def test_max_age_may_be_quoted(self):
        """RFC 9111 section 5.2: recipients ought to accept both forms."""
        self.assert_reused(self.page(cache_control='max-age="60"'))

    def test_malformed_lifetimes_are_over(self):
        """RFC 9111 section 4.2.1: what is invalid counts as stale."""
        for value in ("abc", "-1", "1.5", "60s", "", '"', "0x60", "60 60"):
            with self.subTest(value):
                self.assert_not_reused(self.page(cache_control=f"max-age={value}"))
        self.assert_not_reused(self.page(cache_control="max-age"))
        self.assert_not_reused(self.page(cache_control="s-maxage=abc, max-age=60"))

    def test_a_malformed_max_age_is_not_mended_by_heuristics(self):
        """RFC 9111 section 4.2.1."""
        self.assert_not_reused(self.page(cache_control="max-age=abc", last_modified=http_date(100_000), date=http_date()))

    def test_of_a_directive_that_comes_twice_the_later_one_does_not_prolong(self):
        """RFC 9111 section 4.2.1: the first one, or the response is stale."""
        self.assert_not_reused(self.page(cache_control="max-age=0, max-age=60"))
        self.assert_not_reused(self.page(fields=[("Cache-Control", "max-age=0"), ("Cache-Control", "max-age=60")]))
        self.assert_not_reused(self.page(cache_control="s-maxage=0, s-maxage=60, max-age=60"))

    def test_a_lifetime_beyond_all_bounds_is_long(self):
        """RFC 9111 section 1.2.2: an overflow is 2^31 or the greatest number."""
        for digits in ("2147483648", "4294967297", "18446744073709551617", "9" * 60):
            with self.subTest(digits):
                path = self.page(cache_control=f"max-age={digits}")
                self.filled(path)
                self.assertGreater(self.assert_hit(self.ask(path))["ttl"], 3600)

    def test_expires(self):
        """RFC 9111 section 5.3: less the Date."""
        self.assert_reused(self.page(date=http_date(), expires=http_date(-60)))

    def test_an_expires_that_is_no_date_is_past(self):
        """RFC 9111 section 5.3: above all "0"."""
        for value in ("0", "-1", "never", "Thu, 99 Foo 2099 00:00:00 GMT", http_date(60)):
            with self.subTest(value):
                self.assert_not_reused(self.page(date=http_date(), expires=value))
        self.assert_not_reused(self.page(date=http_date(), expires="0", last_modified=http_date(100_000)))

    def test_expires_counts_for_nothing_beside_max_age(self):
        """RFC 9111 section 5.3."""
        self.assert_reused(self.page(date=http_date(), expires="0", cache_control=FRESH))
        self.assert_not_reused(self.page(date=http_date(), expires=http_date(-60), cache_control="max-age=0"))

    def test_pragma_in_a_response_means_nothing(self):
        """RFC 9111 section 5.4."""
        self.assert_reused(self.page(pragma="no-cache", cache_control=FRESH))

    def test_vary_star_matches_no_request(self):
        """RFC 9111 section 4.1."""
        self.assert_not_reused(self.page(vary="*", cache_control=FRESH))
        self.assert_not_reused(self.page(vary="accept, *", cache_control=FRESH))


class ByRequests(CacheCase):
    caches = {"/": {}, "/cookies/": {"set_cookie": True}}

    def test_authorization(self):
        """RFC 9111 section 3.5."""
        self.assert_not_stored(self.page(cache_control=FRESH), authorization="Bearer t")

    def test_authorization_where_the_response_allows_it(self):
        """RFC 9111 section 3.5: public, s-maxage, must-revalidate."""
        for directives in ("public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"):
            with self.subTest(directives):
                self.assert_reused(self.page(cache_control=directives), authorization="Bearer t")

    def test_what_came_for_one_with_authorization_reaches_nobody_else(self):
        """RFC 9111 section 3.5."""
        path = self.page(cache_control=FRESH)
        secret = self.ask(path, authorization="Bearer t")
        other = self.ask(path)
        self.assert_miss(other)
        self.assertNotEqual(bytes(secret.body), bytes(other.body))

    def test_no_store_of_the_request(self):
        """RFC 9111 section 5.2.1.5."""
        path = self.page(cache_control=FRESH)
        self.assertNotIn("stored", self.assert_miss(self.ask(path, cache_control="no-store")))
        self.assert_miss(self.ask(path))

    def test_only_answers_to_get_are_kept(self):
        """RFC 9110 section 9.3.3: a stored response to POST would answer a GET at most; here it never does."""
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            with self.subTest(method):
                path = self.page(cache_control=FRESH)
                self.assert_not_stored(path, method=method)
                self.assert_miss(self.ask(path), fwd="uri-miss")

    def test_others_methods_are_told_from_misses(self):
        """RFC 9211 section 2.2."""
        self.assert_miss(self.ask(self.page(cache_control=FRESH), method="POST"), fwd="method")

    def test_a_response_that_sets_cookies(self):
        """By policy; RFC 9111 section 7.3."""
        self.assert_not_stored(self.page(cache_control=FRESH, set_cookie="id=1"))

    def test_a_response_that_sets_cookies_where_the_route_wants_it(self):
        second = self.assert_reused(self.page(under="/cookies/", cache_control=FRESH, set_cookie="lang=en"))
        self.assertEqual("lang=en", second.get("set-cookie"))

    def test_fields_of_the_hop_are_not_kept(self):
        """RFC 9111 section 3.1: Connection, and what it names; Proxy-Authenticate and its kin."""
        path = self.page(cache_control=FRESH, connection="x-hop", x_hop="1", keep_alive="timeout=5",
                         proxy_authentication_info="x", x_kept="1")
        second = self.assert_reused(path)
        self.assertEqual("1", second.get("x-kept"))
        for name in ("x-hop", "keep-alive", "proxy-authentication-info"):
            self.assertIsNone(second.get(name), name)

    def test_all_else_is_kept_as_it_came(self):
        """RFC 9111 section 3.1: fields that aren't known, too, and each line of them."""
        fields = [("X-Odd", "a, b"), ("X-Odd", "c"), ("Link", '</a>; rel="preload"'), ("Content-Language", "en"), ("X-Empty", "")]
        second = self.assert_reused(self.page(cache_control=FRESH, content_type="text/x-odd", fields=fields))
        self.assertEqual("text/x-odd", second.get("content-type"))
        for name, value in fields:
            self.assertIn(value, second.all(name))


class Bodies(CacheCase):
    caches = {"/": {}, "/small/": {"max_object": "10KiB"}}

    def whole(self, path, body):
        for _ in range(2):
            response = self.ask(path)
            self.assertEqual(body, bytes(response.body))
        return response

    def test_a_chunked_body_is_kept_whole(self):
        """RFC 9111 section 3.3."""
        body = pattern(100_000)

        def chunks(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\n\r\n")
            for start in range(0, len(body), 30_000):
                connection.send(chunk(body[start:start + 30_000]))
            connection.send("0\r\n\r\n")
        self.assert_hit(self.whole(self.page(chunks), body))

    def test_trailers_do_not_become_headers(self):
        """RFC 9111 section 3.1, RFC 9110 section 6.5.1."""
        def trailing(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\nTrailer: x-sum\r\n\r\n"
                            "4\r\nbody\r\n0\r\nX-Sum: 1\r\nCache-Control: no-store\r\nSet-Cookie: a=b\r\n\r\n")
        second = self.whole(self.page(trailing), b"body")
        self.assert_hit(second)
        self.assertEqual((None, None, FRESH), (second.get("x-sum"), second.get("set-cookie"), second.get("cache-control")))

    def test_an_empty_body_is_one(self):
        response = self.assert_reused(self.page(body=b"", cache_control=FRESH))
        self.assertEqual("0", response.get("content-length"))

    def test_every_byte_comes_back(self):
        for size in (1, 4095, 4096, 4097, 65_536, 1_000_003):
            with self.subTest(size):
                self.assert_hit(self.whole(self.page(body=pattern(size), cache_control=FRESH), pattern(size)))

    def broken(self, *pieces, ends="close"):
        def script(connection, request, number):
            if number > 1:
                return Page(body=b"whole", cache_control=FRESH)(connection, request, number)
            for piece in pieces:
                connection.send(piece)
            connection.reset() if ends == "reset" else connection.close()
        return self.page(script)

    def assert_nothing_of_it_is_left(self, path):
        try:
            self.ask(path)
        except (Cut, Closed, ConnectionResetError):
            pass
        response = self.ask(path)
        self.assertEqual((200, b"whole"), (response.status, bytes(response.body)))
        self.assert_miss(response)

    HEAD = f"HTTP/1.1 200 OK\r\nCache-Control: {FRESH}\r\n"

    def test_a_body_shorter_than_it_said(self):
        """RFC 9111 section 3.3: an incomplete response."""
        self.assert_nothing_of_it_is_left(self.broken(self.HEAD + "Content-Length: 10\r\n\r\n", "01234"))
        self.assert_nothing_of_it_is_left(self.broken(self.HEAD + "Content-Length: 10\r\n\r\n", "01234", ends="reset"))
        self.assert_nothing_of_it_is_left(self.broken(self.HEAD + "Content-Length: 10\r\n\r\n"))

    def test_a_body_longer_than_it_said(self):
        self.assert_nothing_of_it_is_left(self.broken(self.HEAD + "Content-Length: 5\r\n\r\n0123456789"))

    def test_a_chunked_body_without_its_end(self):
        """RFC 9112 section 8."""
        head = self.HEAD + "Transfer-Encoding: chunked\r\n\r\n"
        for end in ("5\r\n01234\r\n", "5\r\n012", "5\r\n01234\r\n0\r\n", "5\r\n01234\r\nxyz\r\n", "5\r\n0123456789\r\n0\r\n\r\n"):
            with self.subTest(end):
                self.assert_nothing_of_it_is_left(self.broken(head, end))

    def test_a_body_until_the_close_that_is_reset(self):
        """RFC 9112 section 8."""
        self.assert_nothing_of_it_is_left(self.broken(self.HEAD + "Connection: close\r\n\r\n", "01234", ends="reset"))

    def test_a_larger_object_passes_through_untouched(self):
        body = pattern(10 * 1024 + 1)
        path = self.page(under="/small/", body=body, cache_control=FRESH)
        self.assert_not_stored(path)
        self.assertEqual(body, bytes(self.ask(path).body))

    def test_a_larger_object_that_does_not_say_so_passes_through_untouched(self):
        body = pattern(500_000)

        def chunks(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\n\r\n")
            for start in range(0, len(body), 5_000):
                connection.send(chunk(body[start:start + 5_000]))
            connection.send("0\r\n\r\n")
        path = self.page(chunks, under="/small/")
        last = self.whole(path, body)
        self.assert_miss(last)
        self.assertEqual(2, self.count(path))

    def test_an_object_of_exactly_the_limit_is_stored(self):
        self.assert_reused(self.page(under="/small/", body=pattern(10 * 1024), cache_control=FRESH))

    def test_a_client_that_leaves_does_not_spoil_it(self):
        """What is stored is whole, or nothing is."""
        body = pattern(300_000)
        path = self.page(body=body, cache_control=FRESH)
        client = self.client(self.shared, receive_buffer=4096)
        client.send(f"GET {path} HTTP/1.1\r\nHost: weir.test\r\n\r\n")
        client.head()
        client.reset()
        for _ in range(2):
            self.assertEqual(body, bytes(self.ask(path).body))


class ByRoute(CacheCase):
    caches = {
        "/ttl/": {"ttl": "30s"},
        "/statuses/": {"ttl": "30s", "ttl_by_status": {"404": "10s", "503": "20s", "200": "40s"}},
        "/none/": {"heuristic": "0%"},
        "/half/": {"heuristic": "50%", "heuristic_max": "1h"},
        "/plain/": {},
    }

    def lifetime(self, path):
        self.filled(path)
        return self.assert_hit(self.ask(path))["ttl"]

    def test_ttl_is_for_responses_that_do_not_say(self):
        self.assertIn(self.lifetime(self.page(under="/ttl/")), range(20, 31))
        self.assertIn(self.lifetime(self.page(under="/ttl/", status=404)), range(20, 31))

    def test_ttl_gives_way_to_what_the_response_says(self):
        self.assertGreater(self.lifetime(self.page(under="/ttl/", cache_control="max-age=600")), 500)
        self.assertGreater(self.lifetime(self.page(under="/ttl/", date=http_date(), expires=http_date(-600))), 500)
        self.assert_not_reused(self.page(under="/ttl/", cache_control="max-age=0"))
        self.assert_not_stored(self.page(under="/ttl/", cache_control="no-store"))
        self.assert_not_stored(self.page(under="/ttl/", cache_control="private"))

    def test_ttl_comes_before_heuristics(self):
        self.assertIn(self.lifetime(self.page(under="/ttl/", last_modified=http_date(1_000_000))), range(20, 31))

    def test_ttl_is_not_for_errors(self):
        for status in (400, 403, 429, 500, 502, 503):
            with self.subTest(status):
                self.assert_not_stored(self.page(under="/ttl/", status=status))

    def test_ttl_by_status_comes_before_ttl(self):
        for status, least, most in ((404, 5, 10), (503, 11, 20), (200, 31, 40), (410, 21, 30)):
            with self.subTest(status):
                self.assertIn(self.lifetime(self.page(under="/statuses/", status=status)), range(least, most + 1))

    def test_ttl_by_status_gives_way_to_what_the_response_says(self):
        self.assertGreater(self.lifetime(self.page(under="/statuses/", status=404, cache_control="max-age=600")), 500)

    def test_a_share_of_the_time_since_last_modified(self):
        """RFC 9111 section 4.2.2: a tenth."""
        ttl = self.lifetime(self.page(under="/plain/", last_modified=http_date(6000), date=http_date()))
        self.assertIn(ttl, range(580, 602))

    def test_the_share_is_the_route_s_and_has_a_bound(self):
        ttl = self.lifetime(self.page(under="/half/", last_modified=http_date(6000), date=http_date()))
        self.assertIn(ttl, range(2980, 3002))
        ttl = self.lifetime(self.page(under="/half/", last_modified=http_date(10_000_000), date=http_date()))
        self.assertIn(ttl, range(3580, 3601))

    def test_heuristics_can_be_off(self):
        self.assert_not_reused(self.page(under="/none/", last_modified=http_date(1_000_000), date=http_date()))

    def test_a_last_modified_of_the_future_makes_nothing_fresh(self):
        self.assert_not_reused(self.page(under="/plain/", last_modified=http_date(-1000), date=http_date()))


class Conditions(CacheCase):
    caches = {
        "/bypass/": {"bypass": ["cookie.session", "header.x-straight"]},
        "/keep/": {"no_store": ["header.x-preview"]},
        "/get/": {"methods": ["GET"]},
    }

    def test_bypass_goes_straight_to_the_origin(self):
        path = self.page(under="/bypass/", cache_control=FRESH)
        stored = self.filled(path)
        straight = self.ask(path, cookie="a=b; session=1")
        self.assert_miss(straight, fwd="bypass")
        self.assertNotEqual(bytes(stored.body), bytes(straight.body))
        self.assertEqual(bytes(stored.body), bytes(self.ask(path).body))

    def test_bypass_stores_nothing(self):
        path = self.page(under="/bypass/", cache_control=FRESH)
        self.assert_not_stored(path, x_straight="1")
        self.assert_miss(self.ask(path), fwd="uri-miss")

    def test_no_store_answers_from_the_cache_and_stores_nothing(self):
        path = self.page(under="/keep/", cache_control=FRESH)
        self.assertNotIn("stored", self.assert_miss(self.ask(path, x_preview="1")))
        self.filled(path)
        self.assert_hit(self.ask(path, x_preview="1"))

    def test_methods_that_are_not_the_cache_s(self):
        """RFC 9211 section 2.2: fwd=method."""
        path = self.page(under="/get/", cache_control=FRESH)
        self.filled(path)
        self.assert_miss(self.ask(path, method="HEAD"), fwd="method")
        self.assert_hit(self.ask(path))


class Keys(CacheCase):
    caches = {
        "/all/": {},
        "/allow/": query(allow=["a", "b"]),
        "/deny/": query(deny=["utm_source", "gclid"]),
        "/sort/": query(sort=True),
        "/user/": {"key": ["header.x-user"]},
        "/pair/": {"key": ["header.x-a", "header.x-b"]},
    }

    def same(self, path, one, other, **words):
        self.filled(path + one)
        response = self.ask(path + other, **words)
        return status_of(response).is_hit

    def test_the_query_is_in_the_key(self):
        for one, other in (("?a=1", "?a=2"), ("?a=1", ""), ("?a=1&b=2", "?b=2&a=1"), ("?a", "?a=")):
            with self.subTest(one=one, other=other):
                self.assertFalse(self.same(self.page(under="/all/", cache_control=FRESH), one, other))

    def test_of_the_query_what_is_allowed(self):
        for one, other, same in (("?a=1&x=1", "?a=1&x=2", True), ("?a=1&x=1", "?a=1", True), ("?x=1", "", True),
                                 ("?a=1", "?a=2", False), ("?a=1", "?b=1", False), ("?%61=1", "?%61=2", False)):
            with self.subTest(one=one, other=other):
                self.assertEqual(same, self.same(self.page(under="/allow/", cache_control=FRESH), one, other))

    def test_of_the_query_all_but_what_is_denied(self):
        for one, other, same in (("?a=1&utm_source=x", "?a=1", True), ("?gclid=1&a=1", "?a=1&gclid=2", True),
                                 ("?a=1", "?a=1&b=1", False), ("?utm_sourcex=1", "", False)):
            with self.subTest(one=one, other=other):
                self.assertEqual(same, self.same(self.page(under="/deny/", cache_control=FRESH), one, other))

    def test_in_any_order(self):
        for one, other, same in (("?a=1&b=2", "?b=2&a=1", True), ("?a=1&a=2", "?a=2&a=1", False)):
            with self.subTest(one=one, other=other):
                self.assertEqual(same, self.same(self.page(under="/sort/", cache_control=FRESH), one, other))

    def test_the_origin_is_asked_with_the_query_of_the_key(self):
        path = self.page(under="/allow/", cache_control=FRESH)
        self.filled(path + "?x=1&a=2")
        self.assertEqual([path + "?a=2"], [request.target for request in self.origin.asked(path)])

    def test_a_key_for_each_user(self):
        path = self.page(under="/user/", cache_control=FRESH)
        alice = self.filled(path, x_user="alice")
        bob = self.filled(path, x_user="bob")
        self.assertNotEqual(bytes(alice.body), bytes(bob.body))
        self.assertEqual(bytes(alice.body), bytes(self.ask(path, x_user="alice").body))
        nobody = self.ask(path)
        self.assertNotIn(bytes(nobody.body), (bytes(alice.body), bytes(bob.body)))

    def test_no_two_users_have_the_same_key(self):
        path = self.page(under="/pair/", cache_control=FRESH)
        bodies = [bytes(self.ask(path, x_a=a, x_b=b).body)
                  for a, b in (("x|y", "z"), ("x", "y|z"), ("x\\|y", "z"), ("x\\", "y|z"), ("x", "y"), ("y", "x"))]
        self.assertEqual(6, len(set(bodies)))

    def test_hosts_are_told_apart(self):
        path = self.page(under="/all/", cache_control=FRESH)
        self.filled(path)
        self.assert_miss(self.ask(path, host="other.test"), fwd="uri-miss")


class Targeted(CacheCase):
    caches = {"/": {}, "/cdn/": {"targeted": [TARGETED_FOR_ALL]}}

    @staticmethod
    def fields(own=None, for_all=None, plain=None, **more):
        named = ((TARGETED, own), (TARGETED_FOR_ALL, for_all), ("Cache-Control", plain))
        return {"fields": [(name, value) for name, value in named if value is not None], **more}

    def test_the_first_one_decides_and_nothing_else(self):
        """RFC 9213 section 2.2: the first in the list that is valid."""
        for said in (self.fields(own="max-age=60", for_all="no-store", plain="no-store"),
                     self.fields(for_all="max-age=60", plain="no-store"),
                     self.fields(for_all="max-age=60", plain="private, max-age=0"),
                     self.fields(for_all="max-age=60", date=http_date(), expires="0")):
            with self.subTest(said):
                self.assert_reused(self.page(**said))
        for said in (self.fields(own="no-store", for_all="max-age=60", plain="max-age=60"),
                     self.fields(own="max-age=0", for_all="max-age=60"),
                     self.fields(for_all="no-store", plain="max-age=60"),
                     self.fields(for_all="private", plain="max-age=60"),
                     self.fields(for_all="no-store", date=http_date(), expires=http_date(-60))):
            with self.subTest(said):
                self.assert_not_reused(self.page(**said))

    def test_expires_counts_for_nothing_beside_one(self):
        """RFC 9213 section 2.2: Cache-Control and Expires are ignored."""
        self.assert_not_reused(self.page(**self.fields(for_all="must-revalidate", date=http_date(), expires=http_date(-60))))

    def test_what_does_not_parse_or_is_empty_is_not_there(self):
        """RFC 9213 section 2.1: a Dictionary of Structured Fields."""
        for broken in ("", "max-age=", "max-age=60,,", "=60", "max age=60", "max-age=60;", 'a="', "MAX-AGE=1"):
            with self.subTest(broken):
                self.assert_reused(self.page(**self.fields(for_all=broken, plain="max-age=60")))
                self.assert_not_stored(self.page(**self.fields(for_all=broken, plain="no-store")))

    def test_values_of_the_wrong_type_are_not_mended(self):
        """RFC 9213 section 2.1: a decimal is no integer."""
        for value in ("60.5", '"60"', "?1", "sixty"):
            with self.subTest(value):
                self.assert_not_reused(self.page(**self.fields(for_all=f"max-age={value}", plain="max-age=0")))

    def test_parameters_and_unknown_members_are_ignored(self):
        """RFC 9213 section 2.1."""
        self.assert_reused(self.page(**self.fields(for_all="max-age=60;a=1, x-new=(1 2), foo", plain="no-store")))

    def test_what_is_for_all_is_passed_on_and_our_own_is_not(self):
        """RFC 9213 section 3.1."""
        path = self.page(**self.fields(own="max-age=60", for_all="max-age=10", plain="max-age=5"))
        for response in (self.ask(path), self.ask(path)):
            self.assertIsNone(response.get(TARGETED), response)
            self.assertEqual(("max-age=10", "max-age=5"), (response.get(TARGETED_FOR_ALL), response.get("cache-control")))

    def test_which_ones_is_the_route_s_choice(self):
        self.assert_reused(self.page(under="/cdn/", **self.fields(own="no-store", for_all="max-age=60")))


class OtherVersions(CacheCase):
    def test_one_copy_is_for_clients_of_each_version(self):
        """RFC 9111 section 2: the key is the method and the URI."""
        body = pattern(300_000)
        path = self.page(body=body, cache_control=FRESH, etag='"1"', connection="x-hop", x_hop="1", x_odd="1")
        self.filled(path)
        with H2Client(self.shared.address) as client:
            whole = client.get(path)
            self.assert_hit(whole)
            self.assertEqual((200, body, "1", None), (whole.status, bytes(whole.body), whole.get("x-odd"), whole.get("x-hop")))
            self.assertEqual(body[:5], bytes(client.get(path, {"Range": "bytes=0-4"}).body))
            self.assertEqual(304, client.get(path, {"If-None-Match": '"1"'}).status)
            head = client.request("HEAD", path)
            self.assertEqual((200, str(len(body)), b""), (head.status, head.get("content-length"), bytes(head.body)))
        self.assertEqual(1, self.count(path))

    def test_and_the_other_way_round(self):
        path = self.page(body=pattern(100_000), cache_control=FRESH)
        with H2Client(self.shared.address) as client:
            self.assert_miss(client.get(path), stored=True)
        response = self.ask(path)
        self.assert_hit(response)
        self.assertEqual(pattern(100_000), bytes(response.body))

    def test_http_1_0_gets_a_body_that_it_can_read(self):
        """RFC 9112 section 6.1: no chunks."""
        def chunks(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\n\r\n"
                            "4\r\nbody\r\n0\r\n\r\n")
        path = self.page(chunks)
        self.filled(path)
        old = self.fetch(self.shared, target=path, version="1.0")
        self.assertEqual((b"body", None), (bytes(old.body), old.get("transfer-encoding")))
        self.assert_hit(old)

    def test_a_tunnel_is_none_of_the_cache_s_business(self):
        """RFC 9110 section 7.8: 101 is no response to be kept."""
        weir = self.weir(self.configured(self._kept(EchoBackend())))
        for _ in range(2):
            with WebSocketClient(weir.address) as client:
                self.assertEqual(101, client.open("/chat").status)
                self.assertEqual(b"hello", client.echo(b"hello"))


class Settings(WeirCase):
    def refused(self, **values):
        return self.refused_start({
            "upstreams": {"api": settings.upstream(free_address())},
            "routes": [route("/", "api", filters=[cache(**values)])],
        })

    def test_what_makes_no_sense_is_refused_with_its_place(self):
        for values, named in ((query(allow=["a"], deny=["b"]), "allow"),
                              ({"max_size": "1MiB", "max_object": "1MiB"}, "max_object"),
                              ({"ttl_by_status": {"206": "10s"}}, "206"),
                              ({"ttl_by_status": {"9": "10s"}}, "'9'"),
                              ({"targeted": ["not a field"]}, "not a field"),
                              ({"purge_from": ["everybody"]}, "everybody"),
                              ({"methods": ["POST"]}, "POST"),
                              ({"respect_request_directives": ["no_thing"]}, "no_thing"),
                              ({"ttll": "1s"}, "ttll")):
            with self.subTest(named):
                told = self.refused(**values)
                self.assertIn(named, told)
                self.assertRegex(told, r"weir\.yaml:\d+:\d+")

    def test_caches_of_one_name_have_the_same_bounds(self):
        def told(*blocks):
            return self.refused_start({
                "upstreams": {"api": settings.upstream(free_address())},
                "routes": [route(f"/{number}/", "api", filters=[cache(**block)]) for number, block in enumerate(blocks)],
            })
        for bounds in ({"max_size": "64MiB"}, {"max_object": "1KiB"}, vary(variants=3)):
            with self.subTest(bounds):
                text = told({"name": "shop"}, {"name": "other"} | bounds, {"name": "shop"} | bounds)
                self.assertRegex(text, r"weir\.yaml:\d+:\d+: routes\[2\].*'shop'")
                self.assertIn("write the same", text)

    def test_a_second_level_needs_a_store(self):
        self.assertIn("redis", self.refused(shared={"enabled": True}))


if __name__ == "__main__":
    unittest.main()
