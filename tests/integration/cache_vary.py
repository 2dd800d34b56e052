"""Several stored responses for one URL, chosen by what their Vary names (RFC 9111 section 4.1)."""

import time
import unittest

from cache_case import CacheCase, Page, http_date, status_of
from cache_settings import BYTES, CACHE_LABEL, OBJECTS, vary
from wire import RawClient, request_bytes

FRESH = "max-age=600"


def speaking(*names, **what):
    """A page that says what it was chosen by."""
    def script(connection, request, number):
        told = "|".join(f"{name}={request.get(name, '-')}" for name in names)
        page = Page(**{"body": f"{told} #{number}", "cache_control": FRESH, "vary": ", ".join(names), **what})
        page(connection, request, number)
    return script


class Variants(CacheCase):
    def varying(self, *names, **what):
        return self.page(speaking(*names, **what))

    def test_each_has_its_own(self):
        """RFC 9111 section 4.1."""
        path = self.varying("accept-language")
        for language in ("en", "de", "fr"):
            self.filled(path, accept_language=language)
        for language in ("en", "de", "fr"):
            response = self.ask(path, accept_language=language)
            self.assert_hit(response)
            self.assertIn(f"accept-language={language} ", response.body.decode())
        self.assertEqual(3, self.count(path))

    def test_another_one_is_told_from_an_unknown_url(self):
        """RFC 9211 section 2.2: fwd=vary-miss."""
        path = self.varying("accept-language")
        self.assert_miss(self.ask(path, accept_language="en"), fwd="uri-miss")
        self.assert_miss(self.ask(path, accept_language="de"), fwd="vary-miss")

    def test_absent_matches_absent_alone(self):
        """RFC 9111 section 4.1."""
        path = self.varying("x-kind")
        self.filled(path)
        self.assert_hit(self.ask(path))
        self.assert_miss(self.ask(path, x_kind="a"), fwd="vary-miss")
        other = self.varying("x-kind")
        self.filled(other, x_kind="a")
        self.assert_miss(self.ask(other), fwd="vary-miss")

    def test_all_of_several_fields_have_to_match(self):
        """RFC 9111 section 4.1."""
        path = self.varying("accept-language", "x-kind")
        self.filled(path, accept_language="en", x_kind="a")
        self.assert_miss(self.ask(path, accept_language="en", x_kind="b"))
        self.assert_miss(self.ask(path, accept_language="de", x_kind="a"))
        self.assert_hit(self.ask(path, accept_language="en", x_kind="a"))
        self.assert_hit(self.ask(path, accept_language="de", x_kind="a"))

    def test_fields_that_vary_does_not_name_make_no_variants(self):
        path = self.varying("accept-language")
        self.filled(path, accept_language="en", accept="text/html", cookie="a=1", user_agent="one")
        self.assert_hit(self.ask(path, accept_language="en", accept="text/plain", cookie="a=2", user_agent="two"))

    def test_the_names_are_found_in_any_case_and_on_any_line(self):
        """RFC 9110 section 12.5.5."""
        path = self.page(speaking("accept-language", vary="ACCEPT-Language", fields=[("Vary", "X-Kind")]))
        self.filled(path, accept_language="en", x_kind="a")
        self.assert_hit(self.ask(path, accept_language="en", x_kind="a"))
        self.assert_miss(self.ask(path, accept_language="de", x_kind="a"))
        self.assert_miss(self.ask(path, accept_language="en", x_kind="b"))

    def test_lines_and_spaces_of_a_list_make_no_difference(self):
        """RFC 9111 section 4.1: values are normalised before they are compared."""
        path = self.varying("accept-language")
        self.filled(path, accept_language="en, de;q=0.5")
        self.assert_hit(self.ask(path, accept_language="en,de;q=0.5"))
        self.assert_hit(self.ask(path, accept_language="en ,  de;q=0.5"))
        self.assert_hit(self.ask(path, fields=[("Accept-Language", "en"), ("accept-language", "de;q=0.5")]))
        self.assert_miss(self.ask(path, accept_language="de;q=0.5, en"))

    def test_responses_may_vary_by_different_fields(self):
        """RFC 9111 section 4.1: each stored response is held against its own Vary."""
        def either(connection, request, number):
            name = "x-kind" if request.get("accept-language") == "de" else "accept-language"
            speaking(name)(connection, request, number)
        path = self.page(either)
        self.filled(path, accept_language="en", x_kind="a")
        self.filled(path, accept_language="de", x_kind="b")
        self.assertIn("x-kind=b", self.ask(path, accept_language="de", x_kind="b").body.decode())
        self.assertIn("accept-language=en", self.ask(path, accept_language="en", x_kind="c").body.decode())
        self.assertEqual(2, self.count(path))

    def test_of_several_that_match_the_most_recent_one_answers(self):
        """RFC 9111 section 4: by Date."""
        path = self.page(speaking("accept-language", date=http_date(100), cache_control=FRESH))
        self.filled(path, accept_language="en")
        self.page(Page(body="for all", cache_control=FRESH, date=http_date(10)), path=path)
        self.filled(path, accept_language="de")
        self.assertEqual(b"for all", bytes(self.ask(path, accept_language="en").body))

    def test_each_variant_is_validated_by_its_own_tag(self):
        """RFC 9111 section 4.3.1."""
        def tagged(connection, request, number):
            language = request.get("accept-language")
            page = Page(body=language, cache_control="no-cache, max-age=600", etag=f'"{language}"', vary="accept-language")
            page(connection, request, number)
        path = self.page(tagged)
        for language in ("en", "de", "en", "de"):
            self.assertEqual(language, self.ask(path, accept_language=language).body.decode())
        asked = self.origin.asked(path)
        self.assertIn('"en"', asked[2].get("if-none-match", ""))
        self.assertIn('"de"', asked[3].get("if-none-match", ""))

    def test_vary_is_told_to_clients(self):
        path = self.varying("accept-language")
        for _ in range(2):
            self.assertEqual("accept-language", self.ask(path, accept_language="en").get("vary"))


class AcceptEncoding(CacheCase):
    """Its values are made few (RFC 9111 section 4.1: normalised by what is known of their meaning)."""

    def test_what_means_the_same_is_the_same(self):
        path = self.page(speaking("accept-encoding"))
        self.filled(path, accept_encoding="gzip, br")
        for same in ("br, gzip", "gzip,br", "GZIP, Br", "gzip;q=1.0, br;q=0.9", "br;q=0.5,gzip"):
            with self.subTest(same):
                self.assert_hit(self.ask(path, accept_encoding=same))
        self.assert_hit(self.ask(path, fields=[("Accept-Encoding", "br"), ("Accept-Encoding", "gzip")]))

    def test_what_takes_less_is_another_one(self):
        path = self.page(speaking("accept-encoding"))
        self.filled(path, accept_encoding="gzip, br")
        for other in ("gzip", "br", "gzip, br;q=0", "gzip;q=0, br;q=0", "identity"):
            with self.subTest(other):
                response = self.ask(path, accept_encoding=other)
                self.assertNotIn("gzip, br ", response.body.decode())
        self.assertNotIn("gzip, br ", self.ask(path).body.decode())

    def test_nobody_gets_a_coding_that_it_did_not_take(self):
        """RFC 9110 section 12.5.3."""
        def coding(connection, request, number):
            takes = request.get("accept-encoding", "")
            chosen = "gzip" if "gzip" in takes and "gzip;q=0" not in takes.replace(" ", "") else None
            page = {"content_encoding": chosen} if chosen else {}
            Page(body=chosen or "plain", cache_control=FRESH, vary="accept-encoding", **page)(connection, request, number)
        path = self.page(coding)
        for takes, body in (("gzip", b"gzip"), ("identity", b"plain"), ("gzip;q=0", b"plain"), ("gzip;q=0.000", b"plain"),
                            ("gzip;q=0.5", b"gzip"), ("br, gzip", b"gzip"), ("", b"plain")):
            with self.subTest(takes):
                response = self.ask(path, accept_encoding=takes)
                self.assertEqual(body, bytes(response.body))
                self.assertEqual("gzip" if body == b"gzip" else None, response.get("content-encoding"))
        self.assertEqual(b"plain", bytes(self.ask(path).body))


class Hostile(CacheCase):
    caches = {"/few/": {**vary(variants=8), "max_size": "8MiB", "max_object": "1MiB"}, "/fields/": vary(fields=2), "/": {}}

    def test_hundreds_of_variants_of_one_url_stay_within_bounds(self):
        body = "x" * 20_000
        path = self.page(Page(body=body, cache_control=FRESH, vary="x-any"), under="/few/")
        with RawClient(self.shared.address) as client:
            for number in range(300):
                response = client.get(path, {"X-Any": f"v{number}"})
                self.assertEqual((200, len(body)), (response.status, len(response.body)))
                if number % 100 == 50:
                    self.assertLessEqual(self.shared.metric(OBJECTS, **{CACHE_LABEL: "few"}), 8 + 1)
            self.assert_hit(client.get(path, {"X-Any": "v299"}))
            self.assert_miss(client.get(path, {"X-Any": "v0"}))
        self.assertLessEqual(self.shared.metric(BYTES, **{CACHE_LABEL: "few"}), 10 * 22_000)

    def test_variants_cost_a_lookup_no_time_that_tells(self):
        """A URL with the most variants there can be is answered as one with two, or nearly."""
        crowded, plain = (self.page(Page(cache_control=FRESH, vary="x-any")) for _ in range(2))
        with RawClient(self.shared.address) as client:
            for number in range(64):
                client.get(crowded, {"X-Any": f"{number}" * 100})
            for number in range(2):
                client.get(plain, {"X-Any": f"{number}" * 100})

            def seconds(path, value, count=100):
                wire = request_bytes(target=path, fields={"X-Any": value * 100}) * count
                started = time.monotonic()
                client.send(wire)
                for _ in range(count):
                    self.assert_hit(client.response())
                return time.monotonic() - started
            least = lambda path, value: min(seconds(path, value) for _ in range(5))
            self.assertLess(least(crowded, "63"), 5 * least(plain, "1") + 0.05)

    def test_a_vary_of_more_names_than_allowed_is_not_stored(self):
        path = self.page(cache_control=FRESH, vary="x-a, x-b, x-c", under="/fields/")
        self.assert_not_stored(path)
        self.assert_reused(self.page(cache_control=FRESH, vary="x-a, x-b", under="/fields/"))

    def test_a_vary_of_hundreds_of_names_passes_through(self):
        names = ", ".join(f"x-{number}" for number in range(300))
        self.assert_not_stored(self.page(cache_control=FRESH, vary=names))

    def test_a_name_that_comes_often_is_one(self):
        self.assert_reused(self.page(cache_control=FRESH, vary="x-a, X-A, x-a", under="/fields/"), x_a="1")

    def test_a_malformed_vary_does_no_harm(self):
        for value in ("", ",", ", ,", "a b", '"accept"', "@", "accept,,x-a"):
            with self.subTest(value):
                path = self.page(cache_control=FRESH, vary=value)
                for _ in range(2):
                    response = self.ask(path, accept="a")
                    self.assertEqual(200, response.status)
                    self.assertIsNotNone(status_of(response))

    def test_values_as_long_as_a_head_may_be(self):
        path = self.page(cache_control=FRESH, vary="x-any")
        long = "v" * 7000
        self.filled(path, x_any=long)
        self.assert_hit(self.ask(path, x_any=long))
        self.assert_miss(self.ask(path, x_any=long + "w"))


if __name__ == "__main__":
    unittest.main()
