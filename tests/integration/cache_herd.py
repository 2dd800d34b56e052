"""Many who want the same at once ask the origin once (RFC 9211 section 2.6: collapsed), and nobody has to pay for
another's trouble."""

import os
import re
import resource
import threading
import time
import unittest

from backend import chunk, pattern
from cache_case import CacheCase, Gate, Page, status_of
from cache_settings import CACHE_LABEL, COLLAPSED, REQUESTS, STATUS_LABEL, collapse, early_refresh
from harness import eventually, settings
from wire import request_bytes

FRESH = "max-age=60"
HERD = 1000
DELAY = 0.3                                         # seconds that the origin takes


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_by_loop(pid, address):
    """How many of the process' connections accepted at `address` each of its event loops watches: the kernel's own count."""
    host, _, port = address.rpartition(":")
    local = "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{int(port):04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    inodes = {row[9] for row in rows if row[1] == local and row[3] == "01"}
    folder, accepted, loops = f"/proc/{pid}/fd", set(), []
    for fd in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{fd}")
        except OSError:
            continue
        if target.startswith("socket:") and target[8:-1] in inodes:
            accepted.add(int(fd))
        elif "eventpoll" in target:
            loops.append(fd)
    counts = []
    for fd in loops:
        with open(f"/proc/{pid}/fdinfo/{fd}") as info:
            counts.append(len(accepted & {int(watched) for watched in re.findall(r"tfd:\s*(\d+)", info.read())}))
    return [count for count in counts if count]


class HerdCase(CacheCase):
    workers = 2
    caches = {"/": collapse(wait="30s"), "/brief/": collapse(wait="300ms"), "/off/": collapse(on=False),
              "/early/": early_refresh(100), "/late/": {}, "/small/": {"max_object": "10KiB"}}
    more = settings.client_limits(connections=5000)

    @classmethod
    def setUpClass(cls):
        raise_file_limit()
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.clients = 0
        eventually(lambda: self.shared.metric(settings.CONNECTIONS) == 0, "no connection of another test")

    def herd(self, count):
        """So many clients with a connection each, accepted."""
        clients = [self.client(self.shared, timeout=60) for _ in range(count)]
        self.clients += count
        eventually(lambda: self.shared.metric(settings.CONNECTIONS) >= self.clients, f"{count} connections", patience=60)
        return clients

    def send(self, clients, path, **fields):
        wire = request_bytes(target=path, fields={name.replace("_", "-"): value for name, value in fields.items()})
        for client in clients:
            client.send(wire)

    def in_flight(self, count):
        """Until so many requests are being answered."""
        eventually(lambda: self.shared.metric(settings.IN_FLIGHT) >= count, f"{count} in flight", patience=60)

    def answers(self, clients):
        return [client.response() for client in clients]

    def collapsed(self):
        return self.shared.metric(REQUESTS, **{STATUS_LABEL: COLLAPSED})


class TheHerd(HerdCase):
    def test_a_thousand_requests_for_one_cold_object_reach_the_origin_once(self):
        gate = Gate(Page(body=pattern(3000), cache_control=FRESH))

        def slow(connection, request, number):
            time.sleep(DELAY)
            gate(connection, request, number)
        path = self.page(slow)
        clients = self.herd(HERD)
        shares = connections_by_loop(self.shared.pid, self.shared.address)
        self.assertEqual(2, len(shares), "both workers have clients")
        self.assertGreater(min(shares), HERD // 10)
        before = self.collapsed()
        self.send(clients, path)
        self.in_flight(HERD)
        gate.open.set()
        answers = self.answers(clients)
        self.assertEqual({(200, pattern(3000))}, {(answer.status, bytes(answer.body)) for answer in answers})
        self.assertEqual(1, self.count(path))
        marks = [status_of(answer) for answer in answers]
        self.assertEqual(HERD - 1, sum("collapsed" in mark for mark in marks))
        self.assertEqual({"uri-miss"}, {mark.get("fwd") for mark in marks})
        self.assertEqual(HERD - 1, self.collapsed() - before)

    def test_a_leader_who_leaves_leaves_the_rest_their_answer(self):
        gate = Gate(Page(body=pattern(3000), cache_control=FRESH))
        path = self.page(gate)
        leader, *rest = self.herd(HERD)
        self.send([leader], path)
        gate.wait_held()
        started = time.monotonic()
        self.send(rest, path)
        self.in_flight(HERD)
        time.sleep(max(0, started + 0.1 - time.monotonic()))
        leader.reset()
        eventually(lambda: self.shared.metric(settings.CONNECTIONS) < HERD, "the leader has gone")
        gate.open.set()
        self.assertEqual({(200, pattern(3000))}, {(answer.status, bytes(answer.body)) for answer in self.answers(rest)})
        self.assertEqual(1, self.count(path))

    def test_a_leader_who_leaves_while_the_body_comes(self):
        body, half, go = pattern(400_000), threading.Event(), threading.Event()

        def in_halves(connection, request, number):
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nCache-Control: {FRESH}\r\n\r\n")
            connection.send(body[:200_000])
            half.set()
            go.wait(60)
            connection.send(body[200_000:])
        path = self.page(in_halves)
        leader, *rest = self.herd(20)
        self.send([leader], path)
        leader.head()
        self.send(rest, path)
        for client in rest:
            client.first = client.head()
        leader.reset()
        go.set()
        for client in rest:
            self.assertEqual(body, bytes(client.rest_of(client.first).body))
        self.assertEqual(1, self.count(path))

    def test_a_client_alone_who_leaves_spoils_nothing(self):
        gate = Gate(Page(cache_control=FRESH), last=1)
        path = self.page(gate)
        client = self.herd(1)[0]
        self.send([client], path)
        gate.wait_held()
        client.reset()
        gate.open.set()
        response = self.ask(path)
        self.assertEqual((200, path.encode()), (response.status, bytes(response.body)[:len(path)]))
        self.assertLessEqual(self.count(path), 2)


class Leaders(HerdCase):
    def test_one_that_fails_elects_one(self):
        gate = Gate(lambda connection, *_: connection.reset(), last=1)
        second = Gate()

        def script(connection, request, number):
            (gate if number == 1 else second)(connection, request, number)
        path = self.page(script)
        leader, *rest = self.herd(50)
        self.send([leader], path)
        gate.wait_held()
        self.send(rest, path)
        self.in_flight(50)
        gate.open.set()
        second.wait_held()
        second.open.set()
        answers = self.answers(rest)
        self.assertEqual({(200, f"{path} #2".encode())}, {(answer.status, bytes(answer.body)) for answer in answers})
        self.assertEqual(2, self.count(path))
        self.assertIn(leader.response().status, (200, 502))

    def test_one_that_gets_an_error_elects_one(self):
        """RFC 9111 section 3: an error without a lifetime answers the one that asked."""
        gate = Gate(Page(status=503), last=1)
        second = Gate()

        def script(connection, request, number):
            (gate if number == 1 else second)(connection, request, number)
        path = self.page(script)
        leader, *rest = self.herd(20)
        self.send([leader], path)
        gate.wait_held()
        self.send(rest, path)
        self.in_flight(20)
        gate.open.set()
        second.wait_held()
        second.open.set()
        self.assertEqual({200}, {answer.status for answer in self.answers(rest)})
        self.assertEqual(2, self.count(path))

    def test_one_whose_answer_breaks_off_leaves_nothing_behind(self):
        go = threading.Event()

        def script(connection, request, number):
            if number > 1:
                return Page(cache_control=FRESH)(connection, request, number)
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nCache-Control: {FRESH}\r\n\r\n" + "x" * 50_000)
            go.wait(60)
            connection.reset()
        path = self.page(script)
        clients = self.herd(10)
        self.send(clients, path)
        for client in clients:
            client.first = client.head()
        go.set()
        for client in clients:
            with self.assertRaises(Exception):
                client.rest_of(client.first)
        response = self.ask(path)
        self.assertEqual((200, f"{path} #2".encode()), (response.status, bytes(response.body)))

    def test_nobody_waits_longer_than_the_bound(self):
        gate = Gate(last=1)
        path = self.page(gate, under="/brief/")
        leader, *rest = self.herd(4)
        self.send([leader], path)
        gate.wait_held()
        started = time.monotonic()
        self.send(rest, path)
        for answer in self.answers(rest):
            self.assertEqual(200, answer.status)
        self.assertGreater(time.monotonic() - started, 0.2)
        self.assertGreaterEqual(self.count(path), 2)
        gate.open.set()
        self.assertEqual(200, leader.response().status)

    def test_without_collapsing_each_asks_for_itself(self):
        gate = Gate()
        path = self.page(gate, under="/off/")
        clients = self.herd(5)
        self.send(clients, path)
        gate.wait_held(5)
        gate.open.set()
        self.assertEqual({200}, {answer.status for answer in self.answers(clients)})


class Uncacheable(HerdCase):
    def test_it_is_remembered_and_the_next_herd_does_not_queue(self):
        path = self.page(cache_control="no-store")
        self.ask(path)
        gate = Gate(Page(cache_control="no-store"))
        self.page(gate, path=path)
        clients = self.herd(20)
        self.send(clients, path)
        gate.wait_held(20)                          # all of them are at the origin at once
        gate.open.set()
        answers = self.answers(clients)
        self.assertEqual(20, len({bytes(answer.body) for answer in answers}))
        self.assertFalse(any("collapsed" in status_of(answer) for answer in answers))

    def test_those_who_waited_in_vain_go_all_at_once(self):
        first, others = Gate(Page(cache_control="no-store"), last=1), Gate(Page(cache_control="no-store"))

        def script(connection, request, number):
            (first if number == 1 else others)(connection, request, number)
        path = self.page(script)
        leader, *rest = self.herd(20)
        self.send([leader], path)
        first.wait_held()
        self.send(rest, path)
        self.in_flight(20)
        first.open.set()
        others.wait_held(19)
        others.open.set()
        bodies = {bytes(answer.body) for answer in self.answers([leader, *rest])}
        self.assertEqual(20, len(bodies), "nobody got another's answer")

    def test_what_becomes_cacheable_is_stored_again(self):
        """A miss is what was remembered, not a way around the cache."""
        path = self.page(cache_control="no-store")
        self.ask(path)
        self.page(path=path, cache_control=FRESH)
        self.ask(path)
        self.assert_hit(self.ask(path))

    def test_requests_with_credentials_do_not_wait_for_what_is_not_known(self):
        for name in ("Authorization", "Cookie"):
            with self.subTest(name):
                gate = Gate(Page(cache_control="private"))
                path = self.page(gate)
                clients = self.herd(3)
                for number, client in enumerate(clients):
                    client.send(request_bytes(target=path, fields={name: f"user={number}"}))
                gate.wait_held(3)
                gate.open.set()
                self.assertEqual(3, len({bytes(answer.body) for answer in self.answers(clients)}))

    def test_those_who_want_another_variant_queue_anew(self):
        def script(connection, request, number):
            Page(body=request.get("accept-language"), cache_control=FRESH, vary="accept-language")(connection, request, number)
        gate = Gate(script, last=1)
        path = self.page(gate)
        english, german = self.herd(10), self.herd(10)
        self.send(english[:1], path, accept_language="en")
        gate.wait_held()
        self.send(english[1:], path, accept_language="en")
        self.send(german, path, accept_language="de")
        self.in_flight(20)
        gate.open.set()
        self.assertEqual({b"en"}, {bytes(answer.body) for answer in self.answers(english)})
        self.assertEqual({b"de"}, {bytes(answer.body) for answer in self.answers(german)})
        self.assertLessEqual(self.count(path), 3)


class Streaming(HerdCase):
    def halves(self, size, chunked, under="/"):
        """A page whose second half waits for `.go`."""
        body = pattern(size)
        go = threading.Event()

        def script(connection, request, number):
            if chunked:
                connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: {FRESH}\r\n\r\n")
                connection.send(chunk(body[:size // 2]))
                go.wait(60)
                connection.send(chunk(body[size // 2:]) + b"0\r\n\r\n")
            else:
                connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nCache-Control: {FRESH}\r\n\r\n")
                connection.send(body[:size // 2])
                go.wait(60)
                connection.send(body[size // 2:])
        return self.page(script, under=under), body, go

    def test_those_who_wait_get_it_while_it_fills(self):
        for chunked in (False, True):
            with self.subTest(chunked=chunked):
                path, body, go = self.halves(200_000, chunked)
                clients = self.herd(6)
                self.send(clients, path)
                for client in clients:
                    client.first = client.head()
                    while len(client.stream.received) < 80_000:
                        self.assertTrue(client.stream.fill())
                late = self.herd(1)[0]              # joins in the middle
                self.send([late], path)
                late.first = late.head()
                while len(late.stream.received) < 80_000:
                    self.assertTrue(late.stream.fill())
                self.assertFalse(go.is_set(), "the origin has not finished")
                go.set()
                for client in (*clients, late):
                    self.assertEqual(body, bytes(client.rest_of(client.first).body))
                self.assertEqual(1, self.count(path))

    def test_one_who_does_not_read_holds_up_nobody(self):
        body = pattern(4_000_000)
        path = self.page(body=body, cache_control=FRESH)
        lazy = self.client(self.shared, receive_buffer=4096)
        self.clients += 1
        self.send([lazy], path)
        lazy.head()
        for _ in range(2):
            self.assertEqual(body, bytes(self.ask(path).body))
        self.assertEqual(1, self.count(path))

    def test_what_is_too_large_to_keep_reaches_all_who_came(self):
        for chunked in (False, True):
            with self.subTest(chunked=chunked):
                path, body, go = self.halves(3_000_000, chunked, under="/small/")
                clients = self.herd(4)
                self.send(clients, path)
                go.set()
                reading = [self.in_background(client.response) for client in clients]
                self.assertEqual({body}, {bytes(one.result().body) for one in reading})


class Early(HerdCase):
    def slow(self, under):
        def script(connection, request, number):
            connection.backend.stopping.wait(0.1)
            Page(cache_control="max-age=5")(connection, request, number)
        return self.page(script, under=under)

    def test_a_hit_may_ask_anew_before_the_time_is_over(self):
        """XFetch: the chance grows with what a fetch takes and with beta."""
        path = self.slow("/early/")
        self.filled(path)

        def look():
            response = self.ask(path)
            self.assert_fresh_hit(response)
            return self.count(path) > 1
        eventually(look, "asked before it was over", patience=3)

    def test_without_it_nobody_asks_before(self):
        path = self.slow("/late/")
        self.filled(path)
        for _ in range(50):
            self.assert_fresh_hit(self.ask(path))
        self.assertEqual(1, self.count(path))


if __name__ == "__main__":
    unittest.main()
