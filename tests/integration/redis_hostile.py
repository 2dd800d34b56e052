"""A store whose bytes cannot be trusted: whatever it says, Weir lives, bounds its memory and its connections, tells what it
met, and requests go on as `on_store_failure` says."""

import os
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from cache_settings import cache
from harness import LITTLE_QUARANTINE, WeirCase, eventually, fetch
from redis_fake import PONG, FakeRedis, Gone, is_take, items, text
from settings import rate_limit, route

MEBIBYTE = 1 << 20


def to_all(data):
    """These bytes for every command."""
    return {"answer": lambda connection, words: data}


def to_takes(data):
    """These bytes for a request's quota; all else is answered well."""
    return {"answer": lambda connection, words: data if is_take(words) else None}


def then_closes(command):
    """Closes on this command, which may be the first."""
    def answer(connection, words):
        if words[0].upper() == command:
            raise Gone
    return {"answer": answer}


def then_resets(connection, words):
    if is_take(words):
        connection.reset()


def but_for_ping(connection, words):
    if words[0] != b"PING":
        raise Gone


def is_beat(words):
    return words[0].upper() in (b"EVALSHA", b"EVAL") and b":i:" in words[3]


def flood(start, piece, size):
    """Says `start` to a take, and pieces for as long as somebody reads, or up to so many bytes."""
    def answer(connection, words):
        if not is_take(words):
            return None
        connection.say(start)
        for _ in range(size // len(piece)):
            connection.say(piece)
        raise Gone
    return {"answer": answer}


def drip(connection, words):
    if is_take(words):
        for byte in text("1 9 0 1000000"):
            connection.say(bytes([byte]))
        return b""


# Behaviours that break the protocol: the connection ends, and the breach is counted and told.
BREACHES = {
    "two pongs in one segment": {"answer": lambda connection, words: 2 * PONG if words[0] == b"PING" else None},
    "two decisions for one": to_takes(2 * text("1 9 0 1000000")),
    "a hundred decisions for one": to_takes(100 * text("1 9 0 1000000")),
    "HTTP": to_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "TLS": to_all(b"\x15\x03\x01\x00\x02\x02\x0a"),
    "a map of RESP3": to_takes(b"%1\r\n+a\r\n:1\r\n"),
    "a push of RESP3": to_takes(b">2\r\n+a\r\n:1\r\n"),
    "a null of RESP3": to_takes(b"_\r\n"),
    "a big number of RESP3": to_takes(b"(3492890328409238509324850943850943825024385\r\n"),
    "lists in lists": to_takes(100 * b"*1\r\n"),
    "the longest text": to_takes(b"$9223372036854775807\r\n"),
    "a large decision": to_takes(text("1 9 0 0" + " 1" * MEBIBYTE)),
    "a list of nothing for a decision": to_takes(b"*1000\r\n" + 1000 * b"$-1\r\n"),
    "a text of half a gibibyte": flood(b"$536870912\r\n", b"x" * MEBIBYTE, 512 * MEBIBYTE),
    "the longest list": to_takes(b"*2147483647\r\n"),
    "a long list of long lists": to_takes(7 * b"*500000\r\n"),
    "a list without end": flood(b"*2147483647\r\n", 10000 * b":1\r\n", 64 * MEBIBYTE),
    "a line without end": flood(b"+", b"x" * MEBIBYTE, 64 * MEBIBYTE),
    "an error without end": flood(b"-", b"x" * MEBIBYTE, 64 * MEBIBYTE),
    "replies without end": flood(b"", 10000 * b":1\r\n", 64 * MEBIBYTE),
    "a text of less than nothing": to_takes(b"$-2\r\n"),
    "a length that is no number": to_takes(b"$five\r\n"),
    "a list of less than nothing": to_takes(b"*-2\r\n"),
    "an integer that is none": to_takes(b":one\r\n"),
    "an integer of 65 bits": to_takes(b":18446744073709551615\r\n"),
}

# Behaviours that are answers, though of no use, or none.
NUISANCES = {
    "a reply before any command": {"greet": lambda connection: connection.say(b":1\r\n")},
    "half a reply before any command": {"greet": lambda connection: connection.say(b"*2\r\n")},
    "a decision of overflowing times": to_takes(text("1 9 9223372036854775807 -9223372036854775808")),
    "a refusal until the end of time": to_takes(text("1 18446744073709551615 9223372036854775807 9223372036854775807")),
    "a decision of one number": to_takes(text("1")),
    "a decision of a number too many": to_takes(text("1 1 1 1 1")),
    "a decision of letters": to_takes(text("yes")),
    "a decision of bytes": to_takes(text(bytes(range(256)))),
    "an empty decision": to_takes(text("")),
    "an integer for a decision": to_takes(b":1\r\n"),
    "nothing for a decision": to_takes(b"$-1\r\n"),
    "a list for a decision": to_takes(items(text("1 9 0 0"), b":1\r\n")),
    "an error for a decision": to_takes(b"-ERR no\r\n"),
    "an error without words": to_takes(b"-\r\n"),
    "no script, ever": to_takes(b"-NOSCRIPT no such script\r\n"),
    "elsewhere, though it is no cluster": to_takes(b"-MOVED 1 127.0.0.1:1\r\n"),
    "a decision byte by byte": {"answer": drip},
    "no answer": {"answer": lambda connection, words: b"" if is_take(words) else None},
    "no answer at all": to_all(b""),
    "half an answer": to_takes(b"$13\r\n1 9 0"),
    "a close instead of an answer": then_closes(b"EVALSHA"),
    "a reset instead of an answer": {"answer": then_resets},
    "a close after PING": {"answer": but_for_ping},
    "a close instead of a pong": then_closes(b"PING"),
    "more instances than there are": {"answer": lambda connection, words: b":9223372036854775807\r\n" if is_beat(words) else None},
}

# What a server may say to who listens for news.
MESSAGES = {
    "no list": b":1\r\n",
    "nothing": b"$-1\r\n",
    "an empty list": b"*0\r\n",
    "a list of integers": b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
    "a list of nothing": b"*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n",
    "a message of integers": b"*4\r\n$8\r\npmessage\r\n:1\r\n:2\r\n:3\r\n",
    "a message of another pattern": items(text("pmessage"), text("other:*"), text("other:a"), text("a")),
    "a message too short": items(text("pmessage"), text("weir:m:*"), text("weir:m:a")),
    "a second confirmation": items(text("psubscribe"), text("weir:m:*"), b":1\r\n"),
    "an unsubscription": items(text("punsubscribe"), text("weir:m:*"), b":0\r\n"),
    "a pong for nothing": items(text("pong"), text("")),
    "lists in lists": 100 * b"*1\r\n",
    "the longest text": b"*4\r\n$8\r\npmessage\r\n$9223372036854775807\r\n",
    "a push of RESP3": b">4\r\n$8\r\npmessage\r\n",
}

STATUSES = {"allow": {200}, "deny": {200, 503}, "local": {200, 429}}


class Hostile(WeirCase):
    environment = LITTLE_QUARANTINE

    def fake(self):
        return self._kept(FakeRedis())

    def serving(self, server, **store):
        """A route for each choice of what to do without the store."""
        backend = self.backend()
        limited = lambda choice: [rate_limit("1000/second", on_store_failure=choice)]
        routes = [route(f"/{choice}", "api", choice, filters=limited(choice)) for choice in STATUSES]
        return self.in_front_of(backend, routes=routes, store={"redis": server.url, "timeout": "100ms", **store})

    def ask(self, weir):
        """One request to each route."""
        for choice, statuses in STATUSES.items():
            began = time.monotonic()
            self.assertIn(fetch(weir.address, target=f"/{choice}").status, statuses, choice)
            self.assertLess(time.monotonic() - began, 5)

    def until(self, weir, condition, what):
        """Asks again and again."""
        eventually(lambda: (self.ask(weir), condition())[1], what)
        self.assertIsNone(weir.process.poll(), weir.stderr()[-4000:])

    def meet(self, redis, weir, behaviour):
        """All connections end, and those that follow meet the behaviour."""
        redis.misbehave(**behaviour)
        redis.drop_all()
        self.until(weir, lambda: redis.met >= 2 or "greet" in behaviour, "it misbehaves")

    def recovers(self, redis, weir):
        """A server that behaves again is used again."""
        redis.behave()
        redis.drop_all()
        allowed = lambda: weir.metric("weir_rate_limit_decisions_total", decision="allowed")
        before = allowed()
        self.until(weir, lambda: allowed() > before, "the store is used again")

    def breaches(self, weir):
        return weir.metric("weir_store_protocol_errors_total")

    def test_requests_go_on_whatever_the_store_says_and_its_breaches_are_told(self):
        redis = self.fake()
        weir = self.serving(redis)
        self.recovers(redis, weir)
        memory = weir.memory()
        for name, behaviour in BREACHES.items():
            with self.subTest(name):
                before = self.breaches(weir)
                redis.misbehave(**behaviour)
                redis.drop_all()
                self.until(weir, lambda: self.breaches(weir) > before, "the breach is counted")
        self.recovers(redis, weir)
        self.assertRegex(weir.stderr(), 'store_protocol_broken server=[0-9.:]+ breach="bytes that no command has asked for"')
        self.assertLess(weir.memory() - memory, 200 * 1024, "KiB")

    def test_requests_go_on_when_the_store_is_of_no_use(self):
        redis = self.fake()
        weir = self.serving(redis)
        self.recovers(redis, weir)
        for name, behaviour in NUISANCES.items():
            with self.subTest(name):
                self.meet(redis, weir, behaviour)
        self.recovers(redis, weir)
        self.assertRegex(weir.stderr(), "store_answer_not_understood server=[0-9.:]+ command=take")
        self.assertGreater(weir.metric("weir_store_errors_total", reason="unexpected"), 0)

    def test_values_larger_than_the_cache_takes_are_not_read(self):
        redis = self.fake()
        large = text(64 * MEBIBYTE * b"z")
        is_reading = lambda words: words[0].upper() in (b"GET", b"GETRANGE")
        redis.misbehave(answer=lambda connection, words: large if is_reading(words) else None)
        backend = self.backend()
        backend.delay = 3                           # what is read for a request is held until it ends
        routes = [route("/", "api", "all", filters=[cache(shared={"enabled": True, "max_object": "64KiB"}, collapse=False)])]
        weir = self.in_front_of(backend, routes=routes, store={"redis": redis.url, "timeout": "5s"})
        memory = weir.memory()
        with ThreadPoolExecutor(8) as clients:
            for response in clients.map(lambda number: fetch(weir.address, target=f"/{number}"), range(8)):
                self.assertEqual(200, response.status)
        with open(f"/proc/{weir.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        self.assertLess(peak - memory, 100 * 1024, "KiB")

    def test_what_is_heard_from_the_store_may_be_anything(self):
        redis = self.fake()
        weir = self.serving(redis)
        for name, message in MESSAGES.items():
            with self.subTest(name):
                eventually(lambda: self.listening(redis, weir), "it listens")
                before, subscriber = self.breaches(weir), redis.subscribers[-1]
                subscriber.say(message)
                eventually(lambda: self.breaches(weir) > before, "the breach is counted")
                self.ask(weir)
                redis.subscribers.remove(subscriber)

    def listening(self, redis, weir):
        return redis.subscribers and redis.subscribers[-1].sock.fileno() >= 0

    def test_a_refused_subscription_is_told_once(self):
        redis = self.fake()
        redis.misbehave(answer=lambda connection, words: b"-NOPERM no channels\r\n" if words[0] == b"PSUBSCRIBE" else None)
        weir = self.serving(redis)
        eventually(lambda: "NOPERM no channels" in weir.stderr(), "it is told")
        accepted = redis.accepted
        eventually(lambda: redis.accepted >= accepted + 3, "it tries again")
        self.assertEqual(1, weir.stderr().count("store_subscription_lost"), weir.stderr())

    def test_a_server_that_closes_again_and_again_sees_a_few_connections_a_second(self):
        closes = {"after PING": lambda words: words[0] != b"PING", "before PING": lambda words: True,
                  "after the first answer": None}
        for when, is_now in closes.items():
            with self.subTest(when):
                redis = self.fake()

                def answer(connection, words):
                    if is_now and is_now(words):
                        raise Gone
                    if not is_now and words[0] != b"PING":
                        connection.say(redis.good(connection, words))
                        raise Gone
                redis.misbehave(answer=answer)
                weir = self.serving(redis)
                ends = time.monotonic() + 4
                while time.monotonic() < ends:
                    self.ask(weir)
                # the worker, the heartbeat and the subscriber, about three a second each once they have backed off
                self.assertLess(redis.accepted, 80)
                self.assertGreater(redis.accepted, 6)

    def test_four_sentinels_that_hang_and_a_fifth_that_knows(self):
        master = self.fake()
        master.misbehave(answer=lambda connection, words: items(text("master"), b":0\r\n", b"*0\r\n")
                         if words[0] == b"ROLE" else None)
        hanging, knowing = [self.fake() for _ in range(4)], self.fake()
        for sentinel in hanging:
            sentinel.misbehave(**to_all(b""))
        host, port = master.address.split(":")
        knowing.misbehave(**to_all(items(text(host), text(port))))
        nodes = [sentinel.address for sentinel in [*hanging, knowing]]
        backend = self.backend()
        limit = rate_limit("1000/second", on_store_failure="allow")
        weir = self.in_front_of(backend, routes=[route("/", "api", "all", filters=[limit])],
                                store={"sentinel": {"master": "m", "nodes": nodes}, "timeout": "100ms"})
        eventually(lambda: fetch(weir.address).get("ratelimit"), "the master is used")

    def test_a_cluster_that_sends_calls_round_and_round(self):
        redis = self.fake()
        count = iter(range(1, 10 ** 9))
        behaviours = {
            "to itself": lambda: b"-MOVED 1 %s\r\n" % redis.address.encode(),
            "to itself, for once": lambda: b"-ASK 1 %s\r\n" % redis.address.encode(),
            "to another one each time": lambda: b"-MOVED 1 127.0.0.1:%d\r\n" % (next(count) % 60000 + 1),
            "to no address": lambda: b"-MOVED 1 \x01\x02:99999999\r\n",
        }
        own = items(items(b":0\r\n", b":16383\r\n", items(text(""), b":%d\r\n" % redis.listener.getsockname()[1])))
        weir = self.serving(redis, cluster=True)
        for name, where in behaviours.items():
            with self.subTest(name):
                sent = []

                def answer(connection, words):
                    if is_take(words):
                        sent.append(where())
                        return sent[-1]
                    return own if words[0] == b"CLUSTER" else None
                redis.misbehave(answer)
                self.until(weir, lambda: len(sent) >= 3, "calls are sent elsewhere")
        self.assertLess(len(os.listdir(f"/proc/{weir.pid}/fd")), 200)

    def test_a_cluster_whose_map_is_nonsense(self):
        redis = self.fake()
        own = b":%d\r\n" % redis.listener.getsockname()[1]
        node = lambda number: items(text("127.0.0.1"), b":%d\r\n" % (number + 1))
        maps = {
            "no list": b":1\r\n",
            "a list of integers": b"*3\r\n:1\r\n:2\r\n:3\r\n",
            "a master for each slot": items(*[items(b":%d\r\n" % slot, b":%d\r\n" % slot, node(slot)) for slot in range(16384)]),
            "all slots many times": items(*[items(b":0\r\n", b":16383\r\n", node(number)) for number in range(5000)]),
            "slots beyond the last": items(items(b":0\r\n", b":9223372036854775807\r\n", items(text(""), own))),
            "slots before the first": items(items(b":-9223372036854775808\r\n", b":1\r\n", items(text(""), own))),
            "a host with a line's end": items(items(b":0\r\n", b":16383\r\n", items(text("a\r\nb"), own))),
            "a host without end": items(items(b":0\r\n", b":16383\r\n", items(text("a" * MEBIBYTE), own))),
        }
        weir = self.serving(redis, cluster=True)
        for name, told in maps.items():
            with self.subTest(name):
                before = weir.metric("weir_store_errors_total", reason="unexpected")
                self.meet(redis, weir, {"answer": lambda connection, words: told if words[0] == b"CLUSTER" else None})
                eventually(lambda: weir.metric("weir_store_errors_total", reason="unexpected") > before, "it is counted")
        self.assertLess(len(os.listdir(f"/proc/{weir.pid}/fd")), 200)


if __name__ == "__main__":
    unittest.main()
