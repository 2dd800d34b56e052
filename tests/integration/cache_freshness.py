"""How old a stored response is, how long it is fresh (RFC 9111 section 4.2), what a client may ask of that (section
5.2.1), and what the cache says of itself (RFC 9211)."""

import time
import unittest

from cache_case import CacheCase, Page, http_date, status_of, statuses
from cache_settings import (BYTES, CACHE_LABEL, HIT, HIT_AGE, LOG_CACHE, MISS, OBJECTS, REQUEST_DIRECTIVES, REQUESTS, ROUTE_LABEL,
                            STALE, STALE_FLAG, STATUS_FIELD, STATUS_LABEL, cache_status, respecting)
from harness import eventually, fetch

FRESH = "max-age=60"


class Age(CacheCase):
    def age(self, path):
        self.filled(path)
        response = self.ask(path)
        self.assert_hit(response)
        return int(response.get("age"))

    def test_every_hit_tells_its_age(self):
        """RFC 9111 section 5.1."""
        self.assertIn(self.age(self.page(cache_control=FRESH)), range(0, 10))

    def test_there_is_one_age_alone(self):
        """RFC 9111 section 5.1: the sender's own takes the place of what came."""
        path = self.page(cache_control="max-age=600", age=10)
        self.filled(path)
        self.assertEqual(1, len(self.ask(path).all("age")))

    def test_it_grows_while_the_response_is_kept(self):
        """RFC 9111 section 4.2.3: the resident time."""
        path = self.page(cache_control="max-age=600", age=100)
        self.filled(path)
        first = int(self.ask(path).get("age"))
        later = lambda: int(self.ask(path).get("age"))
        eventually(lambda: later() > first, "an older response", patience=3)

    def test_the_age_that_it_came_with_counts(self):
        """RFC 9111 section 4.2.3: corrected_age_value."""
        self.assertIn(self.age(self.page(cache_control=FRESH, age=30)), range(30, 40))

    def test_what_its_date_says_counts(self):
        """RFC 9111 section 4.2.3: apparent_age."""
        self.assertIn(self.age(self.page(cache_control=FRESH, date=http_date(30))), range(29, 40))

    def test_the_greater_of_both_counts(self):
        """RFC 9111 section 4.2.3."""
        self.assertIn(self.age(self.page(cache_control=FRESH, date=http_date(20), age=40)), range(40, 50))
        self.assertIn(self.age(self.page(cache_control=FRESH, date=http_date(40), age=20)), range(39, 50))

    def test_a_date_of_the_future_is_no_negative_age(self):
        """RFC 9111 section 4.2.3."""
        self.assertIn(self.age(self.page(cache_control=FRESH, date=http_date(-3600))), range(0, 10))

    def test_the_time_that_the_response_took_counts(self):
        """RFC 9111 section 4.2.3: response_delay."""
        def late(connection, request, number):
            connection.backend.stopping.wait(1.1)
            Page(cache_control=FRESH, age=30)(connection, request, number)
        self.assertIn(self.age(self.page(late)), range(31, 41))

    def test_of_several_ages_the_first_one_counts(self):
        """RFC 9110 section 5.5, RFC 9111 section 5.1: a list where one value is defined."""
        path = self.page(cache_control="max-age=600", age="20, 40")
        self.ask(path)
        self.assertGreaterEqual(int(self.ask(path).get("age", 20)), 20)

    def test_an_age_that_is_no_number_makes_nothing_younger(self):
        """RFC 9111 section 5.1: it's ignored, or the response is stale."""
        for value in ("abc", "-5", "1.5", "", "9" * 40):
            with self.subTest(value):
                path = self.page(cache_control=FRESH, age=value, date=http_date(30))
                self.ask(path)
                second = self.ask(path)
                self.assertEqual(200, second.status)
                if status_of(second).is_hit:
                    self.assertGreaterEqual(int(second.get("age")), 29)

    def test_an_age_beyond_all_bounds_is_old(self):
        """RFC 9111 section 1.2.2."""
        self.assert_not_reused(self.page(cache_control=FRESH, age="9" * 40))


class Lifetimes(CacheCase):
    def ttl(self, path):
        self.filled(path)
        return self.assert_fresh_hit(self.ask(path))["ttl"]

    def test_max_age(self):
        """RFC 9111 section 5.2.2.1."""
        self.assertIn(self.ttl(self.page(cache_control="max-age=600")), range(590, 601))

    def test_s_maxage_comes_first(self):
        """RFC 9111 section 5.2.2.10."""
        self.assertIn(self.ttl(self.page(cache_control="max-age=0, s-maxage=600")), range(590, 601))
        self.assertIn(self.ttl(self.page(cache_control="s-maxage=600, max-age=6000", expires="0")), range(590, 601))
        self.assert_not_reused(self.page(cache_control="max-age=600, s-maxage=0"))

    def test_expires_less_the_date(self):
        """RFC 9111 section 4.2.1."""
        path = self.page(date=http_date(100), expires=http_date(-500))
        self.assertIn(self.ttl(path), range(490, 502))

    def test_the_age_is_taken_off(self):
        """RFC 9111 section 4.2."""
        self.assertIn(self.ttl(self.page(cache_control="max-age=600", age=500)), range(90, 101))
        self.assert_not_reused(self.page(cache_control="max-age=600", age=600))

    def test_when_it_is_over_the_origin_is_asked(self):
        """RFC 9111 section 4."""
        path = self.page(cache_control="max-age=1")
        first = self.filled(path)
        started = time.monotonic()
        answers = []
        eventually(lambda: answers.append(self.ask(path)) or not status_of(answers[-1]).is_hit, "no hit any more", patience=4)
        self.assertGreater(time.monotonic() - started, 0.5)
        self.assert_miss(answers[-1], fwd="stale")
        self.assertNotEqual(bytes(first.body), bytes(answers[-1].body))

    def test_immutable_says_nothing_of_how_long(self):
        """RFC 8246 section 2."""
        self.assertIn(self.ttl(self.page(cache_control="max-age=600, immutable")), range(590, 601))
        self.assert_not_reused(self.page(cache_control="max-age=600, immutable", age=600))


class Asked(CacheCase):
    """Requests with directives of their own."""

    def stored(self, **what):
        path = self.page(**{"cache_control": "max-age=600", "etag": '"1"', **what})
        self.ask(path)
        return path

    def asked(self, path, directives):
        return self.ask(path, cache_control=directives)

    def test_no_cache_asks_the_origin_again(self):
        """RFC 9111 section 5.2.1.4."""
        path = self.stored()
        response = self.asked(path, "no-cache")
        self.assert_miss(response, fwd="request", fwd_status=304)
        self.assertEqual('"1"', self.origin.asked(path)[-1].get("if-none-match"))
        self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))

    def test_pragma_does_so_where_there_is_no_cache_control(self):
        """RFC 9111 section 5.4."""
        path = self.stored()
        self.assert_miss(self.ask(path, pragma="no-cache"), fwd="request")
        self.assert_hit(self.ask(path, pragma="no-cache", cache_control="max-age=100"))

    def test_what_no_cache_brought_is_for_all(self):
        path = self.page(cache_control=FRESH)
        self.filled(path)
        new = self.asked(path, "no-cache")
        self.assert_miss(new, fwd="request", fwd_status=200, stored=True)
        self.assertEqual(bytes(new.body), bytes(self.ask(path).body))

    def test_no_store_does_not_refuse_what_is_stored(self):
        """RFC 9111 section 5.2.1.5: it says nothing of responses that are stored already."""
        self.assert_hit(self.asked(self.stored(), "no-store"))

    def test_max_age_takes_nothing_older(self):
        """RFC 9111 section 5.2.1.1."""
        path = self.stored(age=30)
        self.assert_hit(self.asked(path, "max-age=100"))
        self.assert_miss(self.asked(path, "max-age=10"), fwd="request")

    def test_max_age_0_asks_the_origin_again(self):
        """RFC 9111 section 5.2.1.1."""
        path = self.stored(age=1)
        self.assert_miss(self.asked(path, "max-age=0"), fwd="request")

    def test_min_fresh_takes_nothing_that_is_soon_over(self):
        """RFC 9111 section 5.2.1.3."""
        path = self.stored(age=500)
        self.assert_hit(self.asked(path, "min-fresh=10"))
        self.assert_miss(self.asked(path, "min-fresh=200"), fwd="request")

    def test_max_stale_takes_what_is_over(self):
        """RFC 9111 section 5.2.1.2."""
        for directives in ("max-stale", "max-stale=1000"):
            with self.subTest(directives):
                path = self.stored(age=700)
                self.assert_stale_hit(self.asked(path, directives))
                self.assertEqual(1, self.count(path))

    def test_max_stale_takes_what_is_over_for_so_long_alone(self):
        """RFC 9111 section 5.2.1.2."""
        path = self.stored(age=700)
        self.assert_miss(self.asked(path, "max-stale=50"), fwd="stale")

    def test_max_stale_does_not_override_the_response(self):
        """RFC 9111 section 4.2.4."""
        for directives in ("max-age=600, must-revalidate", "max-age=600, proxy-revalidate", "s-maxage=600",
                           "no-cache, max-age=600"):
            with self.subTest(directives):
                self.assert_miss(self.asked(self.stored(cache_control=directives, age=700), "max-stale"))

    def test_only_if_cached(self):
        """RFC 9111 section 5.2.1.7."""
        path = self.stored()
        self.assert_hit(self.asked(path, "only-if-cached"))
        absent = self.page(cache_control=FRESH)
        self.assertEqual(504, self.asked(absent, "only-if-cached").status)
        self.assertEqual((1, 0), (self.count(path), self.count(absent)))

    def test_only_if_cached_is_not_for_what_is_over(self):
        """RFC 9111 section 5.2.1.7: consistent with the other constraints of the request."""
        path = self.stored(age=700)
        self.assertEqual(504, self.asked(path, "only-if-cached").status)
        self.assert_stale_hit(self.asked(path, "only-if-cached, max-stale"))
        young = self.stored(age=100)
        self.assertEqual(504, self.asked(young, "only-if-cached, max-age=10").status)
        self.assertEqual((1, 1), (self.count(path), self.count(young)))

    def test_malformed_ones_do_no_harm(self):
        for directives in ("max-age=abc", "min-fresh=", "max-stale=x", ",,,", "=", '"', "a" * 4000):
            with self.subTest(directives[:20]):
                self.assertEqual(200, self.asked(self.stored(), directives).status)

    def test_words_are_not_told_by_their_case(self):
        """RFC 9111 section 5.2."""
        self.assert_miss(self.asked(self.stored(), "No-Cache"), fwd="request")


def all_but(word):
    return respecting(*(other for other in REQUEST_DIRECTIVES if other != word))


class Switched(CacheCase):
    """Each directive of a request is respected by one route and not by another."""

    caches = {"/nothing/": respecting(), **{f"/{word}/": all_but(word) for word in REQUEST_DIRECTIVES}}
    harmful = {"no_cache": "no-cache", "max_age": "max-age=10", "min_fresh": "min-fresh=500"}

    def stored(self, under, **what):
        path = self.page(under=under, **{"cache_control": "max-age=600", "age": 200, **what})
        self.filled(path)
        return path

    def test_what_would_ask_the_origin_again_does_not(self):
        for word, directives in self.harmful.items():
            for route in (f"/{word}/", "/nothing/"):
                with self.subTest(word, route=route):
                    self.assert_hit(self.ask(self.stored(route), cache_control=directives))
        self.assert_hit(self.ask(self.stored("/no_cache/"), pragma="no-cache"))

    def test_the_others_stay_as_they_are(self):
        for word, directives in self.harmful.items():
            with self.subTest(word):
                path = self.stored("/no_store/")
                self.assert_miss(self.ask(path, cache_control=directives), fwd="request")

    def test_no_store(self):
        for route in ("/no_store/", "/nothing/"):
            path = self.page(under=route, cache_control=FRESH)
            self.assertIn("stored", self.assert_miss(self.ask(path, cache_control="no-store")))
            self.assert_hit(self.ask(path))

    def test_max_stale(self):
        for route in ("/max_stale/", "/nothing/"):
            path = self.page(under=route, cache_control="max-age=600", age=700, etag='"1"')
            self.ask(path)
            self.assert_miss(self.ask(path, cache_control="max-stale"), fwd="stale")

    def test_only_if_cached(self):
        for route in ("/only_if_cached/", "/nothing/"):
            path = self.page(under=route, cache_control=FRESH)
            response = self.ask(path, cache_control="only-if-cached")
            self.assertEqual(200, response.status)
            self.assert_miss(response, fwd="uri-miss")


class Said(CacheCase):
    """Cache-Status (RFC 9211), metrics and the log."""

    caches = {"/": {}, "/named/": {"name": "pages", **cache_status(name="edge one", key=True)}}

    def test_a_miss_a_hit_and_an_expired_one(self):
        """RFC 9211 section 2: hit or fwd, never both."""
        path = self.page(cache_control="max-age=600")
        self.assertEqual({"fwd": "uri-miss", "fwd-status": 200, "stored": True}, dict(status_of(self.ask(path))))
        hit = dict(status_of(self.ask(path)))
        self.assertEqual({"hit", "ttl"}, set(hit))
        old = self.page(cache_control="max-age=600", age=700, etag='"1"')
        self.ask(old)
        self.assertEqual({"fwd": "stale", "fwd-status": 304, "stored": True}, dict(status_of(self.ask(old))))

    def test_a_miss_that_is_not_stored(self):
        status = status_of(self.ask(self.page(cache_control="no-store")))
        self.assertEqual(("uri-miss", 200, None), (status["fwd"], status["fwd-status"], status.get("stored")))

    def test_caches_nearer_to_the_origin_stay_before_us(self):
        """RFC 9211 section 2: each adds itself behind those."""
        path = self.page(cache_control=FRESH, cache_status='origin; hit; ttl=5, "a, b"; fwd=miss')
        for response in (self.ask(path), self.ask(path)):
            told = statuses(response)
            self.assertEqual(["origin", "a, b", "weir"], [status.name for status in told], response)
        self.assertTrue(told[-1].is_hit)

    def test_its_name_is_the_route_s_choice_and_the_key_on_demand(self):
        """RFC 9211 section 2: a String where it is no Token; section 2.7: key."""
        path = self.page(under="/named/", cache_control=FRESH)
        for _ in range(2):
            status = status_of(self.ask(path + "?a=1"))
            self.assertTrue(status.text.startswith('"edge one"'), status)
            self.assertIn(path + "?a=1", status["key"])
        self.assertNotIn("key", status_of(self.ask(self.page(cache_control=FRESH))))

    def test_the_error_of_a_dead_end_says_so_too(self):
        """RFC 9211 section 2: every response that met the cache."""
        refused = self.ask(self.page(cache_control=FRESH), cache_control="only-if-cached")
        self.assertEqual(504, refused.status)
        dead = self.ask(self.page(lambda connection, *_: connection.reset()))
        self.assertEqual(502, dead.status)
        for response in (refused, dead):
            self.assertIsNotNone(response.get(STATUS_FIELD), response)

    def test_what_became_of_requests_is_counted(self):
        name = "pages"
        count = lambda status: self.shared.metric(REQUESTS, **{CACHE_LABEL: name, STATUS_LABEL: status})
        before = count(MISS), count(HIT)
        path = self.page(under="/named/", cache_control=FRESH, body=b"x" * 10_000)
        for _ in range(4):
            self.ask(path)
        self.assertEqual((before[0] + 1, before[1] + 3), (count(MISS), count(HIT)))
        self.assertGreater(self.shared.metric(BYTES, **{CACHE_LABEL: name}), 10_000)
        self.assertGreaterEqual(self.shared.metric(OBJECTS, **{CACHE_LABEL: name}), 1)

    def test_how_old_hits_are_is_counted(self):
        of = {CACHE_LABEL: "pages", ROUTE_LABEL: "named"}
        up_to = lambda bound: self.shared.metric(f"{HIT_AGE}_bucket", le=bound, **of)
        look = lambda: [up_to("60"), up_to("300"), up_to("604800"), up_to("+Inf")] + [
            self.shared.metric(f"{HIT_AGE}_{what}", **of) for what in ("count", "sum")]
        before = look()
        young = self.page(under="/named/", cache_control=FRESH)
        middling = self.page(under="/named/", cache_control="max-age=600", age=100)
        old = self.page(under="/named/", cache_control="max-age=9999999", age=1_000_000)
        for path in (young, middling, old):
            self.assert_reused(path)
        more = [now - then for now, then in zip(look(), before)]
        self.assertEqual([1, 2, 2, 3, 3], more[:5])
        self.assertTrue(1_000_100 <= more[5] < 1_000_200, more)

    def test_the_ages_are_a_histogram_that_a_scraper_reads(self):
        self.assert_reused(self.page(cache_control=FRESH))
        self.assert_reused(self.page(under="/named/", cache_control=FRESH))
        lines = fetch(self.shared.admin, target="/metrics").body.decode().splitlines()
        own = [line for line in lines if HIT_AGE in line]
        self.assertEqual([f"# HELP {HIT_AGE} ", f"# TYPE {HIT_AGE} histogram"],
                         [own[0][:len(f"# HELP {HIT_AGE} ")], own[1]])
        self.assertEqual(2, sum(line.startswith("#") for line in own))
        start = lines.index(own[0])
        self.assertEqual(own, lines[start:start + len(own)], "the family stands together")
        counts = [float(line.split()[-1]) for line in own if "_bucket" in line and 'cache="pages"' in line]
        self.assertEqual(sorted(counts), counts)
        self.assertEqual(13, len(counts))

    def test_the_log_has_the_word_and_marks_what_is_stale(self):
        path = self.page(cache_control="max-age=600", age=700, etag='"1"')
        self.ask(path)
        self.ask(path, cache_control="max-stale")
        miss, stale = self.shared.log_of(path, 2)
        self.assertEqual((MISS, STALE), (miss[LOG_CACHE], stale[LOG_CACHE]))
        self.assertEqual((False, True), (STALE_FLAG in miss.flags, STALE_FLAG in stale.flags))


if __name__ == "__main__":
    unittest.main()
