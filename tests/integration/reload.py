"""SIGHUP changes the configuration and nothing else: no connection, request or state is lost."""

import os
import signal
import socket
import unittest

from harness import WeirCase, eventually, fetch, free_address, settings
from settings import answers, route
from wire import RawClient, request_bytes


def saying(text):
    return {"routes": [answers(200, text)]}


class Reload(WeirCase):
    def said(self, weir):
        return self.fetch(weir).body.decode()

    def over(self, backend, *routes):
        return {"upstreams": {"api": settings.upstream(backend)}, "routes": [*routes, route("/", "api", "all")]}

    def test_routes_change(self):
        weir = self.weir(saying("one"))
        weir.reload(saying("two"))
        self.assertEqual("two", self.said(weir))

    def test_a_connection_lives_on_and_its_next_request_is_routed_anew(self):
        weir = self.weir(saying("one"))
        client = self.client(weir)
        self.assertEqual(b"one", bytes(client.get().body))
        weir.reload(saying("two"))
        self.assertEqual(b"two", bytes(client.get().body))

    def test_a_signal_to_reload_while_it_shuts_down_is_told(self):
        weir = self.weir({**saying("one"), **settings.shutdown(delay="30s")})
        weir.signal(signal.SIGTERM)
        weir.says(r"\bdraining\b")
        weir.signal(signal.SIGHUP)
        weir.says('reload_ignored why="shutting down"')
        weir.signal(signal.SIGTERM)
        weir.wait()
        weir.discard()

    def test_of_many_signals_during_a_reload_one_reload_comes_of_it(self):
        server = self.dns()
        server.failing = "silent"
        weir = self.weir({**saying("one"), "log": "debug"})
        asking = {"upstreams": {"api": settings.upstream(settings.dns_endpoint("slow.weir.test:80"))},
                  **settings.resolver(server.address), **saying("two"), "log": "debug"}
        weir.configure(asking)
        weir.signal(signal.SIGHUP)
        eventually(lambda: server.questions("slow.weir.test"), "the reload that waits for an answer")
        weir.signal(signal.SIGHUP)

        def has_another():
            weir.signal(signal.SIGHUP)
            return "reload_awaited" in weir.stderr()
        eventually(has_another, "a signal that adds no reload")
        server.put("slow.weir.test", "127.0.0.1")
        server.failing = None
        eventually(lambda: sum(weir.reloads().values()) == 2, "the end of two reloads", 60)
        weir.reload(saying("three"))
        self.assertEqual(3, sum(weir.reloads().values()))

    def test_a_bad_file_changes_nothing(self):
        weir = self.weir(saying("one"))
        good = open(weir.file).read()
        for bad in ("listeners: [", good.replace('"routes"', '"roots"'), "", good.replace('"status": 200', '"status": "x"')):
            with self.subTest(bad[:40]):
                weir.configure(bad)
                weir.reload(expect="failure")
                self.assertEqual(200, weir.readiness())
                self.assertEqual("one", self.said(weir))
        weir.says(r"weir\.yaml:\d+:\d+")
        weir.reload(saying("two"))
        self.assertEqual("two", self.said(weir))

    def test_reloads_that_are_asked_for_during_one_are_one(self):
        many = [answers(200, "one", match=f"/{number}") for number in range(3000)]
        weir = self.weir({"routes": [*many, answers(200, "one")]})
        clients = [RawClient(weir.admin, timeout=120) for _ in range(40)]
        for client in clients:
            self.addCleanup(client.close)
            client.send(request_bytes("POST", "/reload", host="localhost"))
        for client in clients:
            self.assertEqual(200, client.response().status)
        self.assertLess(weir.reloads()["success"], 12)

    def test_a_file_that_is_gone_changes_nothing(self):
        weir = self.weir(saying("one"))
        os.remove(weir.file)
        weir.reload(expect="failure")
        self.assertEqual("one", self.said(weir))

    def test_a_port_in_use_changes_nothing(self):
        weir = self.weir(saying("one"))
        taken, fresh = self.backend().address, free_address()
        first = weir.address
        weir.configure({"listeners": [settings.listener(first), settings.listener(fresh), settings.listener(taken)],
                        **saying("two")})
        weir.reload(expect="failure")
        self.assertEqual("one", fetch(first).body.decode())
        weir.says(taken.split(":")[1])
        self.assertTrue(self.is_free(fresh), "a listener of the refused configuration")

    def test_a_reload_that_is_refused_at_its_last_step_leaves_no_new_socket_listening(self):
        weir = self.weir(saying("one"), arguments=["--join"])
        folder = self.folder()
        fresh, file = (os.path.join(folder, name) for name in ("fresh.sock", "a-file"))
        open(file, "w").close()                      # a socket takes the place of no file
        first = weir.address
        weir.configure({"listeners": [settings.listener(first), settings.listener(f"unix:{fresh}"),
                                      settings.listener(f"unix:{file}")], **saying("two")})
        weir.reload(expect="failure")
        self.assertEqual("one", fetch(first).body.decode())
        self.assertEqual(["a-file"], os.listdir(folder))
        with open("/proc/net/unix") as table:
            self.assertNotIn(folder, table.read(), "its socket is still open")
        self.assertEqual({"success": 0, "failure": 1}, weir.reloads())

    def test_a_listener_comes_and_goes(self):
        weir = self.weir(saying("one"))
        first, second = weir.address, free_address()
        both = [settings.listener(first), settings.listener(second)]
        weir.reload({"listeners": both, **saying("two")})
        self.assertEqual(["two", "two"], [fetch(address).body.decode() for address in (first, second)])
        weir.reload({"listeners": both[1:], **saying("three")})
        self.assertEqual("three", fetch(second).body.decode())
        eventually(lambda: self.is_refused(first), "the first listener gone")
        eventually(lambda: self.is_free(first), "its port given back")

    def is_free(self, address):
        """Whether another process could listen there."""
        host, _, port = address.rpartition(":")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
                probe.listen()
            except OSError:
                return False
        return True

    def is_refused(self, address):
        try:
            RawClient(address).close()
        except ConnectionRefusedError:
            return True

    def test_workers_come_and_go(self):
        weir = self.weir({"workers": 1, **saying("one")})
        kept = [self.client(weir) for _ in range(8)]
        for number, workers in enumerate((2, 1, 2, 1)):
            weir.reload({"workers": workers, **saying(f"n{number}")})
            for client in kept:                      # those of a worker that goes may still see the old one
                self.assertIn(bytes(client.get().body).decode(), (f"n{number}", f"n{number - 1}", "one"))
            self.assertEqual({f"n{number}"}, {self.said(weir) for _ in range(20)})
            kept = [self.client(weir) for _ in range(8)]
            for client in kept:
                client.get()

    def test_a_request_in_flight_ends_as_it_began(self):
        backend = self.backend()
        weir = self.weir(self.over(backend))
        held = self.in_background(self.fetch, weir, "GET", "/hold")
        self.assertTrue(backend.held.acquire(timeout=10))
        weir.reload(saying("two"))
        self.assertEqual("two", self.said(weir))
        backend.release.set()
        self.assertEqual("/hold", held.result().json()["target"])

    def test_an_upload_in_flight_ends_as_it_began(self):
        backend = self.backend()
        weir = self.weir(self.over(backend))
        client = self.client(weir)
        client.send(request_bytes("POST", "/up", {"Content-Length": "10"}) + b"hello")
        eventually(lambda: b"hello" in backend.received, "the first half forwarded")
        weir.reload(saying("two"))
        client.send(b"world")
        self.assertEqual("helloworld", client.response().json()["body"])

    def test_idle_upstream_connections_live_on(self):
        backend = self.backend()
        weir = self.weir(self.over(backend))
        client = self.client(weir)
        self.assertEqual(0, client.get().json()["connection"])
        weir.reload(self.over(backend, answers(200, "new", match="/new")))
        self.assertEqual(b"new", bytes(client.get("/new").body))
        self.assertEqual(0, client.get().json()["connection"])

    def test_round_robin_goes_on_where_it_was(self):
        backends = [self.backend(name) for name in ("a", "b")]
        config = {"upstreams": {"api": settings.upstream(*backends)}, "routes": [route("/", "api")]}
        weir = self.weir(config)
        got = []
        for _ in range(4):
            got.append(self.fetch(weir).json()["backend"])
            weir.reload(config)
        self.assertIn(got, (["a", "b"] * 2, ["b", "a"] * 2))

    def test_endpoints_come_and_go(self):
        first, second = self.backend("first"), self.backend("second")
        weir = self.weir(self.over(first))
        self.assertEqual("first", self.fetch(weir).json()["backend"])
        weir.reload(self.over(second))
        self.assertEqual(["second"] * 4, [self.fetch(weir).json()["backend"] for _ in range(4)])
        self.assertTrue(first.connections[0].ended.wait(10), "a connection to what is gone was kept")

    def test_each_signal_is_one_reload_and_counters_go_on(self):
        weir = self.weir(saying("one"))
        self.fetch(weir)
        before = weir.metric(settings.REQUESTS)
        for number in range(5):
            weir.reload(saying(f"n{number}"))
        self.assertEqual({"success": 5, "failure": 0}, weir.reloads())
        self.assertGreaterEqual(weir.metric(settings.REQUESTS), before)

    def test_a_burst_of_signals_is_survived_and_the_last_file_wins(self):
        weir = self.weir(saying("one"))
        for number in range(20):
            weir.configure(saying(f"n{number}"))
            weir.signal(signal.SIGHUP)
        eventually(lambda: self.said(weir) == "n19", "the last file served")


if __name__ == "__main__":
    unittest.main()
