"""What is over still helps (RFC 5861): at once while it is asked for anew, and when the origin fails."""

import unittest

from cache_case import CacheCase, Gate, Origin, Page, status_of
from cache_settings import IF_ERROR, LOG_CACHE, STALE, STALE_FLAG, WHILE_REVALIDATE, cache, serve_stale
from harness import eventually, settings
from settings import (DEGRADED, FALLBACK, circuit_breaker, concurrency_limit, fallback, hedge, retry, to_stale, to_text,
                      to_upstream, upstream_timeouts)
from wire import request_bytes

OLD = 700                                           # as Age: over for 100 s when it came
REFRESHING = "max-age=600, stale-while-revalidate=6000"
FAILING = "max-age=600, stale-if-error=6000"


class StaleCase(CacheCase):
    def stale(self, directives, under="/", **what):
        """A page that is stored and over, and asked about no more."""
        path = self.page(under=under, **{"cache_control": directives, "age": OLD, **what})
        self.assertIn("stored", self.assert_miss(self.ask(path)))
        return path

    def resets(self, path):
        self.page(lambda connection, *_: connection.reset(), path=path)


class WhileRevalidating(StaleCase):
    caches = {"/": {}, "/usual/": serve_stale(refreshing="6000s")}

    def test_it_is_served_at_once_and_asked_for_anew_once(self):
        """RFC 5861 section 3."""
        path = self.stale(REFRESHING)
        gate = Gate(Page(cache_control="max-age=600"))
        self.page(gate, path=path)
        for _ in range(10):
            response = self.ask(path)               # comes while the origin holds its answer back
            self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))
            self.assert_stale_hit(response, WHILE_REVALIDATE)
            self.assertGreaterEqual(int(response.get("age")), OLD)
        gate.wait_held()
        self.assertEqual(2, self.count(path))
        gate.open.set()
        self.becomes_hit(path, f"{path} #2".encode())
        self.assertEqual(2, self.count(path))

    def test_many_at_once_make_one_refresh(self):
        path = self.stale(REFRESHING)
        gate = Gate(Page(cache_control="max-age=600"))
        self.page(gate, path=path)
        clients = [self.client(self.shared) for _ in range(50)]
        for client in clients:
            client.send(request_bytes(target=path))
        for client in clients:
            self.assert_stale_hit(client.response(), WHILE_REVALIDATE)
        gate.wait_held()
        self.assertEqual(2, self.count(path))
        gate.open.set()

    def test_the_refresh_is_a_validation_where_that_can_be(self):
        """RFC 9111 section 4.3."""
        path = self.stale(REFRESHING, etag='"1"', fields_304=[("Age", "0")])
        self.assert_stale_hit(self.ask(path))
        self.becomes_hit(path, f"{path} #1".encode())
        self.assertEqual([200, 304], [request.answered for request in self.origin.asked(path)])

    def test_its_window_ends(self):
        """RFC 5861 section 3."""
        path = self.stale("max-age=600, stale-while-revalidate=10, stale-if-error=10", etag='"1"')
        self.assert_miss(self.ask(path), fwd="stale")

    def test_a_refresh_that_fails_harms_nobody(self):
        path = self.stale(REFRESHING)
        for harm in (lambda: self.resets(path), lambda: self.page(path=path, status=500)):
            harm()
            before = self.count(path)
            for _ in range(3):
                self.assert_stale_hit(self.ask(path), WHILE_REVALIDATE)
            eventually(lambda: self.count(path) > before, "a refresh that fails")
        self.page(path=path, cache_control="max-age=600")
        eventually(lambda: self.assert_hit(self.ask(path))["ttl"] > 0, "a refresh that does not")

    def test_what_forbids_to_serve_stale_forbids_this(self):
        """RFC 9111 section 4.2.4."""
        for directives in ("must-revalidate", "proxy-revalidate", "s-maxage=600", "no-cache"):
            with self.subTest(directives):
                path = self.stale(f"{REFRESHING}, {directives}", etag='"1"')
                self.assert_miss(self.ask(path))

    def test_the_route_s_word_counts_where_the_response_has_none(self):
        self.assert_stale_hit(self.ask(self.stale("max-age=600", under="/usual/")), WHILE_REVALIDATE)
        path = self.stale("max-age=600, stale-while-revalidate=0", under="/usual/", etag='"1"')
        self.assert_miss(self.ask(path), fwd="stale")
        path = self.stale("max-age=600, must-revalidate", under="/usual/", etag='"1"')
        self.assert_miss(self.ask(path))

    def test_a_client_that_wants_it_fresh_waits(self):
        """RFC 9111 section 5.2.1."""
        path = self.stale(REFRESHING, etag='"1"')
        for directives in ("no-cache", "max-age=10", "min-fresh=10"):
            with self.subTest(directives):
                self.assert_miss(self.ask(path, cache_control=directives))

    def test_the_log_marks_it(self):
        path = self.stale(REFRESHING)
        self.ask(path)
        line = self.shared.log_of(path, 2)[1]
        self.assertEqual(STALE, line[LOG_CACHE])
        self.assertIn(STALE_FLAG, line.flags)

    def test_it_is_over_when_its_time_is(self):
        """The same by the clock alone."""
        path = self.page(cache_control="max-age=1, stale-while-revalidate=6000")
        self.filled(path)
        eventually(lambda: self.assert_hit(self.ask(path))["ttl"] < 0, "over", patience=4)
        self.becomes_hit(path, f"{path} #2".encode())


class IfError(StaleCase):
    caches = {"/": {}, "/usual/": serve_stale(failing="6000s")}
    upstream = upstream_timeouts(response="700ms")

    def assert_stands_in(self, path, **fields):
        response = self.ask(path, **fields)
        self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))
        self.assert_stale_hit(response, IF_ERROR)
        return response

    def test_when_the_origin_resets(self):
        """RFC 5861 section 4."""
        path = self.stale(FAILING)
        self.resets(path)
        for _ in range(3):
            self.assert_stands_in(path)

    def test_when_the_origin_answers_with_an_error(self):
        """RFC 5861 section 4: 500, 502, 503, 504."""
        for status in (500, 502, 503, 504):
            with self.subTest(status):
                path = self.stale(FAILING)
                self.page(path=path, status=status)
                self.assert_stands_in(path)
                self.assertEqual(2, self.count(path))

    def test_when_the_origin_says_nothing(self):
        path = self.stale(FAILING)
        self.page(lambda connection, *_: connection.wait_closed(), path=path)
        self.assert_stands_in(path)

    def test_when_the_origin_does_not_speak_http(self):
        path = self.stale(FAILING)
        self.page(lambda connection, *_: (connection.send("hello\r\n\r\n"), connection.close()), path=path)
        self.assert_stands_in(path)

    def test_not_when_it_says_that_it_is_gone(self):
        """RFC 5861 section 4: 404 is no such error."""
        for status in (404, 410, 403):
            with self.subTest(status):
                path = self.stale(FAILING)
                self.page(path=path, status=status, cache_control="no-store")
                self.assertEqual(status, self.ask(path).status)

    def test_its_window_ends(self):
        path = self.stale("max-age=600, stale-if-error=10", etag='"1"')
        self.resets(path)
        self.assertEqual(502, self.ask(path).status)

    def test_without_leave_the_error_is_told(self):
        path = self.stale("max-age=600", etag='"1"')
        self.page(path=path, status=503)
        self.assertEqual(503, self.ask(path).status)
        self.resets(path)
        self.assertEqual(502, self.ask(path).status)

    def test_the_route_s_word_counts_where_the_response_has_none(self):
        path = self.stale("max-age=600", under="/usual/", etag='"1"')
        self.resets(path)
        self.assert_stands_in(path)
        path = self.stale("max-age=600, stale-if-error=0", under="/usual/", etag='"1"')
        self.resets(path)
        self.assertEqual(502, self.ask(path).status)

    def test_what_forbids_to_serve_stale_forbids_this(self):
        """RFC 9111 section 4.2.4."""
        for directives in ("must-revalidate", "proxy-revalidate", "s-maxage=600"):
            with self.subTest(directives):
                path = self.stale(f"{FAILING}, {directives}", under="/usual/", etag='"1"')
                self.resets(path)
                self.assertEqual(504, self.ask(path).status)

    def test_a_request_may_ask_for_it_or_forbid_it(self):
        """RFC 5861 section 4: as a directive of the request."""
        path = self.stale("max-age=600", etag='"1"')
        self.resets(path)
        self.assert_stands_in(path, cache_control="stale-if-error=6000")
        path = self.stale(FAILING)
        self.resets(path)
        self.assertEqual(502, self.ask(path, cache_control="stale-if-error=0").status)

    def test_what_is_fresh_needs_no_leave(self):
        path = self.page(cache_control="max-age=600")
        self.filled(path)
        self.resets(path)
        self.assert_fresh_hit(self.ask(path))

    def test_the_log_marks_it(self):
        path = self.stale(FAILING)
        self.resets(path)
        self.ask(path)
        line = self.shared.log_of(path, 2)[1]
        self.assertEqual(STALE, line[LOG_CACHE])
        self.assertIn(STALE_FLAG, line.flags)

    def test_a_head_is_answered_too(self):
        path = self.stale(FAILING)
        self.resets(path)
        response = self.ask(path, method="HEAD")
        self.assertEqual(200, response.status)
        self.assert_stale_hit(response, IF_ERROR)


class Degraded(StaleCase):
    """What tells a client that its answer isn't the one it asked for."""

    def test_on_errors_and_not_while_revalidating(self):
        path = self.stale(FAILING)
        self.assertIsNone(self.ask(self.stale(REFRESHING)).get(DEGRADED))
        for method in ("GET", "HEAD"):
            self.resets(path)
            self.assertEqual("stale", self.ask(path, method=method).get(DEGRADED))

    def test_what_is_fresh_is_not_marked(self):
        path = self.page(cache_control="max-age=600")
        self.filled(path)
        self.assertIsNone(self.ask(path).get(DEGRADED))


class DeadOrigins(StaleCase):
    """Each test has an origin of its own to lose."""

    def losing(self, filters=None, upstream=None):
        """A Weir whose origin has filled its cache with one page that is over."""
        origin = self._kept(Origin())
        block = settings.upstream(origin) | (upstream or {})
        weir = self.weir({
            "workers": 2, "upstreams": {"api": block},
            "routes": [settings.route("/", "api", "all", filters=filters or [cache()])],
        })
        origin.pages["/page"] = Page(cache_control=FAILING, age=OLD)
        self.assertIn("stored", status_of(self.ask("/page", weir=weir)))
        return weir, origin

    def test_when_nobody_listens_all_are_answered_and_marked(self):
        """RFC 5861 section 4."""
        weir, origin = self.losing()
        origin.stop()
        clients = [self.client(weir) for _ in range(200)]
        for client in clients:
            client.send(request_bytes(target="/page"))
        for client in clients:
            response = client.response()
            self.assertEqual((200, b"/page #1"), (response.status, bytes(response.body)))
            self.assert_stale_hit(response, IF_ERROR)
        eventually(lambda: len(weir.log_of("/page")) == 201, "all lines")
        self.assertEqual(200, sum(STALE_FLAG in line.flags for line in weir.log_of("/page")))

    def test_when_the_circuit_is_open(self):
        weir, origin = self.losing(upstream=circuit_breaker(min_requests=4, open="1h", max_open="10h", scope="upstream"))
        origin.pages["/other"] = Page(status=503)
        for _ in range(4):
            self.ask("/other", weir=weir)
        eventually(lambda: weir.metric(settings.BREAKER_STATE, state="open") == 1, "an open circuit")
        self.assert_stale_hit(self.ask("/page", weir=weir), IF_ERROR)
        self.assertEqual(1, origin.count("/page"))

    def test_when_a_filter_behind_it_sheds(self):
        gate = Gate()
        weir, origin = self.losing(filters=[cache(), concurrency_limit(1)])
        origin.pages["/slow"] = gate
        slow = self.client(weir)
        slow.send(request_bytes(target="/slow"))
        gate.wait_held()
        self.assert_stale_hit(self.ask("/page", weir=weir), IF_ERROR)
        gate.open.set()
        self.assertEqual(200, slow.response().status)

    def test_before_the_fallback_outside_of_it(self):
        spare = fallback(to_text(200, "spare\n"))
        weir, origin = self.losing(filters=[spare, cache()])
        origin.stop()
        stands_in = self.ask("/page", weir=weir)
        self.assertEqual(b"/page #1", bytes(stands_in.body))
        self.assert_stale_hit(stands_in, IF_ERROR)
        self.assertIsNone(stands_in.get("x-weir-fallback"))
        fallen = self.ask("/unknown", weir=weir)
        self.assertEqual((b"spare\n", "respond"), (bytes(fallen.body), fallen.get("x-weir-fallback")))

    def test_what_a_fallback_inside_of_it_says_is_not_kept(self):
        weir, origin = self.losing(filters=[cache(ttl="1h"), fallback(to_text(200, "spare\n"))])
        origin.pages["/page2"] = lambda connection, *_: connection.reset()
        self.assertEqual(b"spare\n", bytes(self.ask("/page2", weir=weir).body))
        origin.pages["/page2"] = Page(cache_control="max-age=60")
        self.assertRegex(self.ask("/page2", weir=weir).body.decode(), r"^/page2 #")

    def test_it_is_asked_again_when_it_is_back(self):
        weir, origin = self.losing()
        host, _, port = origin.address.rpartition(":")
        origin.stop()
        self.assert_stale_hit(self.ask("/page", weir=weir), IF_ERROR)
        back = self._kept(Origin(port=int(port)))
        back.pages["/page"] = Page(body="back", cache_control="max-age=600")
        eventually(lambda: bytes(self.ask("/page", weir=weir).body) == b"back", "the origin again")
        self.assert_fresh_hit(self.ask("/page", weir=weir))


class FallbackStep(StaleCase):
    """`stale` among the steps of a fallback in front of the cache: further than the response itself allows."""

    SILENT = "max-age=600"                          # nothing of stale-if-error
    steps = [to_stale("1h"), to_text(299, "a text")]

    def falling_back(self, *steps, behind=(), upstream=None, spare=None, **values):
        self.own = self._kept(Origin())
        upstreams = {"api": settings.upstream(self.own) | (upstream or {})}
        if spare:
            upstreams["spare"] = settings.upstream(spare)
        return self.weir({
            "upstreams": upstreams,
            "routes": [settings.route("/", "api", "all", filters=[fallback(*steps, **values), cache(), *behind])],
        })

    def stored(self, weir, path="/page", directives=SILENT, **what):
        """A page that is over, and whose origin resets from now on."""
        self.own.pages[path] = Page(**{"cache_control": directives, "age": OLD, "etag": '"1"', **what})
        self.assertIn("stored", status_of(self.ask(path, weir=weir)))
        self.own.pages[path] = lambda connection, *_: connection.reset()
        return path

    def assert_stale_step(self, weir, path, **fields):
        response = self.ask(path, weir=weir, **fields)
        self.assertEqual((200, f"{path} #1".encode()), (response.status, bytes(response.body)))
        self.assert_stale_hit(response, "fallback")
        self.assertEqual(("stale", "stale"), (response.get(FALLBACK), response.get(DEGRADED)))
        self.assertGreaterEqual(int(response.get("age")), OLD)

    def assert_text_step(self, weir, path, **fields):
        response = self.ask(path, weir=weir, **fields)
        self.assertEqual((299, b"a text"), (response.status, bytes(response.body)))
        self.assertEqual(("respond", "fallback"), (response.get(FALLBACK), response.get(DEGRADED)))

    def test_it_answers_marked_logged_and_counted(self):
        weir = self.falling_back(*self.steps)
        path = self.stored(weir)
        self.assert_stale_step(weir, path)
        line = weir.log_of(path, 2)[1]
        self.assertEqual(STALE, line[LOG_CACHE])
        self.assertIn(STALE_FLAG, line.flags)
        self.assertIn("FB", line.flags)
        self.assertEqual(1, weir.metric(settings.FALLBACKS, route="all", step="stale", cause="reset"))

    def test_the_origin_is_not_asked_once_more(self):
        weir = self.falling_back(*self.steps)
        path = self.stored(weir)
        self.own.pages[path] = Page(status=503)
        self.assert_stale_step(weir, path)
        self.assertEqual(2, self.own.count(path))

    def test_what_is_not_stored_or_too_old_goes_on_to_the_next_step(self):
        weir = self.falling_back(*self.steps)
        self.own.pages["/never"] = lambda connection, *_: connection.reset()
        self.assert_text_step(weir, "/never")
        self.assert_text_step(weir, self.stored(weir, "/old", age=600 + 3700))
        self.assertEqual(0, weir.metric(settings.FALLBACKS, step="stale") or 0)

    def test_without_another_step_the_failure_stands(self):
        weir = self.falling_back(to_stale("1h"), on=["503"])
        self.own.pages["/never"] = Page(status=503, body="busy")
        response = self.ask("/never", weir=weir)
        self.assertEqual((503, b"busy", None), (response.status, bytes(response.body), response.get(FALLBACK)))

    def test_what_forbids_to_serve_stale_forbids_this(self):
        """RFC 9111 section 4.2.4."""
        weir = self.falling_back(*self.steps)
        for number, word in enumerate(("must-revalidate", "proxy-revalidate", "s-maxage=600", "no-cache")):
            with self.subTest(word):
                path = self.stored(weir, f"/{number}", f"max-age=600, {word}")
                self.ask(path, weir=weir)
                self.assertNotEqual("stale", self.ask(path, weir=weir).get(FALLBACK))

    def test_a_request_may_forbid_it(self):
        """RFC 5861 section 4: as a directive of the request."""
        weir = self.falling_back(*self.steps)
        self.assert_text_step(weir, self.stored(weir), cache_control="stale-if-error=0")

    def test_only_on_its_own_conditions(self):
        weir = self.falling_back(to_stale("1h", on=["503"]), to_text(299, "a text"))
        path = self.stored(weir)
        self.assert_text_step(weir, path)           # for it was reset
        self.own.pages[path] = Page(status=503)
        self.assert_stale_step(weir, path)

    def test_behind_another_upstream_that_fails_too(self):
        spare = self._kept(Origin())
        weir = self.falling_back(to_upstream("spare"), *self.steps, spare=spare)
        path = self.stored(weir)
        spare.pages[path] = lambda connection, *_: connection.reset()
        self.assert_stale_step(weir, path)
        self.assertEqual(1, spare.count(path))

    def test_what_another_upstream_answers_is_not_what_the_url_stands_for(self):
        """Neither stored, nor mixed up with what others ask the route's own upstream for."""
        spare = self._kept(Origin())
        weir = self.falling_back(to_upstream("spare"), spare=spare)
        spare.pages["/page"] = Page(body=b"the spare's", cache_control="max-age=600")
        self.own.pages["/page"] = lambda connection, *_: connection.reset()
        for number in (1, 2):
            response = self.ask("/page", weir=weir)
            self.assertEqual((b"the spare's", "spare"), (bytes(response.body), response.get(FALLBACK)))
            self.assertEqual(number, spare.count("/page"))
        self.own.pages["/page"] = Page(body=b"its own", cache_control="max-age=600")
        for _ in range(2):
            response = self.ask("/page", weir=weir)
            self.assertEqual((b"its own", None), (bytes(response.body), response.get(FALLBACK)))

    def test_when_nobody_listens(self):
        weir = self.falling_back(*self.steps)
        path = self.stored(weir)
        self.own.stop()
        self.assert_stale_step(weir, path)

    def test_when_the_circuit_is_open(self):
        weir = self.falling_back(*self.steps, upstream=circuit_breaker(min_requests=4, open="1h", max_open="10h", scope="upstream"))
        path = self.stored(weir)
        self.own.pages["/other"] = Page(status=503)
        for _ in range(4):
            self.ask("/other", weir=weir)
        eventually(lambda: weir.metric(settings.BREAKER_STATE, state="open") == 1, "an open circuit")
        self.assert_stale_step(weir, path)
        self.assertEqual(1, weir.metric(settings.FALLBACKS, step="stale", cause="circuit_open"))

    def test_when_a_filter_behind_the_cache_sheds(self):
        gate = Gate()
        weir = self.falling_back(*self.steps, behind=[concurrency_limit(1)], on=["shed"])
        path = self.stored(weir)
        self.own.pages["/slow"] = gate
        slow = self.client(weir)
        slow.send(request_bytes(target="/slow"))
        gate.wait_held()
        self.assert_stale_step(weir, path)
        gate.open.set()
        self.assertEqual(200, slow.response().status)

    def test_when_the_origin_takes_too_long(self):
        weir = self.falling_back(*self.steps, upstream=upstream_timeouts(response="300ms"))
        path = self.stored(weir)
        self.own.pages[path] = lambda connection, *_: connection.wait_closed()
        self.assert_stale_step(weir, path)

    def test_a_fallback_without_a_cache_behind_it_is_refused_with_its_place(self):
        for filters in ([fallback(to_stale("1h"))], [cache(), fallback(to_stale("1h"))]):
            told = self.refused_start({"upstreams": {"api": settings.upstream("127.0.0.1:1")},
                                       "routes": [settings.route("/", "api", filters=filters)]})
            self.assertIn("there is no cache behind this fallback", told)
            self.assertIn("after the fallback", told)

    def test_the_same_cache_twice_on_a_route_is_refused(self):
        told = self.refused_start({"upstreams": {"api": settings.upstream("127.0.0.1:1")}, "filters": [cache()],
                                   "routes": [settings.route("/", "api", filters=[cache()])]})
        self.assertIn("the route has this cache already", told)

    def test_a_second_request_that_would_join_the_first_is_refused(self):
        for outer in (hedge("50ms"), retry(per_try_timeout="1s")):
            told = self.refused_start({"upstreams": {"api": settings.upstream("127.0.0.1:1")},
                                       "routes": [settings.route("/", "api", filters=[outer, cache()])]})
            self.assertIn("in front of a cache", told)
            self.assertIn("after the cache", told)


if __name__ == "__main__":
    unittest.main()
