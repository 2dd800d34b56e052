"""No response, quota or failure of one client reaches another client."""

import json
import threading
import time
import unittest

from backend import ok
from both_protocols import BothProtocols
from cache_case import CacheCase, Gate, Page
from cache_settings import cache, query
from cli import CommandLine
from h2_wire import (CONTINUATION, END_HEADERS, HEADERS, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, RST_STREAM, H2Client,
                     H2Server, block, frame)
from harness import WeirCase, eventually, settings
from settings import concurrency_limit, rate_limit, route
from wire import request_bytes

FRESH = "max-age=600"


def echo(field):
    """A page that says what it was asked with."""
    def script(connection, request, number):
        Page(body=request.get(field) or "none", cache_control=FRESH)(connection, request, number)
    return script


class Keys(CacheCase):
    caches = {"/users/": {"key": ["header.x-user", "header.x-tenant"]}, "/deny/": query(deny=["utm_source"]),
              "/allow/": query(allow=["id"]), "/": {}}

    def body(self, target, **fields):
        response = self.ask(target, **fields)
        self.assertEqual(200, response.status)
        return response.body.decode()

    def test_a_request_that_lacks_one_part_of_the_key_gets_no_page_of_another_user(self):
        path = self.page(echo("x-user"), under="/users/")
        for fields in ({"x_user": "ann"}, {"x_user": "bob"}, {"x_tenant": "acme"}, {"x_user": "bob"}, {}):
            self.assertEqual(fields.get("x_user", "none"), self.body(path, **fields))
        self.assertEqual(4, self.count(path))

    def test_values_that_join_alike_are_different_keys(self):
        path = self.page(echo("x-user"), under="/users/")
        self.assertEqual("a|b", self.body(path, x_user="a|b", x_tenant="c"))
        self.assertEqual("a", self.body(path, x_user="a", x_tenant="b|c"))

    def test_a_fill_asks_for_what_is_in_the_key_and_for_nothing_else(self):
        def script(connection, request, number):
            Page(body=request.target, cache_control=FRESH)(connection, request, number)
        path = self.page(script, under="/deny/")
        self.assertEqual(path, self.body(f"{path}?utm_source=1"))
        self.assertEqual(path, self.body(path))
        self.assertEqual(1, self.count(path))
        path = self.page(script, under="/allow/")
        self.assertEqual(f"{path}?id=7", self.body(f"{path}?lang=evil&id=7"))

    def test_a_semicolon_in_a_parameter_hides_nothing_from_the_key(self):
        def script(connection, request, number):
            Page(body=request.target, cache_control=FRESH)(connection, request, number)
        for under in ("/deny/", "/allow/"):
            path = self.page(script, under=under)
            self.assertEqual(f"{path}?utm_source=1;lang=evil", self.body(f"{path}?utm_source=1;lang=evil"))
            self.assertEqual(path, self.body(path))

    def test_values_of_fields_that_are_no_lists_are_compared_byte_by_byte(self):
        for values in (("/a,b", "/a, b", "/a,,b"), ("cn=a,ou=b", "cn=a, ou=b")):
            def script(connection, request, number):
                Page(body=request.get("x-path"), cache_control=FRESH, vary="x-path")(connection, request, number)
            path = self.page(script)
            for value in values + values:
                self.assertEqual(value, self.body(path, x_path=value))
            self.assertEqual(len(values), self.count(path))


class Purges(CacheCase):
    caches = {"/": query(deny=["utm"], sort=True)}

    def is_stored(self, path):
        return "hit" in (self.ask(path).get("cache-status") or "")

    def test_a_purge_by_url_finds_the_page_however_its_query_is_written(self):
        path = self.page(cache_control=FRESH)
        for target in (f"{path}?b=2&a=1", f"{path}?utm=5&a=1&b=2"):
            self.ask(f"{path}?a=1&b=2")
            self.assertTrue(self.is_stored(f"{path}?a=1&b=2"))
            url = f"http://weir.test{target}".replace("&", "%26").replace("?", "%3F")
            self.assertEqual(200, self.fetch(self.shared.admin, "POST", f"/cache/purge?url={url}").status)
            self.assertFalse(self.is_stored(f"{path}?a=1&b=2"))

    def test_a_change_finds_what_its_location_and_content_location_mean(self):
        made, seen = self.page(cache_control=FRESH), self.page(cache_control=FRESH)
        target = self.page(cache_control=FRESH)
        self.page(status=201, location=f"{made}?b=2&utm=1&a=1", content_location=f"{seen}?utm=1", path=target, method="POST")
        for page in (f"{made}?a=1&b=2", seen, target):
            self.ask(page)
            self.assertTrue(self.is_stored(page))
        self.ask(f"{target}?utm=9", "POST", body=b"x")
        for page in (f"{made}?a=1&b=2", seen, target):
            self.assertFalse(self.is_stored(page), page)


class StrayBytes(CacheCase):
    caches = {"/": {}}

    @classmethod
    def filters(cls, block):
        return [cache(**block), concurrency_limit(100)]

    def test_a_response_followed_by_stray_bytes_is_not_stored_behind_a_filter_that_wraps_its_body(self):
        def script(connection, request, number):
            connection.send(ok(f"#{number}", f"Cache-Control: {FRESH}\r\n") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        path = self.page(script)
        self.assert_not_reused(path)


class Fills(CacheCase):
    """A cache in front of limits that count by user."""

    caches = {"/rate/": {}, "/places/": {}, "/throttle/": {}, "/queue/": {}, "/plain/": {}}
    limits = {"/rate/": rate_limit("1/hour", key="header.x-user"),
              "/places/": concurrency_limit(1, key="header.x-user", queue={"max": 50, "timeout": "1s"}),
              "/throttle/": rate_limit("1/minute", key="header.x-user", mode="throttle", max_delay="1h"),
              "/queue/": concurrency_limit(1, key="header.x-user", queue={"max": 50, "timeout": "1h"})}

    @classmethod
    def configured(cls, origin, caches=None, **more):
        config = super().configured(origin, caches, **more)
        for one in config["routes"]:
            limit = cls.limits.get(f"/{one['name']}/")
            one["filters"] += [limit] if limit else []
            one["timeout"] = "20s"
        return config

    def begin(self, count, path, **fields):
        clients = [self.client(self.shared, timeout=60) for _ in range(count)]
        wire = request_bytes(target=path, fields={name.replace("_", "-"): value for name, value in fields.items()})
        for client in clients:
            client.send(wire)
        return clients

    def holding(self, under):
        """The evil client has taken what its limit gives, and goes on holding it."""
        gate = Gate(Page(cache_control=FRESH))
        path = self.page(gate, under=under)
        client = self.begin(1, path, x_user="evil")[0]
        gate.wait_held()
        self.addCleanup(gate.open.set)
        return client, gate

    def test_a_client_that_a_limit_refuses_is_refused_alone(self):
        for under in ("/rate/", "/places/"):
            with self.subTest(under):
                holder, gate = self.holding(under)
                path = self.page(cache_control=FRESH, under=under)
                refused = self.begin(3, path, x_user="evil")
                time.sleep(0.1)                     # they are in before the others
                innocent = [client for number in range(12) for client in self.begin(1, path, x_user=f"ann{number}")]
                self.assertEqual({200}, {client.response().status for client in innocent})
                self.assertLessEqual({client.response().status for client in refused}, {200, 429})
                gate.open.set()
                holder.response()

    def test_a_client_that_a_limit_delays_waits_alone(self):
        for under in ("/throttle/", "/queue/"):
            with self.subTest(under):
                holder, gate = self.holding(under)
                path = self.page(cache_control=FRESH, under=under)
                delayed = self.begin(2, path, x_user="evil")
                started = time.monotonic()
                innocent = self.begin(6, path, x_user="ann")
                self.assertEqual({200}, {client.response().status for client in innocent})
                self.assertLess(time.monotonic() - started, 4)
                gate.open.set()
                for client in delayed:
                    client.close()

    def test_a_deadline_that_a_client_asks_for_ends_no_request(self):
        gate = Gate(Page(cache_control=FRESH))
        path = self.page(gate, under="/plain/")
        leader = self.begin(1, path, content_type="application/grpc", grpc_timeout="300m")[0]
        gate.wait_held()
        waiters = self.begin(4, path)
        time.sleep(0.5)
        gate.open.set()
        self.assertEqual({200}, {client.response().status for client in (leader, *waiters)})
        self.assertEqual(1, self.count(path))

    def test_an_error_that_one_client_provokes_is_its_own(self):
        def script(connection, request, number):
            page = Page(status=500) if request.get("x-evil") else Page(cache_control=FRESH)
            time.sleep(0.3)
            page(connection, request, number)
        path = self.page(script, under="/plain/")
        evil = self.begin(4, path, x_evil="1")
        time.sleep(0.1)                             # they are in before the others
        innocent = self.begin(10, path)
        self.assertEqual({200}, {client.response().status for client in innocent})
        self.assertLessEqual({client.response().status for client in evil}, {200, 500})


class Limits(WeirCase):
    def limited(self, *filters, **config):
        self.api = self.backend()
        return self.in_front_of(self.api, routes=[route("/", "api", "all", filters=list(filters), **config)])

    def test_a_forged_key_takes_nothing_from_the_quota_of_a_client_without_a_key(self):
        weir = self.limited(rate_limit("2/hour", key="header.x-api-key"))
        victim = "127.0.0.7"
        for forged in (f"-|{victim}", f"|client={victim}", f"client={victim}", victim) * 2:
            self.fetch(weir, fields={"X-Api-Key": forged})
        self.assertEqual([200, 200, 429], [self.fetch(weir, source=victim).status for _ in range(3)])

    def test_a_forged_key_takes_no_place_of_a_client_without_a_key(self):
        release = threading.Event()
        self.addCleanup(release.set)

        def script(connection):
            while True:
                request = connection.request()
                if request.get("x-api-key"):
                    release.wait(30)
                connection.send(ok())
        api = self.scripted(script)
        weir = self.in_front_of(api, routes=[
            route("/", "api", "all", filters=[concurrency_limit(1, key="header.x-api-key")])])
        held = self.client(weir)
        held.send(request_bytes(fields={"X-Api-Key": "-|127.0.0.7"}))
        eventually(lambda: weir.metric("weir_concurrency_limit_in_flight") == 1, "a place is taken")
        self.assertEqual(200, self.fetch(weir, source="127.0.0.7").status)

    def test_parts_of_a_key_count_apart_when_one_is_missing(self):
        weir = self.limited(rate_limit("1/hour", key=["header.x-user", "header.x-tenant"]))
        of = lambda **fields: self.fetch(weir, fields={f"X-{name.title()}": value for name, value in fields.items()}).status
        self.assertEqual([200, 429, 200, 200, 429], [of(user="ann"), of(user="ann"), of(user="bob"), of(tenant="ann"),
                                                     of(tenant="ann")])

    def test_what_a_throttle_can_t_send_in_time_is_refused_at_once(self):
        weir = self.limited(rate_limit("1/minute", burst=1, mode="throttle", max_delay="1h"), timeout="2s")
        self.assertEqual(200, self.fetch(weir).status)
        for _ in range(3):
            started = time.monotonic()
            refused = self.fetch(weir)
            self.assertLess(time.monotonic() - started, 1.5)
            self.assertEqual(429, refused.status)
            self.assertTrue(50 <= int(refused.get("retry-after")) <= 60, refused.get("retry-after"))
        self.assertEqual(1, len(self.api.requests))

    def test_what_a_throttle_can_send_in_time_waits(self):
        weir = self.limited(rate_limit("2/second", burst=1, mode="throttle", max_delay="1h"), timeout="30s")
        started = time.monotonic()
        self.assertEqual([200, 200, 200], [self.fetch(weir).status for _ in range(3)])
        self.assertGreater(time.monotonic() - started, 0.8)


class Blame(WeirCase):
    """What a client takes its time for, or gives no time for, is laid to nobody else."""

    def judged(self, *filters, slow=None):
        """A route whose circuit, its upstream's and its endpoint's open after five failures; every page takes 10 ms."""
        rule = {"min_requests": 5, "failure_ratio": "50%"} | ({"slow": {"after": slow, "ratio": "50%"}} if slow else {})
        origin = self._kept(BothProtocols())
        block = settings.upstream(origin) | {"protocol": "http2", "circuit_breaker": rule | {"scope": ["upstream", "endpoint"]},
                                             "outlier_detection": {"consecutive_local_origin_failure": 3, "split_local_origin": True}}
        return self.weir({"upstreams": {"api": block}, "routes": [
            route("/", "api", "all", filters=[{"circuit_breaker": rule}, *filters])]})

    def assert_unblamed(self, weir):
        for name in (settings.BREAKER_CHANGES, "weir_outlier_ejections_total", "weir_endpoint_pauses_total"):
            self.assertEqual(0, weir.metric(name), name)
        self.assertEqual([200] * 3, [self.fetch(weir, target="/own/1").status for _ in range(3)])

    def test_deadlines_that_a_client_asks_for_open_no_circuit_of_a_route(self):
        for filters in ([], [cache()], [concurrency_limit(1, queue={"max": 20, "timeout": "5s"})]):
            with self.subTest(filters=filters):
                weir = self.judged(*filters)
                with H2Client(weir.address) as client:
                    for turn in range(5):
                        streams = [client.ask("POST", f"/own/{turn}", {"content-type": "application/grpc", "te": "trailers",
                                                                      "grpc-timeout": "2m"}, b"\0\0\0\0\0") for _ in range(5)]
                        self.assertEqual({"4"}, {client.response(stream).get("grpc-status") for stream in streams})
                self.assert_unblamed(weir)

    def test_uploads_that_come_slowly_make_no_response_a_slow_one(self):
        weir = self.judged(slow="400ms")
        clients = [self.client(weir, timeout=30) for _ in range(8)]
        for client in clients:
            client.send(request_bytes("PUT", "/own/1", {"Content-Length": "10"}))
        for _ in range(10):
            time.sleep(0.08)                        # the client's own pace
            for client in clients:
                client.send(b"x")
        self.assertEqual({200}, {client.response().status for client in clients})
        self.assert_unblamed(weir)
        endpoint = json.loads(self.fetch(weir.admin, target="/upstreams").body)["upstreams"][0]["endpoints"][0]
        self.assertLess(endpoint["latency_ms"], 300)


class Warnings(CommandLine):
    def test_check_warns_of_a_limit_with_a_key_behind_a_cache(self):
        file = """upstreams: { api: { endpoints: ["127.0.0.1:9"] } }
listeners: [{ bind: "127.0.0.1:0" }]
routes:
  - upstream: api
    filters:
%s
"""
        limit, before = "      - rate_limit: 5/second", "      - cache: {}"
        code, told = self.check(file % f"{before}\n{limit}")
        self.assertEqual(0, code, told)
        self.assertIn("warning: ", told)
        self.assertIn("7:9: warning: routes[0].filters[1].rate_limit: a limit with a key stands behind a cache", told)
        code, told = self.check(file % f"{limit}\n{before}")
        self.assertEqual(0, code, told)
        self.assertNotIn("warning", told)


def send_large_head(server, stream, fields):
    whole = block([(":status", "200"), *fields])
    pieces = [whole[at:at + 16384] for at in range(0, len(whole), 16384)]
    server.send(b"".join(frame(CONTINUATION if i else HEADERS, piece, END_HEADERS * (i == len(pieces) - 1), stream)
                         for i, piece in enumerate(pieces)))


class SharedConnections(WeirCase):
    """One connection to an endpoint carries requests of many clients."""

    def test_a_connection_that_began_with_the_address_of_one_client_carries_no_request_of_another(self):
        seen, closed = [], []

        def script(connection):
            head = b""
            while not head.endswith(b"\r\n"):
                head += connection.sock.recv(1)
            server = H2Server(connection)                # takes no extended CONNECT: no WebSockets
            try:
                while True:
                    stream, message = server.request()
                    seen.append((head.split()[2].decode(), dict(message.fields)["x-forwarded-for"]))
                    server.answer(stream)
            finally:
                closed.append(head)
        weir = self.weir({"upstreams": {"api": settings.upstream(
            self.scripted(script), proxy_protocol="v1") | {"protocol": "http2"}},
                          "routes": [route("/", "api")]})
        websocket = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                     "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        for _ in range(2):
            self.assertEqual(502, self.fetch(weir, fields=websocket, source="127.0.0.77").status)
            self.assertEqual(200, self.fetch(weir, source="127.0.0.5").status)
        self.assertEqual([("127.0.0.5", "127.0.0.5")] * 2, seen)
        eventually(lambda: len(closed) == 4, "each connection ends with its client's request")

    def watched(self, script, kind=H2Server, least=3, **offers):
        """Serves an endpoint over HTTP/2, a `kind` of server, that answers /watch with a response that doesn't end, to three
        clients, and leaves other requests to `script(server, stream, path)`."""
        def serve(connection):
            server = kind(connection, **offers)
            while True:
                stream, message = server.request()
                path = dict(message.fields)[":path"]
                if path == "/watch":
                    server.send_headers(stream, [(":status", "200")])
                elif path == "/":
                    server.answer(stream)
                else:
                    script(server, stream, path)
        breaker = settings.circuit_breaker(min_requests=least)
        upstream = settings.upstream(self.scripted(serve)) | {"protocol": "http2"} | breaker
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [route("/", "api")]})
        self.watching = [self.client(weir) for _ in range(3)]
        for client in self.watching:
            client.send(request_bytes(target="/watch"))
            self.assertEqual(200, client.head().status)
        return weir

    def assert_watching(self, weir):
        """And new requests are answered."""
        self.assertEqual(200, self.fetch(weir).status)
        for client in self.watching:
            client.sock.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                client.sock.recv(1)

    def test_malformed_responses_to_one_client_end_no_stream_of_another(self):
        malformed = [(":status", "200"), ("X-Bad", "1")]
        weir = self.watched(lambda server, stream, _: server.send_headers(stream, malformed, end=True), least=1000)
        odd = self.client(weir)
        self.assertEqual({502}, {odd.get("/bad").status for _ in range(450)})
        self.assert_watching(weir)

    def test_large_heads_of_responses_to_one_client_end_no_stream_of_another(self):
        cookies = [("set-cookie", f"c{i}=" + "x" * 5000) for i in range(31)]
        weir = self.watched(lambda server, stream, _: send_large_head(server, stream, cookies), least=1000)
        for _ in range(5):
            self.assertEqual(502, self.fetch(weir, target="/cookies").status)
        self.assert_watching(weir)

    def test_endpoints_are_told_to_send_no_value_that_ends_the_connection(self):
        told = []

        def script(server, stream, path):
            told.append(server.settings[MAX_HEADER_LIST_SIZE])
            server.answer(stream)
        weir = self.watched(script)
        self.fetch(weir, target="/told")
        self.assertEqual([65536], told)

    def test_a_value_that_ends_the_connection_all_the_same_is_no_failure_of_the_others(self):
        weir = self.watched(lambda server, stream, _: send_large_head(server, stream, [("location", "x" * 70_000)]))
        self.assertEqual(502, self.fetch(weir, target="/field").status)
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(1, weir.metric(settings.ENDPOINT_FAILURES))

    def test_a_head_that_is_too_large_for_the_endpoint_ends_no_stream_of_another(self):
        def script(server, stream, path):
            server.abort()                               # as Netty does
        weir = self.watched(script, settings=[(MAX_HEADER_LIST_SIZE, 8192)])
        for size in (12_000, 20_000):
            for _ in range(3):
                self.assertEqual(431, self.fetch(weir, target="/large", fields={"X-Large": "x" * size}).status)
        self.assert_watching(weir)

    def test_a_large_head_goes_to_an_endpoint_that_takes_it_over_a_new_connection_too(self):
        def serve(connection):
            server = H2Server(connection, settings=[(MAX_HEADER_LIST_SIZE, 32768)])
            server.answer(server.request()[0])
        weir = self.weir({"upstreams": {"api": settings.upstream(self.scripted(serve)) | {"protocol": "http2"}},
                          "routes": [route("/", "api")]})
        self.assertEqual(200, self.fetch(weir, fields={"X-Large": "x" * 12_000}).status)

    def test_requests_that_a_client_cancels_end_no_stream_of_another(self):
        class Netty(H2Server):
            resets = 0

            def _take(self, came):
                self.resets += came.kind == RST_STREAM
                if self.resets > 200:                    # within 30 s
                    self.abort()
                super()._take(came)
        weir = self.watched(lambda server, stream, path: None, Netty, settings=[(MAX_CONCURRENT_STREAMS, 1000)])
        for _ in range(4):
            with H2Client(weir.address) as odd:
                for _ in range(110):
                    stream = odd.ask(target="/hang")
                    eventually(lambda: weir.metric(settings.IN_FLIGHT) >= 4, "the request is under way")
                    odd.send_reset(stream)
                eventually(lambda: weir.metric(settings.IN_FLIGHT) == 3, "all are cancelled")
        self.assert_watching(weir)


if __name__ == "__main__":
    unittest.main()
