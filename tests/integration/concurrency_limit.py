"""`concurrency_limit`: never more at once than there are places, and each place comes back."""

import threading
import unittest

from h2_wire import H2Client
from harness import WeirCase, eventually, settings
from settings import concurrency_limit, route
from wire import RawClient, fetch, request_bytes


class Crowd:
    """A script that counts how many requests a backend is at, and keeps each for a moment."""

    def __init__(self):
        self.now = self.most = self.served = 0
        self.lock = threading.Lock()

    def __call__(self, connection):
        while True:
            connection.request()
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            connection.backend.stopping.wait(0.01)
            with self.lock:
                self.now -= 1
                self.served += 1
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class ConcurrencyLimit(WeirCase):
    def limited(self, *filters, backend=None, **config):
        self.api = backend or self.backend()
        return self.in_front_of(self.api, routes=[route("/", "api", "all", filters=list(filters))], **config)

    def in_flight(self, weir, count):
        eventually(lambda: weir.metric(settings.CONCURRENT, route="all") == count, f"{count} in flight")

    def hold(self, weir, **how):
        """A client whose request the backend keeps."""
        client = self.client(weir, **how)
        client.send(request_bytes(target="/hold"))
        self.assertTrue(self.api.held.acquire(timeout=20))
        return client

    def test_200_requests_at_once_never_exceed_the_limit(self):
        crowd = Crowd()
        weir = self.limited(concurrency_limit(7, queue={"max": 1000, "timeout": "60s"}), workers=2,
                            backend=self.scripted(crowd))
        asked = [self.in_background(fetch, weir.address) for _ in range(200)]
        self.assertEqual({200}, {each.result().status for each in asked})
        self.assertEqual((200, True), (crowd.served, crowd.most <= 7))
        self.in_flight(weir, 0)

    def test_without_a_queue_the_others_are_refused(self):
        weir = self.limited(concurrency_limit(1))
        self.hold(weir)
        response = self.fetch(weir)
        self.assertEqual((503, "1"), (response.status, response.get("retry-after")))
        self.assertEqual({"SH"}, weir.log_of("/")[0].flags)
        self.api.release.set()
        self.in_flight(weir, 0)
        self.assertEqual(200, self.fetch(weir).status)

    def test_each_client_has_its_places(self):
        weir = self.limited(concurrency_limit(1, key="client.ip"))
        self.hold(weir)
        refused = self.fetch(weir)
        self.assertEqual((429, ["default"]), (refused.status, refused.json()["violated-policies"]))
        self.assertEqual(200, self.fetch(weir, source="127.0.0.9").status)
        self.assertEqual(1, weir.metric(settings.CONCURRENT_REFUSED, route="all", reason="full"))
        self.api.release.set()

    def test_a_client_that_aborts_gives_its_place_back(self):
        weir = self.limited(concurrency_limit(1))
        self.hold(weir).reset()
        self.in_flight(weir, 0)
        self.assertEqual(200, self.fetch(weir).status)
        self.api.release.set()

    def test_a_stream_that_is_reset_gives_its_place_back(self):
        weir = self.limited(concurrency_limit(1))
        with H2Client(weir.address) as client:
            stream = client.begin(target="/hold", end=True)
            self.assertTrue(self.api.held.acquire(timeout=20))
            self.assertEqual(503, client.get().status)
            client.send_reset(stream)
            self.in_flight(weir, 0)
            self.assertEqual(200, client.get().status)
        self.api.release.set()

    def test_a_response_that_is_read_slowly_keeps_its_place_to_its_end(self):
        weir = self.limited(concurrency_limit(1))
        client = self.client(weir, receive_buffer=4096)
        client.send(request_bytes(target="/bytes/20000000"))
        self.assertEqual(200, client.head().status)
        self.assertEqual(503, self.fetch(weir).status)
        client.close()
        self.in_flight(weir, 0)
        self.assertEqual(200, self.fetch(weir).status)

    def test_one_in_the_queue_goes_on_when_a_place_comes_free(self):
        weir = self.limited(concurrency_limit(1, queue={"max": 1, "timeout": "30s"}), workers=2)
        self.hold(weir)
        waiting = self.in_background(fetch, weir.address)
        eventually(lambda: weir.metric(settings.CONCURRENT_QUEUED) == 1, "one in the queue")
        self.assertEqual(503, self.fetch(weir).status)
        self.api.release.set()
        self.assertEqual(200, waiting.result().status)

    def test_one_that_waits_in_vain_is_refused_in_time(self):
        weir = self.limited(concurrency_limit(1, queue={"max": 5, "timeout": "200ms"}))
        self.hold(weir)
        self.assertEqual(503, self.fetch(weir).status)
        self.assertEqual(1, weir.metric(settings.CONCURRENT_REFUSED, reason="timed_out"))
        self.api.release.set()

    def test_one_that_leaves_the_queue_takes_no_place(self):
        weir = self.limited(concurrency_limit(1, queue={"max": 1, "timeout": "30s"}))
        self.hold(weir)
        impatient = self.client(weir)
        impatient.send(request_bytes())
        eventually(lambda: weir.metric(settings.CONCURRENT_QUEUED) == 1, "one in the queue")
        impatient.reset()
        eventually(lambda: weir.metric(settings.CONCURRENT_QUEUED) == 0, "nobody in the queue")
        self.api.release.set()
        self.in_flight(weir, 0)

    def test_a_reload_keeps_who_is_in_and_a_higher_limit_counts_at_once(self):
        weir = self.limited(concurrency_limit(1))
        self.hold(weir)
        weir.reload()
        self.assertEqual(503, self.fetch(weir).status)
        weir.reload({"upstreams": {"api": settings.upstream(self.api)},
                     "routes": [route("/", "api", "all", filters=[concurrency_limit(2)])]})
        self.assertEqual(200, self.fetch(weir).status)
        self.api.release.set()
        self.in_flight(weir, 0)

    def test_large_bodies_pass_whole(self):
        weir = self.limited(concurrency_limit(4))
        with RawClient(weir.address) as client:
            self.assertEqual(3_000_000, len(client.get("/bytes/3000000").body))
            self.assertEqual(3_000_000, len(client.get("/chunked/3000000").body))


if __name__ == "__main__":
    unittest.main()
