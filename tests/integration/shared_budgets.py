"""What all clients share (a budget, a room, a connection) is never in the hand of one of them."""

import collections
import os
import threading
import time
import unittest

from backend import answers, ok
from cache_settings import cache
from harness import WeirCase, eventually, settings
from redis_server import RedisServer
from settings import concurrency_limit, hedge, rate_limit, retry, route
from wire import request_bytes

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
EVIL, INNOCENT = "127.0.0.66", "127.0.0.9"


class Budgets(WeirCase):
    def behind(self, *filters, backends, **config):
        return self.weir({"upstreams": {"api": settings.upstream(*backends, balance="round_robin")},
                          "routes": [route("/", "api", "all", filters=list(filters))]} | config)

    def stalled_upload(self, weir, method):
        client = self.client(weir)
        client.send(request_bytes(method, "/attack", fields={"Content-Length": "60000"}) + b"x" * 300)
        return client

    def test_a_body_that_does_not_come_holds_no_place_for_hedges(self):
        slow, quick = self.backend("slow"), self.backend("quick")
        slow.delay = 1
        weir = self.behind(hedge("50ms", budget={"ratio": "0%", "min": 1, "concurrent": 1, "window": "10m"}),
                           backends=(slow, quick))
        self.stalled_upload(weir, "GET")
        eventually(lambda: weir.metric(settings.HEDGES, outcome="body") == 1, "no hedge without the body")
        self.assertEqual({200}, {self.fetch(weir).status for _ in range(2)})
        self.assertEqual(0, weir.metric(settings.HEDGES, outcome="budget"))
        self.assertEqual(1, weir.metric(settings.HEDGES, outcome="won"))

    def test_a_retry_that_waits_for_its_client_holds_no_place_for_retries(self):
        tries = collections.Counter()

        def script(connection):
            request = connection.request_head()
            tries[request.target] += 1
            if tries[request.target] == 1:
                return connection.send(BUSY)
            if request.target == "/attack":
                return connection.stall()
            connection.send(ok(b"fine"))
        weir = self.behind(retry(on=["503"], attempts=2, budget={"ratio": "0%", "min": 100, "concurrent": 1}),
                           backends=(self.scripted(script),))
        self.stalled_upload(weir, "PUT")
        eventually(lambda: tries["/attack"] == 2, "the upload is tried again")
        self.assertEqual([200] * 3, [self.fetch(weir, target=f"/{number}").status for number in range(3)])
        self.assertEqual(0, weir.metric(settings.RETRIES_REFUSED, reason="budget"))

    def test_a_client_whose_requests_fail_everywhere_takes_no_retries_of_others(self):
        tries = collections.Counter()

        def script(connection):
            request = connection.request_head()
            tries[request.target] += 1
            if request.target == "/attack" or tries[request.target] == 1:
                return connection.reset()
            connection.send(ok(b"fine"))
        weir = self.behind(retry(on=["reset"], attempts=2, budget={"ratio": "0%", "min": 10, "window": "10m"}),
                           backends=(self.scripted(script),))
        self.assertEqual({502}, {self.fetch(weir, target="/attack", source=EVIL).status for _ in range(15)})
        self.assertEqual(5, weir.metric(settings.RETRIES_REFUSED, reason="budget"))
        self.assertEqual([200] * 5, [self.fetch(weir, target=f"/{number}", source=INNOCENT).status for number in range(5)])

    def test_a_client_whose_requests_are_slow_everywhere_takes_no_hedges_of_others(self):
        def script(delay):
            def play(connection):
                while True:
                    request = connection.request()
                    time.sleep(0.3 if request.target == "/attack" else delay)
                    connection.send(ok(b"fine"))
            return play
        weir = self.behind(hedge("50ms", budget={"ratio": "0%", "min": 3, "window": "10m"}),
                           backends=(self.scripted(script(1)), self.scripted(script(0))))
        for _ in range(6):
            self.fetch(weir, target="/attack", source=EVIL)
        self.assertEqual(3, weir.metric(settings.HEDGES, outcome="budget"))
        for _ in range(2):
            self.assertEqual(200, self.fetch(weir, source=INNOCENT).status)
        self.assertEqual(3, weir.metric(settings.HEDGES, outcome="budget"))

    def test_one_key_fills_no_more_than_half_of_the_room_of_a_throttle(self):
        weir = self.behind(rate_limit("1/minute", burst=1, mode="throttle", max_delay="1h", max_waiting=10),
                           backends=(self.backend(),))
        crowd = [self.client(weir, source=EVIL) for _ in range(20)]
        for client in crowd:
            client.send(request_bytes())
        decisions = lambda word: weir.metric(settings.RATE_DECISIONS, decision=word)
        eventually(lambda: decisions("delayed") + decisions("refused") == 19, "all are decided")
        self.assertEqual(5, decisions("delayed"))
        self.assertEqual(200, self.fetch(weir, source=INNOCENT).status)
        self.client(weir, source=INNOCENT).send(request_bytes())
        eventually(lambda: decisions("delayed") == 6, "the other client waits its turn")
        self.assertEqual(14, decisions("refused"))


class Queues(WeirCase):
    """Those before a limit without a key, and before an upstream."""

    def assert_room_for_others(self, weir, backend, waiting):
        holder = self.in_background(self.fetch, weir, "GET", "/hold")
        self.assertTrue(backend.held.acquire(timeout=20))
        crowd = [self.client(weir, source=EVIL) for _ in range(20)]
        for client in crowd:
            client.send(request_bytes())
        eventually(lambda: weir.metric(settings.FAILURES, reason="concurrency_limit") +
                   weir.metric(settings.FAILURES, reason="overflow") == 15, "half of a queue of ten is free")
        innocent = self.in_background(self.fetch, weir, "GET", "/innocent")
        eventually(lambda: waiting(weir) == 6, "the other client waits, too")
        backend.release.set()
        self.assertEqual((200, 200), (holder.result().status, innocent.result().status))

    def test_one_client_fills_no_more_than_half_of_a_limit_s_queue(self):
        backend = self.backend()
        limit = concurrency_limit(1, queue={"max": 10, "timeout": "60s"})
        weir = self.in_front_of(backend, routes=[route("/", "api", "all", filters=[limit])])
        self.assert_room_for_others(weir, backend, lambda weir: weir.metric(settings.CONCURRENT_QUEUED))

    def test_one_client_fills_no_more_than_half_of_an_upstream_s_queue(self):
        backend = self.backend()
        endpoint = {"address": str(backend), "max_requests": 1}
        weir = self.in_front_of(backend, upstreams={"api": settings.upstream(endpoint, **settings.queue(10, "60s"))})
        self.assert_room_for_others(weir, backend, lambda weir: weir.metric(settings.IN_FLIGHT) - 1)


    def test_all_networks_of_one_ipv6_subscriber_fill_no_more_of_a_queue_than_two_clients(self):
        backend = self.backend()
        limit = concurrency_limit(1, queue={"max": 10, "timeout": "60s"})
        weir = self.in_front_of(backend, routes=[route("/", "api", "all", filters=[limit])],
                                **settings.forwarded(trusted_proxies=["127.0.0.0/8"]))
        holder = self.in_background(self.fetch, weir, "GET", "/hold")
        self.assertTrue(backend.held.acquire(timeout=20))
        for number in range(20):
            self.client(weir).send(request_bytes(fields={"X-Forwarded-For": f"2001:db8:1:{number}::1"}))
        eventually(lambda: weir.metric(settings.FAILURES, reason="concurrency_limit") == 13, "three of ten places are free")
        others = [self.in_background(self.fetch, weir, "GET", "/", {"X-Forwarded-For": client})
                  for client in ("2001:db8:2:1::1", "192.0.2.7")]
        eventually(lambda: weir.metric(settings.CONCURRENT_QUEUED) == 9, "two other clients wait, too")
        backend.release.set()
        self.assertEqual([200] * 3, [each.result().status for each in (holder, *others)])


class Redis(WeirCase):
    SIZE = 500 * 1024

    def test_no_limit_waits_for_pages_that_a_cache_keeps_in_redis(self):
        noise = os.urandom(self.SIZE)

        def script(connection):
            while True:
                body = noise if connection.request().target.startswith("/big") else b"page"
                connection.send(ok(body, "Cache-Control: max-age=600\r\n"))
        redis = self._kept(RedisServer())
        backend = self.scripted(script)
        weir = self.weir({
            "workers": 1, "store": {"redis": redis.url, "timeout": "500ms"},
            "upstreams": {"api": settings.upstream(backend)},
            "routes": [route("/big", "api", "big", filters=[cache(shared=True)]),
                       route("/", "api", "limited", filters=[rate_limit("3/hour")])]})
        is_over = threading.Event()

        def attack(number):
            count = 0
            with self.client(weir) as client:
                while not is_over.is_set():
                    client.get(f"/big/{number}/{count}")
                    count += 1
            return count
        floods = [self.in_background(attack, number) for number in range(12)]
        eventually(lambda: weir.metric("weir_cache_store_commands_total", outcome="ok") > 100, "pages are written")
        statuses = collections.Counter(self.fetch(weir, target="/v", source=INNOCENT).status for _ in range(50))
        is_over.set()
        self.assertGreater(sum(flood.result() for flood in floods), 0)
        self.assertEqual({200: 3, 429: 47}, dict(statuses))
        self.assertEqual(0, weir.metric("weir_store_commands_total", outcome="failed"))
        self.assertNotRegex(weir.stderr(), r"\bstore_state_changed")

    def test_a_worker_has_a_second_connection_once_a_cache_is_shared(self):
        redis = self._kept(RedisServer())
        weir = self.in_front_of(self.backend(), workers=1, store={"redis": redis.url},
                                routes=[route("/big", "api", "big", filters=[cache(shared=True)]),
                                        route("/", "api", "limited", filters=[rate_limit("100/hour")])])

        def connections():
            return len(redis.says("CLIENT LIST").strip().splitlines()) - 2   # the answer's own line, and who asks
        eventually(lambda: connections() == 3, "the worker, the heartbeat and the subscription")
        self.fetch(weir, target="/v")
        self.assertEqual(3, connections())
        for _ in range(2):
            self.assertEqual(200, self.fetch(weir, target="/big").status)
            eventually(lambda: weir.metric("weir_cache_store_commands_total", outcome="ok") >= 1, "the cache asks")
            self.assertEqual(4, connections())
        self.assertEqual(1, weir.metric("weir_cache_store_state", state="up"))

    def test_the_connections_of_caches_are_found_well_again_without_a_request(self):
        redis = self._kept(RedisServer())
        weir = self.in_front_of(self.scripted(answers(ok(b"page", "Cache-Control: max-age=600\r\n"))), workers=1,
                                store={"redis": redis.url}, routes=[route("/", "api", "all", filters=[cache(shared=True)])])
        self.fetch(weir, target="/0")
        state = lambda word: weir.metric("weir_cache_store_state", state=word)
        eventually(lambda: weir.metric("weir_cache_store_commands_total", outcome="ok") > 0, "it is used")
        redis.kill()
        for number in range(1, 10):
            self.assertEqual(200, self.fetch(weir, target=f"/{number}").status)
        eventually(lambda: state("down") == 1, "it is lost")
        redis.start()
        eventually(lambda: state("up") == 1, "it is found")


if __name__ == "__main__":
    unittest.main()
