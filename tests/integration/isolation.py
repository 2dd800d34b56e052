"""One hostile client on routes that it shares changes nothing for the others, with every combination of filters in the chain.

Every combination of cache, limits, circuit breaker, retry, hedge and fallback is a route (64), and those whose order may differ are
so in further orders. Two load processes visit the routes in turn, together: three innocent clients (one with a key, one without, one
over HTTP/2), and beside them either a neighbour that behaves or the hostile client. Rounds of the two alternate, so that a slow moment
of the machine meets both.

What is compared: the neighbour begins as many conversations a second as the hostile client and asks for more responses, so that the
figure is what misbehaviour costs others, not what CPU does. Endpoints take 10 or 20 ms for a response.

Where one client's trouble is by its nature everyone's, the hostile client is held back: a 5xx that the origin gives for its sake counts
for circuits (it comes once for each visit of a route, well below `failure_ratio`), and limits have a key.

    tools/isolation [SECONDS]     so long with the hostile client, and as long without; here: one visit of each route"""

import collections
import itertools
import json
import os
import re
import threading
import time
import unittest

import settings
from both_protocols import BothProtocols, page_of
from cache_settings import cache, serve_stale
from cli import CommandLine
from h2_wire import H2Client
from harness import ReleaseCase, eventually
from hostile_client import hostile, neighbour, now_page
from load import Load, outcome_of
from settings import circuit_breaker, concurrency_limit, fallback, hedge, merged, rate_limit, retry, route, to_upstream
from wire import RawClient

SECONDS = float(os.environ.get("ISOLATION_SECONDS", 0))      # with the hostile client; 0: one round
VISIT = 0.1                                         # seconds for each route in a round
MORE_ROUNDS = 2                                     # where the machine may have been slow in those of the hostile client alone
HOSTILE_RATE, INNOCENT_RATE = 120, 30               # conversations, and requests of each of the three, a second

LIMITS = [rate_limit("20/second", burst=25, key="header.x-api-key", name="{}-rate"),
          rate_limit("40/second", burst=15, key="header.x-api-key", mode="throttle", max_delay="1s", name="{}-throttle"),
          concurrency_limit(4, key="header.x-api-key", queue={"max": 4, "timeout": "2s"}, name="{}-places")]
PARTS = {
    "fallback": [fallback(to_upstream("spare"))],
    "limits": LIMITS,
    "cache": [cache(max_size="2MiB", max_object="512KiB")],
    "breaker": [circuit_breaker(failure_ratio="30%", min_requests=10, open="1s")],
    "retry": [retry(attempts=2, on=["connect_failure", "reset", "refused_stream", "500"], per_try_timeout="1s")],
    "hedge": [hedge("100ms")],
}
ORDERS = {                                          # outermost first
    "usual": ["fallback", "limits", "cache", "breaker", "retry", "hedge"],
    "limits-behind": ["fallback", "cache", "limits", "breaker", "retry", "hedge"],
    "cache-behind": ["fallback", "breaker", "retry", "cache", "limits", "hedge"],
}
# Orders that `weir check` refuses, and what it says.
REFUSED = {
    ("hedge", "cache"): "a hedge in front of a cache has both its requests wait for the same answer",
    ("retry", "cache"): "a retry with per_try_timeout in front of a cache waits for the same answer again",
}


def chains():
    """{name: parts in order}; an order that differs from no other for its parts is left out."""
    found = {}
    for order, count in itertools.product(ORDERS, range(len(PARTS) + 1)):
        for chosen in itertools.combinations(PARTS, count):
            parts = [part for part in ORDERS[order] if part in chosen]
            if parts not in found.values():
                found[f"{order}-{'-'.join(parts) or 'nothing'}"] = parts
    return found


def filters_of(name, parts):
    made = []
    for part in parts:
        for one in json.loads(json.dumps(PARTS[part]).replace("{}", name)):
            if part == "retry" and "cache" in parts[parts.index("retry"):]:
                del one["retry"]["per_try_timeout"]  # check refuses it there
            made.append(one)
    return made


class Walk:
    """Which route is visited at this moment, in all processes alike."""

    def __init__(self, names):
        self.begun, self.names = time.monotonic(), names

    def now(self):
        at = int((time.monotonic() - self.begun) / VISIT)
        return at, f"/{self.names[at % len(self.names)]}/"

    def near(self, number):
        """The route of now, mostly; else one of lately or any."""
        at = int((time.monotonic() - self.begun) / VISIT)
        back = (0, number % 10, 0, number * 7, 0)[number % 5]
        return f"/{self.names[(at - back) % len(self.names)]}/"


class Innocent(threading.Thread):
    """Asks for pages of its own and for pages of all, and takes nothing but exactly these for an answer."""

    def __init__(self, address, walk, user, source, keyed, protocol):
        super().__init__(daemon=True)
        self.address, self.walk, self.user, self.source, self.protocol = address, walk, user, source, protocol
        self.fields = {"X-User": user} | ({"X-Api-Key": user} if keyed else {})
        self.tally, self.client = collections.Counter(), None

    def play(self, stopping):
        begun, count = time.monotonic(), 0
        while not stopping.is_set():
            late = begun + count / INNOCENT_RATE - time.monotonic()
            stopping.wait(max(0, late))
            count += 1
            kind = ("shared", "own", "vary", "shared", "own", "shared", "vary", "big")[count % 8]
            method, body = ("POST", os.urandom(500)) if kind == "own" and count % 3 == 0 else ("GET", b"")
            path = now_page(self.walk.near(count), kind)
            asked = time.monotonic()
            outcome = self.ask(method, path, body)
            self.tally[outcome] += 1
            self.tally[round(time.monotonic() - asked, 4)] += 1
            if outcome != "good" or count % 40 == 0:
                self.leave()
        self.leave()

    def ask(self, method, path, body):
        try:
            if not self.client:
                self.client = (RawClient if self.protocol == "h1" else H2Client)(self.address, source=self.source, timeout=20)
            response = self.client.request(method, path, self.fields, body)
        except Exception as error:
            return f"{method} {path} {self.protocol}: {type(error).__name__} {error}"
        fallen = response.get("x-weir-fallback") or response.get("weir-degraded")
        if response.status != 200 or fallen:
            return f"{method} {path} {self.protocol}: {response.status} {fallen or ''} {bytes(response.body[:300])!r}"
        if bytes(response.body) != page_of(path, self.user, body):
            return f"{method} {path} {self.protocol}: not its own page, but {bytes(response.body[:100])!r}"
        if self.protocol == "h1" and response.closes():
            self.leave()
        return "good"

    def leave(self):
        if self.client:
            self.client.close()
        self.client = None


INNOCENTS = [("ann", "127.0.0.3", True, "h1"), ("bob", "127.0.0.4", False, "h1"), ("cat", "127.0.0.5", True, "h2")]
HOSTILE = "127.0.0.2"
VICTIMS = [user for user, *_ in INNOCENTS], [source for _, source, *_ in INNOCENTS]


def innocents(stopping, tally, address, walk):
    threads = [Innocent(address, walk, *who) for who in INNOCENTS]
    for thread in threads:
        thread.run = lambda thread=thread: thread.play(stopping)
        thread.start()
    for thread in threads:
        thread.join()
        tally.update(thread.tally)


class Beside:
    """What the innocent clients got beside `other`, of all rounds."""

    def __init__(self, other):
        self.other, self.outcomes, self.conversations, self.cpu = other, collections.Counter(), collections.Counter(), 0

    def add(self, outcomes, conversations, cpu):
        self.outcomes.update(outcomes)
        self.conversations.update(conversations)
        self.cpu += cpu

    @property
    def good(self):
        return self.outcomes["good"]

    @property
    def bad(self):
        return {key: count for key, count in self.outcomes.items() if isinstance(key, str) and key != "good"}

    def percentile(self, share):
        """Seconds until a response."""
        latencies = sorted((key, count) for key, count in self.outcomes.items() if isinstance(key, float))
        left = share * sum(count for _, count in latencies)
        for value, count in latencies:
            left -= count
            if left <= 0:
                return value

    def __str__(self):
        times = ", ".join(f"{name} {self.percentile(share) * 1000:.1f} ms" for name, share in (("p50", 0.5), ("p99", 0.99), ("longest", 1)))
        return f"{self.other.__name__}: {self.good} good, {times}, CPU of Weir {self.cpu:.1f} s, conversations {dict(self.conversations)}"

    def faults(self):
        """By kind, and some as they are."""
        kinds = collections.Counter()
        for key, count in self.bad.items():
            kinds[re.sub(r"[^ ]*/[^ ]*", "…", key)[:120]] += count
        return [f"{sum(self.bad.values())} faults beside the {self.other.__name__}", *map(str, kinds.most_common()), *list(self.bad)[:5]]


class Isolation(ReleaseCase):
    def configured(self, origin):
        judged = merged(circuit_breaker(failure_ratio="30%", min_requests=10, open="1s", scope=["upstream", "endpoint"]),
                        {"outlier_detection": {"consecutive_5xx": 5, "max_ejection_percent": "100%", "base_ejection_time": "1s"}})
        timeouts = settings.upstream_timeouts(connect="2s", response="3s", read="3s")
        upstreams = {"one": settings.upstream(*origin.addresses[:3], **timeouts) | judged,
                     "two": settings.upstream(*origin.addresses[:3], **timeouts) | judged | {"protocol": "http2"},
                     "spare": settings.upstream(origin.addresses[3])}
        self.chains = chains()
        routes = [route(f"/{name}", name=name, split={"weights": {"one": 50, "two": 50}}, filters=filters_of(name, parts), timeout="5s")
                  for name, parts in self.chains.items()]
        return {"upstreams": upstreams, "routes": routes, "workers": 1,
                "timeouts": {"head": "2s", "idle": "20s", "body": "2s", "write": "2s"},
                **settings.client_limits(connections_per_client=400, requests_per_connection=0)}

    def round(self, weir, other):
        """One visit of each route; (tally of the innocents, of the other, seconds of CPU that Weir took)."""
        walk, before = Walk(list(self.chains)), self.cpu(weir)
        loads = [Load(innocents, 1, weir.address, walk),
                 Load(other, 1, weir.address, HOSTILE, walk, HOSTILE_RATE, VICTIMS)]
        threading.Event().wait(VISIT * len(self.chains))
        tallies = [load.finish() for load in loads]
        return *tallies, self.cpu(weir) - before

    def cpu(self, weir):
        with open(f"/proc/{weir.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_hostile_client_changes_nothing_for_others_whatever_filters_stand_in_the_chain(self):
        weir = self.weir(self.configured(self._kept(BothProtocols(4))))
        self.assertEqual(64, sum(name.startswith("usual") for name in self.chains))
        rounds, sides = max(1, round(SECONDS / (VISIT * len(self.chains)))), (Beside(neighbour), Beside(hostile))
        for number in range(rounds + MORE_ROUNDS):
            if number < rounds or self.is_slower(*sides):
                for side in sides:
                    side.add(*self.round(weir, side.other))
        print("", *sides, sep="\n")
        events = [line for line in weir.stderr().splitlines() if " warn " in line and "configuration_warning" not in line]
        for side in sides:
            self.assertEqual(0, len(side.bad), "\n".join(["", *side.faults(), *events[:10]]))
            self.assertFalse([word for word in side.conversations if "failed" in word], side)
            self.assertGreater(side.good, rounds * VISIT * len(self.chains) * INNOCENT_RATE * 2)
        self.assertFalse(self.is_slower(*sides), "the p99 has more than doubled")
        self.assert_the_attacks_met_something(weir)
        self.assert_nobody_was_blamed(weir)

    def is_slower(self, beside_neighbour, beside_hostile):
        return beside_hostile.percentile(0.99) > 2 * beside_neighbour.percentile(0.99)

    def assert_the_attacks_met_something(self, weir):
        for name, labels in (
                (settings.RATE_DECISIONS, {"decision": "refused"}), (settings.RATE_DECISIONS, {"decision": "delayed"}),
                (settings.CONCURRENT_REFUSED, {}), (settings.ATTEMPTS, {"code": "5xx"}), (settings.RETRIES, {}),
                (settings.FAILURES, {"reason": "total_timeout"}), (settings.FAILURES, {"reason": "request_timeout"}),
                (settings.FAILURES, {"reason": "head_too_large"}), (settings.FAILURES, {"reason": "bad_request"}),
                ("weir_cache_requests_total", {"status": "collapsed"}), ("weir_cache_requests_total", {"status": "hit"})):
            self.assertGreater(weir.metric(name, **labels), 0, f"{name} {labels}")

    def assert_nobody_was_blamed(self, weir):
        for name in (settings.BREAKER_CHANGES, settings.BREAKER_REJECTED, "weir_outlier_ejections_total", "weir_endpoint_pauses_total"):
            self.assertEqual(0, weir.metric(name), f"{name}: {weir.stderr()[-3000:]}")
        for name in (settings.IN_FLIGHT, settings.ENDPOINT_ACTIVE, settings.CONCURRENT, settings.CONCURRENT_QUEUED, settings.RETRIES_IN_FLIGHT):
            eventually(lambda: weir.metric(name) == 0, f"{name} is 0")


class Refused(CommandLine):
    def test_the_orders_left_out_are_those_that_check_refuses(self):
        for parts, said in REFUSED.items():
            with self.subTest(parts):
                config = {"listeners": [{"bind": "127.0.0.1:0"}], "upstreams": {"api": {"endpoints": ["127.0.0.1:9"]}},
                          "routes": [{"upstream": "api", "filters": [one for part in parts for one in PARTS[part]]}]}
                code, told = self.check(json.dumps(config, indent=1))
                self.assertEqual(1, code, told)
                self.assertIn(said, told)


if __name__ == "__main__":
    unittest.main()
