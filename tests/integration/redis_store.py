"""A store in Redis: found, lost, found again and changed, while Weir serves on and says how it is."""

import json
import re
import unittest

from harness import WeirCase, eventually, fetch, settings
from redis_server import RedisServer
from settings import concurrency_limit, rate_limit, route
from wire import request_bytes


class RedisStore(WeirCase):
    def redis(self, *options):
        return self._kept(RedisServer(*options))

    def with_store(self, store, **config):
        return self.in_front_of(self.backend(), store=store, **config)

    def state(self, weir):
        told = fetch(weir.admin, target="/readyz")
        return told.status, told.json().get("why", "")

    def becomes(self, weir, why):
        eventually(lambda: self.state(weir) == (200, why), f"/readyz says {why!r}")

    def test_it_is_used_and_its_commands_are_counted(self):
        weir = self.with_store({"redis": self.redis().url})
        eventually(lambda: weir.metric("weir_store_commands_total", outcome="ok") >= 1, "a heartbeat")
        self.assertEqual(1, weir.metric("weir_store_state", state="up"))
        self.assertEqual((200, ""), self.state(weir))

    def test_a_start_without_it_is_a_start(self):
        weir = self.with_store({"redis": "unix:/tmp/weir-no-such.sock"})
        self.becomes(weir, "store is down")
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(1, weir.metric("weir_store_state", state="down"))
        self.assertGreater(weir.metric("weir_store_errors_total", reason="not_connected"), 0)

    def test_killed_and_started_again_it_is_found_again(self):
        redis = self.redis()
        weir = self.with_store({"redis": redis.url})
        self.becomes(weir, "")
        redis.kill()
        self.becomes(weir, "store is down")
        self.assertEqual(200, self.fetch(weir).status)
        redis.start()
        self.becomes(weir, "")
        changes = [line.split("state=")[1].split()[0] for line in weir.events("store_state_changed", 4)]
        self.assertEqual(["degraded", "down", "degraded", "up"], changes)

    def test_paused_it_is_down_and_no_start_of_trouble_for_requests(self):
        redis = self.redis()
        weir = self.with_store({"redis": redis.url, "timeout": "20ms"})
        self.becomes(weir, "")
        redis.pause()
        self.becomes(weir, "store is down")
        self.assertEqual(200, self.fetch(weir).status)
        self.assertGreater(weir.metric("weir_store_errors_total", reason="timeout"), 0)
        redis.resume()
        self.becomes(weir, "")

    def test_a_full_one_is_up(self):
        weir = self.with_store({"redis": self.redis("--maxmemory", "1", "--maxmemory-policy", "noeviction").url})
        eventually(lambda: weir.metric("weir_store_commands_total", outcome="ok") >= 7, "heartbeats")
        self.assertEqual((200, ""), self.state(weir))

    def test_a_login_that_is_refused_is_told(self):
        redis = self.redis("--requirepass", "s3cret")
        weir = self.with_store({"redis": redis.url, "password": "wrong"})
        self.becomes(weir, "store is down")
        self.assertGreater(weir.metric("weir_store_errors_total", reason="auth"), 0)
        self.assertNotIn("wrong", fetch(weir.admin, target="/config").body.decode())

        weir.reload({**weir_config(weir), "store": {"redis": redis.url, "password": "s3cret"}})
        self.becomes(weir, "")

    def test_a_reload_goes_to_another_one_and_back_to_none(self):
        first, second = self.redis(), self.redis()
        weir = self.with_store({"redis": first.url})
        eventually(lambda: "weir:i:instances" in (first.says("KEYS *") or ""), "a heartbeat in the first")
        weir.reload({**weir_config(weir), "store": {"redis": second.url, "prefix": "other:"}})
        eventually(lambda: "other:i:instances" in (second.says("KEYS *") or ""), "a heartbeat in the second")
        self.assertEqual(200, self.fetch(weir).status)
        eventually(lambda: not clients(first), "no connection to the first is left")
        weir.reload({key: value for key, value in weir_config(weir).items() if key != "store"})
        eventually(lambda: not clients(second), "no connection to the second is left")
        self.assertEqual((200, ""), self.state(weir))

    def test_an_older_request_may_still_ask_a_store_that_two_reloads_brought_and_took_away(self):
        backend, redis = self.backend(), self.redis()
        filters = [concurrency_limit(1, queue={"max": 1, "timeout": "60s"}), rate_limit("100/second", on_store_failure="allow")]
        weir = self.in_front_of(backend, routes=[route("/", "api", "all", filters=filters)])
        first, second = self.client(weir), self.client(weir)
        first.send(request_bytes(target="/hold"))
        self.assertTrue(backend.held.acquire(timeout=20))
        second.send(request_bytes(target="/late"))
        eventually(lambda: weir.metric(settings.CONCURRENT_QUEUED, route="all") == 1, "the second waits for its place")
        without = weir_config(weir)
        weir.reload({**without, "store": {"redis": redis.url, "timeout": "3s"}})
        self.becomes(weir, "")
        redis.pause()
        backend.release.set()
        self.assertEqual(200, first.response().status)
        weir.reload(without)
        self.assertEqual(200, second.response().status)

    def test_a_reload_that_changes_nothing_about_it_keeps_its_connections(self):
        redis = self.redis()
        weir = self.with_store({"redis": redis.url})
        self.becomes(weir, "")
        eventually(lambda: len(clients(redis)) == 3, "connections of the worker, the heartbeat and the subscriber")
        before = clients(redis)
        weir.reload()
        self.assertEqual(before, clients(redis))

    def test_processes_count_each_other(self):
        redis = self.redis()
        fleet = [self.with_store({"redis": redis.url}) for _ in range(3)]
        for weir in fleet:
            eventually(lambda: weir.metric("weir_store_instances") == 3, "three instances")
        redis.kill()
        for weir in fleet:
            self.becomes(weir, "store is down")
            self.assertEqual(3, weir.metric("weir_store_instances"), "the last known number is kept")

    def test_tls_is_refused_with_a_reason(self):
        told = self.refused_start({"routes": [], "store": "rediss://cache.internal"})
        self.assertIn("stunnel", told)


def weir_config(weir):
    """What it was started with."""
    with open(weir.file) as file:
        return json.load(file)


def clients(redis):
    """The ids of its connections, but for the one that asks."""
    listed = re.findall(r"\nid=(\d+) .* cmd=(\S+)", redis.says("CLIENT LIST"))
    return sorted(id for id, command in listed if command != "client|list")


if __name__ == "__main__":
    unittest.main()
