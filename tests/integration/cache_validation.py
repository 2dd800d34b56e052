"""Stored responses are asked about (RFC 9111 section 4.3), and clients' conditions, ranges and HEAD answered from
them (RFC 9110 sections 13 and 14)."""

import re
import unittest

from backend import pattern
from cache_case import CacheCase, Gate, Page, http_date, status_of
from harness import eventually

FRESH = "max-age=600"
OLD = 700                                           # as Age: it was over when it came


class Validating(CacheCase):
    def stale(self, **what):
        """A page that is stored and over."""
        path = self.page(**{"cache_control": FRESH, "age": OLD, "etag": '"1"', **what})
        self.ask(path)
        return path

    def renewable(self, fields_304=(), **what):
        """The same; a 304 makes it fresh."""
        return self.stale(fields_304=[("Age", "0"), *fields_304], **what)

    def test_a_304_makes_it_fresh_again(self):
        """RFC 9111 section 4.3.3."""
        path = self.renewable()
        validated = self.ask(path)
        self.assertEqual((200, f"{path} #1".encode()), (validated.status, bytes(validated.body)))
        self.assert_miss(validated, fwd="stale", fwd_status=304, stored=True)
        self.assertEqual('"1"', self.origin.asked(path)[1].get("if-none-match"))
        again = self.ask(path)
        self.assert_fresh_hit(again)
        self.assertLess(int(again.get("age")), 60)
        self.assertEqual(2, self.count(path))

    def test_without_an_etag_by_the_date_of_its_change(self):
        """RFC 9111 section 4.3.1."""
        changed = http_date(100_000)
        path = self.page(cache_control=FRESH, age=OLD, last_modified=changed)
        self.ask(path)
        self.assertEqual(b"#1", bytes(self.ask(path).body)[-2:])
        asked = self.origin.asked(path)[1]
        self.assertEqual((None, changed), (asked.get("if-none-match"), asked.get("if-modified-since")))

    def test_without_validators_unconditionally(self):
        """RFC 9111 section 4.3.1: nothing to validate by."""
        path = self.page(cache_control="max-age=1, stale-if-error=600")
        self.ask(path)
        eventually(lambda: not status_of(self.ask(path)).is_hit, "over", patience=4)
        for request in self.origin.asked(path):
            self.assertEqual((None, None), (request.get("if-none-match"), request.get("if-modified-since")))

    def test_a_200_takes_its_place(self):
        """RFC 9111 section 4.3.3."""
        path = self.stale()
        self.page(path=path, cache_control=FRESH, etag='"2"')
        new = self.ask(path)
        self.assert_miss(new, fwd="stale", fwd_status=200, stored=True)
        self.assertEqual((f"{path} #2".encode(), '"2"'), (bytes(new.body), new.get("etag")))
        hit = self.ask(path)
        self.assert_hit(hit)
        self.assertEqual(bytes(new.body), bytes(hit.body))

    def test_another_error_takes_the_place_of_nothing_and_reaches_the_client(self):
        """RFC 9111 section 4.3.3: an error without leave to be stale is passed on."""
        path = self.stale()
        self.page(path=path, status=503)
        self.assertEqual(503, self.ask(path).status)
        self.page(path=path, cache_control=FRESH, etag='"1"', fields_304=[("Age", "0")])
        self.assertEqual(200, self.ask(path).status)

    def test_a_404_takes_its_place(self):
        """RFC 9111 section 4.3.3: a full response replaces what was stored."""
        path = self.stale()
        self.page(path=path, status=404, cache_control=FRESH)
        self.assertEqual(404, self.ask(path).status)
        gone = self.ask(path)
        self.assert_hit(gone)
        self.assertEqual(404, gone.status)

    def test_a_304_updates_the_fields_that_it_has(self):
        """RFC 9111 section 3.2."""
        path = self.renewable([("X-Version", "2"), ("X-New", "a"), ("Cache-Control", "max-age=6000")], x_version="1", x_old="o")
        for response in (self.ask(path), self.ask(path)):
            self.assertEqual(["2"], response.all("x-version"))
            self.assertEqual(("a", "o"), (response.get("x-new"), response.get("x-old")))
            self.assertEqual("max-age=6000", response.get("cache-control"))
        self.assertGreater(status_of(response)["ttl"], 5000)

    def test_a_304_does_not_change_what_the_body_is(self):
        """RFC 9111 section 3.2: not its Content-Length, nor its codings."""
        path = self.renewable([("Content-Length", "3")], body=b"0123456789")
        for response in (self.ask(path), self.ask(path)):
            self.assertEqual((["10"], b"0123456789"), (response.all("content-length"), bytes(response.body)))

    def test_a_304_of_another_state_selects_nothing(self):
        """RFC 9111 section 4.3.4: no stored response has its strong validator, so it is asked anew, without conditions."""
        def confused(connection, request, number):
            if request.get("if-none-match"):
                return Page(status=304, etag='"9"', cache_control=FRESH)(connection, request, number)
            Page(etag='"9"' if number > 1 else '"1"', cache_control=FRESH, **({} if number > 1 else {"age": OLD}))(
                connection, request, number)
        path = self.page(confused)
        self.ask(path)
        new = self.ask(path)
        self.assertEqual((200, f"{path} #3".encode(), '"9"'), (new.status, bytes(new.body), new.get("etag")))
        self.assertIsNone(self.origin.asked(path)[2].get("if-none-match"))
        self.assert_hit(self.ask(path))

    def test_no_cache_asks_about_each_use(self):
        """RFC 9111 section 5.2.2.4."""
        path = self.page(cache_control="no-cache, max-age=600", etag='"1"')
        for number in range(3):
            response = self.ask(path)
            self.assert_miss(response)
            self.assertEqual(f"{path} #1".encode(), bytes(response.body))
        self.assertEqual([200, 304, 304], [request.answered for request in self.origin.asked(path)])

    def test_no_cache_alone_is_kept_where_it_can_be_asked_about(self):
        """RFC 9111 sections 3 and 5.2.2.4: it says that no use is without validation, which needs no lifetime."""
        for validator in ({"etag": '"1"'}, {"last_modified": http_date(100_000)}):
            with self.subTest(validator):
                path = self.page(cache_control="no-cache", **validator)
                for _ in range(3):
                    self.assertEqual(f"{path} #1".encode(), bytes(self.ask(path).body))
                self.assertEqual([200, 304, 304], [request.answered for request in self.origin.asked(path)])

    def test_no_cache_without_validators_is_the_origin_s_each_time(self):
        """RFC 9111 section 5.2.2.4."""
        self.assert_not_reused(self.page(cache_control="no-cache, max-age=600"), times=3)

    def test_no_cache_for_a_field_keeps_that_field_from_reuse(self):
        """RFC 9111 section 5.2.2.4, the qualified form: such fields are not sent again without the origin's word."""
        path = self.page(cache_control='max-age=600, no-cache="x-once"', x_once="1", etag='"1"')
        self.ask(path)
        second = self.ask(path)
        if status_of(second).is_hit:
            self.assertIsNone(second.get("x-once"))

    def test_many_at_once_are_one_question(self):
        path = self.renewable()
        held = Gate(self.origin.pages[path], first=2, last=2)
        self.page(held, path=path)
        asking = [self.in_background(lambda: self.ask(path)) for _ in range(8)]
        held.wait_held()
        held.open.set()
        self.assertEqual({f"{path} #1".encode()}, {bytes(one.result().body) for one in asking})
        self.assertEqual(2, self.count(path))

    def test_must_revalidate_is_kept_while_the_origin_is_dead(self):
        """RFC 9111 section 5.2.2.2: 504 before stale."""
        for directives in ("max-age=600, must-revalidate", "max-age=600, proxy-revalidate", "s-maxage=600",
                           "max-age=600, must-revalidate, stale-if-error=6000"):
            with self.subTest(directives):
                path = self.stale(cache_control=directives)
                self.page(lambda connection, *_: connection.reset(), path=path)
                dead = self.ask(path)
                self.assertEqual(504, dead.status, dead)
                self.assertEqual(504, self.ask(path, cache_control="max-stale").status)

    def test_no_cache_is_kept_while_the_origin_is_dead(self):
        """RFC 9111 section 5.2.2.4."""
        path = self.stale(cache_control="no-cache, stale-if-error=6000", age=0)
        self.page(lambda connection, *_: connection.reset(), path=path)
        self.assertEqual(504, self.ask(path).status)
        self.assertEqual(504, self.ask(path, cache_control="max-stale").status)

    def test_must_revalidate_means_nothing_while_it_is_fresh(self):
        """RFC 9111 section 5.2.2.2."""
        path = self.page(cache_control="max-age=600, must-revalidate")
        self.filled(path)
        self.page(lambda connection, *_: connection.reset(), path=path)
        self.assert_hit(self.ask(path))


class Conditions(CacheCase):
    """Of clients, about a fresh stored response (RFC 9111 section 4.3.2)."""

    changed = http_date(100_000)

    def fresh(self, **what):
        path = self.page(**{"cache_control": FRESH, "etag": '"1"', "last_modified": self.changed, **what})
        self.filled(path)
        return path

    def assert_304(self, path, **conditions):
        response = self.ask(path, **conditions)
        self.assertEqual((304, b""), (response.status, bytes(response.body)), conditions)
        self.assert_hit(response)
        self.assertEqual(1, self.count(path))
        return response

    def assert_200(self, path, **conditions):
        response = self.ask(path, **conditions)
        self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)), conditions)
        self.assert_hit(response)

    def test_if_none_match(self):
        """RFC 9110 section 13.1.2: by weak comparison, any of a list, or *."""
        path = self.fresh()
        for tags in ('"1"', 'W/"1"', '"0", "1"', '"0",W/"1" ,"2"', "*"):
            self.assert_304(path, if_none_match=tags)
        self.assert_304(path, fields=[("If-None-Match", '"0"'), ("If-None-Match", '"1"')])
        for tags in ('"0"', '"11"', '"1', "1", '"0, "1"'):
            self.assert_200(path, if_none_match=tags)

    def test_a_weak_tag_matches_weakly(self):
        """RFC 9110 section 8.8.3.2."""
        path = self.fresh(etag='W/"1"')
        self.assert_304(path, if_none_match='"1"')
        self.assert_304(path, if_none_match='W/"1"')

    def test_if_modified_since(self):
        """RFC 9110 section 13.1.3."""
        path = self.fresh()
        self.assert_304(path, if_modified_since=self.changed)
        self.assert_304(path, if_modified_since=http_date(50_000))
        self.assert_200(path, if_modified_since=http_date(200_000))
        self.assert_200(path, if_modified_since="yesterday")

    def test_if_modified_since_by_the_date_where_nothing_else_is_known(self):
        """RFC 9111 section 4.3.2: the Date stands in for Last-Modified."""
        path = self.page(cache_control=FRESH, date=http_date(100))
        self.filled(path)
        self.assert_304(path, if_modified_since=http_date(50))
        self.assert_200(path, if_modified_since=http_date(500))

    def test_if_none_match_comes_first(self):
        """RFC 9110 section 13.2.2."""
        path = self.fresh()
        self.assert_200(path, if_none_match='"0"', if_modified_since=self.changed)
        self.assert_304(path, if_none_match='"1"', if_modified_since=http_date(200_000))

    def test_the_304_has_what_a_200_would_have(self):
        """RFC 9110 section 15.4.5: Cache-Control, Content-Location, Date, ETag, Expires, Vary; RFC 9111 section 5.1: Age."""
        path = self.fresh(content_location="/there", expires=http_date(-600), vary="accept")
        response = self.assert_304(path, if_none_match='"1"')
        self.assertEqual((FRESH, "/there", '"1"', "accept"),
                         tuple(response.get(name) for name in ("cache-control", "content-location", "etag", "vary")))
        for name in ("date", "expires", "age"):
            self.assertIsNotNone(response.get(name), name)
        self.assertIn(response.get("content-length"), (None, str(len(f"{path} #1"))))

    def test_conditions_of_the_origin_alone_go_there(self):
        """RFC 9111 section 4.3.2: If-Match and If-Unmodified-Since."""
        path = self.fresh()
        for conditions in ({"if_match": '"0"'}, {"if_unmodified_since": http_date(200_000)}):
            with self.subTest(conditions):
                before = self.count(path)
                self.assert_miss(self.ask(path, **conditions))
                name = next(iter(conditions)).replace("_", "-")
                self.assertEqual(conditions[name.replace("-", "_")], self.origin.asked(path)[-1].get(name))
                self.assertEqual(before + 1, self.count(path))

    def test_head_with_a_condition(self):
        """RFC 9110 section 13.1.2: GET and HEAD alike."""
        path = self.fresh()
        self.assertEqual(304, self.ask(path, method="HEAD", if_none_match='"1"').status)
        self.assertEqual(1, self.count(path))

    def test_a_condition_on_what_is_not_stored_yet_leaves_no_empty_page(self):
        """RFC 9111 section 4.3.2: whatever that client is told, the next one without a condition gets the whole."""
        path = self.page(cache_control=FRESH, etag='"1"')
        first = self.ask(path, if_none_match='"1"')
        self.assertEqual(304, first.status)
        second = self.ask(path)
        self.assertEqual(200, second.status)
        self.assertTrue(second.body.startswith(path.encode()), second)

    def test_one_who_has_the_new_state_already_gets_a_304(self):
        """RFC 9111 section 4.3.3: after validation the client's own condition decides."""
        path = self.page(cache_control=FRESH, age=OLD, etag='"1"')
        self.ask(path)
        self.assertEqual(304, self.ask(path, if_none_match='"1"').status)
        self.page(path=path, cache_control=FRESH, etag='"2"')
        new = self.ask(path, if_none_match='"1"')
        self.assertEqual((200, '"2"'), (new.status, new.get("etag")))
        self.assertEqual(304, self.ask(path, if_none_match='"2"').status)

    def test_one_who_has_another_state_gets_the_whole_of_what_is_stored(self):
        """RFC 9111 section 4.3.1: the cache's own condition is not the client's."""
        path = self.page(cache_control=FRESH, age=OLD, etag='"1"')
        self.ask(path)
        response = self.ask(path, if_none_match='"0"')
        self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))

    def test_an_error_has_no_state(self):
        """RFC 9110 section 13.2.1: conditions are for what would be a 200."""
        path = self.page(status=404, cache_control=FRESH, etag='"1"')
        self.filled(path)
        self.assertEqual(404, self.ask(path, if_none_match='"1"').status)


class Head(CacheCase):
    def test_a_stored_get_answers_it(self):
        """RFC 9111 section 4: HEAD from GET."""
        path = self.page(cache_control=FRESH, x_a="1")
        whole = self.filled(path)
        head = self.ask(path, method="HEAD")
        self.assert_hit(head)
        self.assertEqual((str(len(whole.body)), "1", b""), (head.get("content-length"), head.get("x-a"), bytes(head.body)))
        self.assertEqual(1, self.count(path))

    def test_its_answer_is_not_taken_for_that_of_a_get(self):
        """RFC 9111 section 4: a response without a body is no representation."""
        path = self.page(cache_control=FRESH)
        self.assertEqual(200, self.ask(path, method="HEAD").status)
        response = self.ask(path)
        self.assertTrue(response.body.startswith(path.encode()), response)

    def test_another_state_ends_what_is_stored(self):
        """RFC 9111 section 4.3.5: it counts as stale."""
        for what in ({"etag": '"2"'}, {"etag": '"1"', "body": b"another length, too"}):
            with self.subTest(what):
                path = self.page(cache_control=FRESH, etag='"1"')
                self.filled(path)
                self.page(path=path, method="HEAD", cache_control=FRESH, validates=False, **what)
                self.page(path=path, cache_control=FRESH, etag='"2"')
                self.assert_miss(self.ask(path, method="HEAD", cache_control="no-cache"), fwd="request")
                new = self.ask(path)
                self.assert_miss(new)
                self.assertEqual('"2"', new.get("etag"))

    def test_the_same_state_renews_its_fields(self):
        """RFC 9111 section 4.3.5."""
        path = self.page(cache_control=FRESH, age=OLD, etag='"1"', x_version="1", body=b"0123456789")
        self.ask(path)
        self.page(path=path, method="HEAD", cache_control=FRESH, etag='"1"', x_version="2", body=b"0123456789", validates=False)
        self.ask(path, method="HEAD")
        renewed = self.ask(path)
        self.assertEqual(("2", b"0123456789"), (renewed.get("x-version"), bytes(renewed.body)))
        self.assert_fresh_hit(renewed)


class Ranges(CacheCase):
    body = pattern(1000)
    changed = http_date(100_000)

    def stored(self, **what):
        path = self.page(**{"body": self.body, "cache_control": FRESH, "etag": '"1"', "last_modified": self.changed, **what})
        self.filled(path)
        return path

    def assert_part(self, response, first, last):
        self.assertEqual((206, f"bytes {first}-{last}/1000", str(last - first + 1)),
                         (response.status, response.get("content-range"), response.get("content-length")), response)
        self.assertEqual(self.body[first:last + 1], bytes(response.body))

    def assert_whole(self, response):
        self.assertEqual((200, None, self.body), (response.status, response.get("content-range"), bytes(response.body)))

    def test_a_part_of_a_stored_response(self):
        """RFC 9110 section 14.2, RFC 9111 section 3.3."""
        path = self.stored()
        for asked, first, last in (("bytes=0-4", 0, 4), ("bytes=10-10", 10, 10), ("bytes=990-", 990, 999), ("bytes=-5", 995, 999),
                                   ("bytes=500-5000", 500, 999), ("bytes=-5000", 0, 999), ("bytes=0-999", 0, 999)):
            with self.subTest(asked):
                response = self.ask(path, range=asked)
                self.assert_part(response, first, last)
                self.assert_hit(response)
                self.assertEqual('"1"', response.get("etag"))
        self.assertEqual(1, self.count(path))

    def test_a_part_that_is_not_there(self):
        """RFC 9110 section 15.5.17."""
        path = self.stored()
        for asked in ("bytes=1000-", "bytes=5000-6000", "bytes=-0"):
            with self.subTest(asked):
                response = self.ask(path, range=asked)
                self.assertEqual((416, "bytes */1000"), (response.status, response.get("content-range")))
                self.assertEqual((None, None), (response.get("cache-control"), response.get("content-type")))
        self.assertEqual(1, self.count(path))

    def test_what_is_no_range_of_bytes_gets_the_whole(self):
        """RFC 9110 section 14.2: ignored."""
        path = self.stored()
        for asked in ("bytes=5-2", "bytes=a-b", "bytes=-", "lines=0-4", "bytes", "bytes=1-2-3", "bytes=0x1-2"):
            with self.subTest(asked):
                self.assert_whole(self.ask(path, range=asked))
        self.assertEqual(1, self.count(path))

    def test_several_parts_are_right_or_are_the_whole(self):
        """RFC 9110 section 14.2: a server may send the whole."""
        path = self.stored()
        response = self.ask(path, range="bytes=0-4, 10-14")
        if response.status == 200:
            return self.assert_whole(response)
        self.assertEqual(206, response.status)
        boundary = re.search(r'multipart/byteranges; *boundary="?([^";]+)', response.get("content-type"))[1].encode()
        for piece in (self.body[0:5], self.body[10:15]):
            self.assertIn(b"\r\n\r\n" + piece + b"\r\n--" + boundary, bytes(response.body))

    def test_hundreds_of_parts_cost_no_more_than_the_whole(self):
        """RFC 9110 section 14.2: many small or overlapping ranges may be ignored."""
        path = self.stored()
        response = self.ask(path, range="bytes=" + ",".join("0-" for _ in range(500)))
        self.assertLess(len(response.body), 3 * len(self.body))

    def test_if_range_by_a_strong_tag(self):
        """RFC 9110 section 13.1.5."""
        path = self.stored()
        self.assert_part(self.ask(path, range="bytes=0-4", if_range='"1"'), 0, 4)
        for tag in ('"2"', 'W/"1"', "1"):
            with self.subTest(tag):
                self.assert_whole(self.ask(path, range="bytes=0-4", if_range=tag))

    def test_if_range_never_by_a_weak_tag(self):
        """RFC 9110 section 13.1.5."""
        path = self.stored(etag='W/"1"')
        self.assert_whole(self.ask(path, range="bytes=0-4", if_range='W/"1"'))

    def test_if_range_by_the_date_of_the_change(self):
        """RFC 9110 section 13.1.5: the very date, and only as a strong validator (section 8.8.2.2)."""
        path = self.stored(date=http_date())
        self.assert_part(self.ask(path, range="bytes=0-4", if_range=self.changed), 0, 4)
        self.assert_whole(self.ask(path, range="bytes=0-4", if_range=http_date(50_000)))
        now = http_date()
        young = self.stored(date=now, last_modified=now)
        self.assert_whole(self.ask(young, range="bytes=0-4", if_range=now))

    def test_if_range_without_a_range_means_nothing(self):
        """RFC 9110 section 13.1.5."""
        self.assert_whole(self.ask(self.stored(), if_range='"1"'))

    def test_a_condition_comes_before_the_range(self):
        """RFC 9110 section 13.2.2."""
        self.assertEqual(304, self.ask(self.stored(), range="bytes=0-4", if_none_match='"1"').status)

    def test_head_has_no_parts(self):
        """RFC 9110 section 14.2: Range is defined for GET alone."""
        response = self.ask(self.stored(), method="HEAD", range="bytes=0-4")
        self.assertEqual((200, "1000"), (response.status, response.get("content-length")))

    def test_an_error_has_no_parts(self):
        """RFC 9110 section 14.2: only where the answer would be a 200."""
        path = self.page(status=404, body=self.body, cache_control=FRESH)
        self.filled(path)
        self.assertEqual(404, self.ask(path, range="bytes=0-4").status)

    def test_a_part_of_what_is_not_stored_fetches_the_whole(self):
        """RFC 9111 section 3.3: the complete response is asked for, and answers all who come."""
        path = self.page(body=self.body, cache_control=FRESH)
        self.assert_part(self.ask(path, range="bytes=10-19"), 10, 19)
        self.assertIsNone(self.origin.asked(path)[0].get("range"))
        whole = self.ask(path)
        self.assert_whole(whole)
        self.assert_hit(whole)
        self.assertEqual(1, self.count(path))

    def test_the_end_of_what_is_not_stored(self):
        """RFC 9110 section 14.2: a suffix needs the length, which a chunked response doesn't tell."""
        def chunks(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\n\r\n"
                            "3e8\r\n".encode() + self.body + b"\r\n0\r\n\r\n")
        path = self.page(chunks)
        response = self.ask(path, range="bytes=-5")
        if response.status == 206:
            self.assert_part(response, 995, 999)
        else:
            self.assert_whole(response)
        self.assert_part(self.ask(path, range="bytes=-5"), 995, 999)

    def test_a_part_of_what_is_not_kept_is_what_the_origin_says(self):
        """RFC 9110 section 14.2: whole or part, but the right bytes."""
        def ranged(connection, request, number):
            if request.get("range") == "bytes=0-4":
                page = Page(body=self.body[:5], status=206, content_range="bytes 0-4/1000", cache_control="no-store")
            else:
                page = Page(body=self.body, cache_control="no-store")
            page(connection, request, number)
        path = self.page(ranged)
        for _ in range(2):
            response = self.ask(path, range="bytes=0-4")
            if response.status == 206:
                self.assert_part(response, 0, 4)
            else:
                self.assert_whole(response)

    def test_a_part_after_validation(self):
        """RFC 9111 section 4.3.1: the question to the origin is about the whole."""
        path = self.page(body=self.body, cache_control=FRESH, age=OLD, etag='"1"')
        self.ask(path)
        self.assert_part(self.ask(path, range="bytes=0-4"), 0, 4)
        asked = self.origin.asked(path)[1]
        self.assertEqual((None, '"1"'), (asked.get("range"), asked.get("if-none-match")))


if __name__ == "__main__":
    unittest.main()
