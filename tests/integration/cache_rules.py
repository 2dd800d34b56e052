"""What the RFCs ask of a shared cache, section by section, where no other suite has it: what a 304 may change, what each kind of
answer from the cache must have, and what stands in the way of nothing."""

import unittest

from cache_case import CacheCase, Page, http_date, status_of
from cache_settings import STATUS_FIELD, serve_stale
from wire import RawClient

FRESH = "max-age=600"
BODY = b"0123456789" * 100
DESCRIBING = {"cache_control": FRESH, "etag": '"1"', "expires": http_date(-600), "content_location": "/elsewhere",
              "vary": "accept-language", "last_modified": http_date(5000), "content_type": "text/odd"}


class Answers(CacheCase):
    """RFC 9110 sections 15.3.7, 15.4.5 and 9.3.2, RFC 9111 section 5.1."""

    def setUp(self):
        super().setUp()
        self.path = self.page(body=BODY, validates=False, **DESCRIBING)
        self.filled(self.path)

    def field(self, word):
        return word.replace("_", "-")

    def assert_describes(self, response, but=()):
        for word, value in DESCRIBING.items():
            if word not in but:
                self.assertEqual(value, response.get(self.field(word)), word)
        self.assertEqual(1, sum(name.lower() == "date" for name, _ in response.fields), response.fields)

    def test_each_kind_tells_its_age(self):
        asked = ({}, {"range": "bytes=0-9"}, {"range": "bytes=-1"}, {"if_none_match": '"1"'}, {"range": "bytes=5000-"})
        for fields in asked:
            for method in ("GET", "HEAD"):
                with self.subTest(method, **fields):
                    response = self.ask(self.path, method=method, **fields)
                    self.assert_hit(response)
                    ages = [value for name, value in response.fields if name.lower() == "age"]
                    self.assertEqual(1, len(ages), response.fields)
                    self.assertRegex(ages[0], "^[0-9]+$")

    def test_a_part_has_all_that_a_200_would_have(self):
        """RFC 9110 section 15.3.7: Date, Cache-Control, ETag, Expires, Content-Location and Vary."""
        part = self.ask(self.path, range="bytes=10-29")
        self.assertEqual((206, "20", "bytes 10-29/1000", BODY[10:30]),
                         (part.status, part.get("content-length"), part.get("content-range"), bytes(part.body)))
        self.assert_describes(part)

    def test_a_304_has_all_that_is_no_metadata_of_its_content(self):
        """RFC 9110 section 15.4.5."""
        unchanged = self.ask(self.path, if_none_match='"1"')
        self.assertEqual((304, b"", None), (unchanged.status, bytes(unchanged.body), unchanged.get("content-range")))
        self.assertIn(unchanged.get("content-length"), (None, "1000"))
        self.assert_describes(unchanged, but=("content_type", "last_modified"))

    def test_a_whole_one_has_no_content_range(self):
        """RFC 9110 section 14.4."""
        for fields in ({}, {"range": "bytes=0-1,5-6"}, {"range": "pages=1"}, {"range": "bytes=0-1", "if_range": '"2"'},
                       {"range": "bytes=0-1", "if_range": http_date(9000)}):
            with self.subTest(**fields):
                whole = self.ask(self.path, **fields)
                self.assertEqual((200, None, BODY), (whole.status, whole.get("content-range"), bytes(whole.body)))
                self.assert_describes(whole)

    def test_head_is_the_head_of_a_get(self):
        """RFC 9110 section 9.3.2."""
        head, get = self.ask(self.path, method="HEAD"), self.ask(self.path)
        names = lambda response: sorted(name.lower() for name, _ in response.fields)
        self.assertEqual(names(get), names(head))
        self.assertEqual(("1000", b""), (head.get("content-length"), bytes(head.body)))
        self.assert_describes(head)

    def test_a_condition_that_fails_gets_all_of_it(self):
        for fields in ({"if_none_match": '"2"'}, {"if_none_match": '"2", W/"3"'}, {"if_modified_since": http_date(9000)},
                       {"if_none_match": '"2"', "if_modified_since": http_date(0)}):
            with self.subTest(**fields):
                whole = self.ask(self.path, **fields)
                self.assert_hit(whole)
                self.assertEqual((200, BODY), (whole.status, bytes(whole.body)))


class Dates(CacheCase):
    def test_a_response_without_one_gets_one_and_keeps_it(self):
        """RFC 9110 section 6.6.1: when it was received."""
        path = self.page(cache_control=FRESH)
        first, later = self.filled(path).get("date"), self.ask(path).get("date")
        self.assertIsNotNone(first)
        self.assertEqual(first, later)

    def test_its_own_is_kept(self):
        date = http_date(100)
        path = self.page(cache_control=FRESH, date=date)
        self.filled(path)
        self.assertEqual(date, self.ask(path).get("date"))

    def test_of_two_expires_the_earlier_one_counts(self):
        """RFC 9111 section 4.2.1: the most restrictive, or stale."""
        fields = [("Expires", http_date(-600)), ("Expires", http_date(100))]
        for lines in (fields, fields[::-1]):
            path = self.page(fields=lines, date=http_date(), etag='"1"')
            self.ask(path)
            self.assert_miss(self.ask(path), fwd="stale")


class Renewed(CacheCase):
    """RFC 9111 sections 3.2 and 4.3.4: by a 304."""

    caches = {"/": {}, "/cookies/": {"set_cookie": True}}

    def renewed(self, under="/", fields_304=(), **what):
        """The path of a page that was stale and has been validated, and the answer to who asked then."""
        path = self.page(under=under, fields_304=list(fields_304), **{"cache_control": FRESH, "age": 700, "etag": '"1"', **what})
        self.filled(path)
        response = self.ask(path)
        self.assertEqual(200, response.status)
        self.assertEqual(304, status_of(response).get("fwd-status"), response)
        return path, response

    def test_one_that_forbids_to_keep_it_ends_what_is_stored(self):
        for forbidding in ("no-store", "private"):
            with self.subTest(forbidding):
                path, response = self.renewed(fields_304=[("Cache-Control", forbidding)])
                self.assertEqual(f"{path} #1".encode(), bytes(response.body))
                self.assert_miss(self.ask(path), fwd="uri-miss")

    def test_its_lifetime_takes_the_place_of_the_old_one(self):
        path, _ = self.renewed(fields_304=[("Cache-Control", "max-age=5000"), ("Age", "0")])
        self.assertGreater(self.assert_fresh_hit(self.ask(path))["ttl"], 4000)

    def test_its_vary_tells_variants_apart_from_now_on(self):
        path, _ = self.renewed(fields_304=[("Vary", "accept-language"), ("Age", "0")])
        self.assert_hit(self.ask(path))
        self.assert_miss(self.ask(path, accept_language="de"), fwd="vary-miss")     # what it was before is no variant
        self.assertEqual("de", self.origin.asked(path)[-1].get("accept-language"))

    def test_its_cookie_is_not_for_others(self):
        path, asker = self.renewed(fields_304=[("Set-Cookie", "a=1"), ("Age", "0")])
        self.assertEqual("a=1", asker.get("set-cookie"))
        self.assertIsNone(self.ask(path).get("set-cookie"))

    def test_its_fields_of_the_hop_are_not_kept(self):
        """RFC 9111 section 3.1."""
        path, _ = self.renewed(fields_304=[("Connection", "x-hop"), ("X-Hop", "1"), ("Age", "0"), ("X-New", "1"),
                                           ("Proxy-Authentication-Info", "x")])
        hit = self.ask(path)
        self.assert_hit(hit)
        self.assertEqual((None, None, "1"),
                         tuple(hit.get(name) for name in ("x-hop", "proxy-authentication-info", "x-new")))

    def test_what_describes_the_content_stays(self):
        path, _ = self.renewed(content_type="text/odd", body=b"0123",
                               fields_304=[("Content-Type", "text/other"), ("Content-Encoding", "gzip"), ("Age", "0"),
                                           ("Content-Range", "bytes 0-1/2")])
        hit = self.ask(path)
        self.assert_hit(hit)
        self.assertEqual(("text/odd", None, None, "4", b"0123"),
                         (*(hit.get(name) for name in ("content-type", "content-encoding", "content-range", "content-length")),
                          bytes(hit.body)))

    def test_a_weak_tag_validates(self):
        """RFC 9110 section 13.1.2."""
        path, response = self.renewed(etag='W/"1"', fields_304=[("Age", "0")])
        self.assertEqual('W/"1"', self.origin.asked(path)[-1].get("if-none-match"))
        self.assert_hit(self.ask(path))

    def test_each_line_of_a_field_is_replaced(self):
        path, _ = self.renewed(fields=[("Link", "</a>"), ("Link", "</b>")], fields_304=[("Link", "</c>"), ("Age", "0")])
        hit = self.ask(path)
        self.assertEqual(["</c>"], [value for name, value in hit.fields if name.lower() == "link"])

    def test_a_client_s_own_tag_is_not_what_is_validated(self):
        """RFC 9111 section 4.3.1: by what is stored, so that a 304 is about that."""
        path = self.page(cache_control=FRESH, age=700, etag='"1"')
        self.filled(path)
        theirs = self.ask(path, if_none_match='"0"')
        self.assertEqual((200, f"{path} #1".encode()), (theirs.status, bytes(theirs.body)))
        self.assertIn('"1"', self.origin.asked(path)[-1].get("if-none-match"))


class Immutable(CacheCase):
    """RFC 8246: for clients. A cache that is asked to validate does so, and what is over is over."""

    def test_it_is_told_to_clients(self):
        path = self.page(cache_control="max-age=600, immutable")
        self.assertIn("immutable", self.assert_reused(path).get("cache-control"))

    def test_what_is_over_is_validated(self):
        path = self.page(cache_control="max-age=600, immutable", age=700, etag='"1"')
        self.filled(path)
        self.assert_miss(self.ask(path), fwd="stale", fwd_status=304)

    def test_it_does_not_stand_above_no_cache_and_no_store(self):
        self.assert_not_stored(self.page(cache_control="max-age=600, immutable, no-store"))
        self.assert_not_reused(self.page(cache_control="max-age=600, immutable, no-cache"))

    def test_with_an_argument_it_means_nothing_else(self):
        self.assert_reused(self.page(cache_control='max-age=600, immutable="x, no-store"'))


class StaleControls(CacheCase):
    """RFC 5861: the response's own word before the route's."""

    caches = {"/": serve_stale(refreshing="1h", failing="1h")}

    def test_0_means_never(self):
        path = self.page(cache_control="max-age=600, stale-while-revalidate=0, stale-if-error=0", age=700, etag='"1"')
        self.filled(path)
        self.assert_miss(self.ask(path), fwd="stale")
        self.page(path=path, status=500)
        self.assertEqual(500, self.ask(path).status)

    def test_what_is_no_number_means_never(self):
        for odd in ("x", "-1", "1.5", '"'):
            with self.subTest(odd):
                path = self.page(cache_control=f"max-age=600, stale-while-revalidate={odd}", age=700, etag='"1"')
                self.ask(path)
                self.assert_miss(self.ask(path), fwd="stale")


class Versions(CacheCase):
    """RFC 9111 section 5: the same rules for a response of HTTP/1.0."""

    def old(self, *lines):
        def script(connection, request, number):
            connection.send("".join(line + "\r\n" for line in ("HTTP/1.0 200 OK", *lines, "Content-Length: 4", "")) + f"#{number:03}")
            connection.close()
        return self.page(script)

    def test_it_is_stored_with_a_lifetime_and_without_one_it_is_not_reused(self):
        self.assert_reused(self.old(f"Date: {http_date()}", f"Expires: {http_date(-600)}"))
        self.assert_reused(self.old(f"Cache-Control: {FRESH}"))
        self.assert_not_reused(self.old())

    def test_hits_are_of_our_version(self):
        path = self.old(f"Cache-Control: {FRESH}")
        self.filled(path)
        with RawClient(self.shared.address) as client:
            for _ in range(2):                      # and keep the connection
                response = client.get(path)
                client.stream.received.clear()
                self.assert_hit(response)
                self.assertFalse(response.closes())


class Chains(CacheCase):
    """RFC 9211 section 2 and RFC 9110 section 7.6.3: what others on the way have said stays, once."""

    def test_what_a_cache_behind_us_said_stays_on_hits(self):
        path = self.page(fields=[(STATUS_FIELD, "inner; hit; ttl=5"), (STATUS_FIELD, '"odd, one"; fwd=miss')], cache_control=FRESH)
        for _ in range(3):
            said = self.ask(path).get(STATUS_FIELD)
            self.assertTrue(said.startswith('inner; hit; ttl=5, "odd, one"; fwd=miss, weir; '), said)
            self.assertEqual(1, said.count("weir;"))

    def test_what_a_cache_behind_us_said_when_it_was_renewed_takes_the_place_of_that(self):
        path = self.page(fields=[(STATUS_FIELD, "inner; hit")], cache_control=FRESH, age=700, etag='"1"',
                         fields_304=[(STATUS_FIELD, "inner; fwd=stale"), ("Age", "0")])
        self.filled(path)
        self.ask(path)
        said = self.ask(path).get(STATUS_FIELD)
        self.assertTrue(said.startswith("inner; fwd=stale, weir; hit"), said)


if __name__ == "__main__":
    unittest.main()
