"""What the suites of the cache share: an origin whose pages are in the test's hand, and a case that tells hits from misses."""

import collections
import itertools
import re
import threading
import time
from email.utils import formatdate

import cache_settings
import settings
from backend import ScriptedBackend, reply_bytes
from cache_settings import cache
from harness import SharedWeirCase, eventually
from wire import fetch

STATUS_ITEM = re.compile(r'[^,"]*(?:"(?:[^"\\]|\\.)*"[^,"]*)*')
PARAMETER = re.compile(r';\s*([a-z*][a-z0-9_.*-]*)(?:=("(?:[^"\\]|\\.)*"|[^;,\s]+))?')


def field_name(word):
    return "-".join(part.capitalize() for part in word.split("_"))


def http_date(ago=0.0):
    """Now, or so many seconds earlier."""
    return formatdate(time.time() - ago, usegmt=True)


class Status(dict):
    """One member of Cache-Status (RFC 9211 section 2), its parameters by name; `name` is who speaks."""

    def __init__(self, text):
        name = text.split(";")[0].strip()
        super().__init__((found[1], self.value(found[2])) for found in PARAMETER.finditer(text))
        self.name, self.text = name.strip('"'), text.strip()

    @staticmethod
    def value(text):
        if text is None:
            return True
        return int(text) if re.fullmatch("-?[0-9]+", text) else text.strip('"')

    @property
    def is_hit(self):
        return self.get("hit") is True

    def __repr__(self):
        return f"<{self.text}>"


def statuses(response):
    """All members, the one nearest to the origin first."""
    whole = response.get(cache_settings.STATUS_FIELD) or ""
    return [Status(item) for item in STATUS_ITEM.findall(whole) if item.strip()]


def status_of(response):
    """What our cache says, which is the last one; None when it says nothing."""
    return (statuses(response) or [None])[-1]


class Page:
    """An answer: `PATH #N`, N counting the requests for it, or a body of its own. It validates as its ETag and Last-Modified
    let it. Fields by words (`cache_control="…"`), or as pairs."""

    def __init__(self, body=None, status=200, fields=(), validates=True, fields_304=(), **words):
        self.body, self.status, self.validates = body, status, validates
        self.fields = [(field_name(word), str(value)) for word, value in words.items()] + list(fields)
        self.fields_304 = list(fields_304)

    def __call__(self, connection, request, number):
        if self.validates and self.status == 200 and self.is_unchanged(request):
            changed = {name.lower() for name, _ in self.fields_304}
            kept = [pair for pair in self.fields if pair[0].lower() not in changed]
            request.answered = 304
            return connection.send(reply_bytes(304, kept + self.fields_304))
        body = self.body if self.body is not None else f"{request.target.split('?')[0]} #{number}"
        body = body.encode() if isinstance(body, str) else body
        request.answered = self.status
        connection.send(reply_bytes(self.status, self.fields, body, request.method))

    def is_unchanged(self, request):
        own = {name.lower(): value for name, value in self.fields}
        if request.get("if-none-match"):
            return "etag" in own and own["etag"] in request.get("if-none-match")
        return "last-modified" in own and request.get("if-modified-since") == own["last-modified"]


class Origin(ScriptedBackend):
    """Answers by path with what `pages` has for it: a Page, or any `(connection, request, number)`."""

    def __init__(self, **how):
        self.pages, self.requests, self.numbers, self.lock = {}, [], collections.Counter(), threading.Lock()
        super().__init__(self._serve, **how)

    def _serve(self, connection):
        while True:
            request = connection.request()
            path = request.target.split("?")[0]
            request.connection, request.answered = connection.index, None
            with self.lock:
                self.requests.append(request)
                self.numbers[path] += 1
                number = self.numbers[path]
            page = self.pages.get((request.method, path)) or self.pages.get(path) or Page(status=404, cache_control="no-store")
            page(connection, request, number)
            if request.closes():
                return

    def asked(self, path, method=None):
        """The requests for it, with any query, oldest first."""
        path = path.split("?")[0]
        with self.lock:
            return [request for request in self.requests
                    if request.target.split("?")[0] == path and method in (None, request.method)]

    def count(self, path, method=None):
        return len(self.asked(path, method))


class Gate:
    """A page whose answers wait until it is opened; `.held` is released by each request that waits."""

    def __init__(self, page=None, first=1, last=None, patience=60):
        self.page, self.first, self.last, self.patience = page or Page(cache_control="max-age=60"), first, last, patience
        self.open, self.held = threading.Event(), threading.Semaphore(0)

    def __call__(self, connection, request, number):
        if self.first <= number and (self.last is None or number <= self.last):
            self.held.release()
            self.open.wait(self.patience)
        self.page(connection, request, number)

    def wait_held(self, count=1):
        for _ in range(count):
            if not self.held.acquire(timeout=30):
                raise AssertionError("the origin was not asked")


class CacheCase(SharedWeirCase):
    """One Weir and one origin for a class; a route and a cache for each prefix in `caches`, with those settings."""

    caches = {"/": {}}
    workers = 1
    more = {}                                       # of the configuration
    upstream = {}                                   # of the upstream's block
    numbers = itertools.count(1)

    @classmethod
    def serve(cls):
        cls.origin = Origin()
        return {"origin": cls.origin}, cls.configured(cls.origin)

    @classmethod
    def configured(cls, origin, caches=None, **more):
        """A configuration with these caches over `origin`; a route's name is its prefix without slashes, or `all`."""
        blocks = sorted((cls.caches if caches is None else caches).items(), reverse=True)
        routes = [settings.route(prefix, "api", prefix.strip("/") or "all", filters=cls.filters(block))
                  for prefix, block in blocks]
        return {
            "workers": cls.workers,
            "upstreams": {"api": settings.upstream(origin) | cls.upstream},
            "routes": routes,
            **cls.more,
            **more,
        }

    @classmethod
    def filters(cls, block):
        return [cache(**block)]

    def setUp(self):
        super().setUp()
        self.addCleanup(self.check_origin)

    def check_origin(self):
        faults, self.origin.faults = self.origin.faults, []
        self.assertEqual([], faults, "the origin's script failed")

    # -- pages and requests

    def page(self, *script, under="/", path=None, method=None, **what):
        """A page on a path of its own, which is returned; or another one on `path`."""
        path = path or f"{under}{next(CacheCase.numbers)}"
        page = script[0] if script else Page(**what)
        self.origin.pages[(method, path) if method else path] = page
        return path

    def ask(self, target, method="GET", weir=None, body=b"", host="weir.test", source=None, fields=(), **words):
        """A request on a connection of its own. Fields by words (`cache_control="…"`), or as pairs."""
        pairs = [(field_name(word), str(value)) for word, value in words.items()] + list(fields)
        return fetch((weir or self.shared).address, method, target, pairs, body, host=host, source=source)

    def in_halves(self, body, cache_control="max-age=600"):
        """A page that comes in two halves; the event that lets the second one go."""
        go = threading.Event()

        def script(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nCache-Control: {cache_control}\r\n\r\n")
            connection.send(body[:len(body) // 2])
            go.wait(60)
            connection.send(body[len(body) // 2:])
        return self.page(script), go

    def count(self, path, method=None):
        return self.origin.count(path, method)

    def filled(self, path, **how):
        """The first response for a page, which is stored."""
        response = self.ask(path, **how)
        self.assert_miss(response)
        self.assertIn("stored", status_of(response), response)
        return response

    # -- promises

    def assert_hit(self, response, **parameters):
        status = status_of(response)
        self.assertIsNotNone(status, response)
        self.assertTrue(status.is_hit, response)
        self.assertNotIn("fwd", status, response)
        self.assert_parameters(status, parameters, response)
        return status

    def assert_fresh_hit(self, response):
        status = self.assert_hit(response)
        self.assertGreaterEqual(status["ttl"], 0, response)
        self.assertIsNotNone(response.get("age"), response)
        return status

    def assert_stale_hit(self, response, detail=None):
        status = self.assert_hit(response)
        self.assertLess(status["ttl"], 0, response)
        if detail:
            self.assertEqual(detail, status.get("detail"), response)
        return status

    def assert_miss(self, response, **parameters):
        status = status_of(response)
        self.assertIsNotNone(status, response)
        self.assertNotIn("hit", status, response)
        self.assertIn("fwd", status, response)
        self.assert_parameters(status, parameters, response)
        return status

    def assert_parameters(self, status, parameters, response):
        for name, value in parameters.items():
            self.assertEqual(value, status.get(name.replace("_", "-")), response)

    def assert_reused(self, path, **how):
        """Asked twice, the origin once: the same, from the cache."""
        before = self.count(path)
        first, second = self.ask(path, **how), self.ask(path, **how)
        self.assert_miss(first)
        self.assertIn("stored", status_of(first), first)
        self.assert_hit(second)
        self.assertEqual((first.status, bytes(first.body)), (second.status, bytes(second.body)))
        self.assertEqual(before + 1, self.count(path), "requests to the origin")
        return second

    def assert_not_reused(self, path, times=2, **how):
        """Each request is answered by the origin."""
        before = self.count(path)
        answers = [self.ask(path, **how) for _ in range(times)]
        for response in answers:
            self.assert_miss(response)
        self.assertEqual(before + times, self.count(path), "requests to the origin")
        return answers[-1]

    def assert_not_stored(self, path, **how):
        response = self.assert_not_reused(path, **how)
        self.assertNotIn("stored", status_of(response), response)
        return response

    def becomes_hit(self, path, body=None, **how):
        """Until it comes from the cache, and fresh."""
        def look():
            response = self.ask(path, **how)
            status = status_of(response)
            wanted = body is None or bytes(response.body) == body
            return response if status.is_hit and status.get("ttl", 0) >= 0 and wanted else None
        return eventually(look, f"a fresh hit of {path}")
