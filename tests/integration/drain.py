"""SIGTERM, SIGINT and SIGQUIT: what is in flight ends well, nothing new begins, and the exit code is 0."""

import signal
import time
import unittest

from h2_wire import PING, H2Client
from harness import WeirCase, eventually, settings
from wire import RawClient


class Drain(WeirCase):
    def holding(self, **shutdown):
        """Weir with one request in flight."""
        self.api = self.backend()
        weir = self.in_front_of(self.api, **settings.shutdown(**{"drain_timeout": "20s", **shutdown}))
        self.held = self.in_background(self.fetch, weir, "GET", "/hold")
        self.assertTrue(self.api.held.acquire(timeout=10))
        return weir

    def is_refused(self, weir):
        try:
            with RawClient(weir.address) as client:
                client.get()
        except OSError:
            return True
        except Exception:
            return False

    def test_each_stop_signal_lets_a_request_end(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(number):
                weir = self.holding()
                weir.signal(number)
                eventually(lambda: self.is_refused(weir), "the listener closed")
                for path, status in ("/livez", 200), ("/readyz", 503), ("/metrics", 200), ("/upstreams", 200):
                    self.assertEqual(status, self.fetch(weir.admin, target=path).status, path)
                self.api.release.set()
                self.assertEqual("/hold", self.held.result().json()["target"])
                self.assertEqual(0, weir.wait())

    def test_what_the_kernel_has_yet_to_deliver_is_cut_off_by_no_drain(self):
        size = 2_000_000                             # the client's kernel takes a little of it, Weir's the rest
        weir = self.in_front_of(self.backend(), workers=1, **settings.shutdown(drain_timeout="30s"))
        with H2Client(weir.address, receive_buffer=4096) as client:
            stream = client.begin("GET", f"/bytes/{size}", end=True)
            eventually(lambda: weir.metric(settings.IN_FLIGHT) == 0, "all of it has left")
            weir.signal(signal.SIGTERM)
            time.sleep(2)                            # the time that idle connections have
            client.send_frame(PING, b"12345678")
            self.assertEqual(size, len(client.response(stream).body))
        self.assertEqual(0, weir.wait())

    def test_readiness_ends_first_and_liveness_last(self):
        weir = self.holding(delay="1s")
        weir.signal(signal.SIGTERM)
        eventually(lambda: weir.readiness() == 503, "not ready")
        self.assertEqual(200, self.fetch(weir.admin, target="/livez").status)
        self.assertEqual(200, self.fetch(weir, target="/still").status)
        self.api.release.set()
        self.assertEqual(200, self.held.result().status)
        self.assertEqual(0, weir.wait())

    def test_the_next_answer_on_a_kept_connection_says_close(self):
        self.api = self.backend()
        weir = self.in_front_of(self.api, **settings.shutdown(drain_timeout="20s", delay="0s"))
        kept = self.client(weir)
        self.assertFalse(kept.get().closes())
        held = self.in_background(self.fetch, weir, "GET", "/hold")
        self.assertTrue(self.api.held.acquire(timeout=10))
        weir.signal(signal.SIGTERM)
        eventually(lambda: self.is_refused(weir), "the listener closed")
        self.assertTrue(kept.get().closes())
        self.assertTrue(kept.is_closed())
        self.api.release.set()
        self.assertTrue(held.result().closes())
        self.assertEqual(0, weir.wait())

    def test_without_anything_in_flight_the_end_is_quick(self):
        weir = self.in_front_of(self.backend(), **settings.shutdown(drain_timeout="30s"))
        self.fetch(weir)
        started = time.monotonic()
        weir.signal(signal.SIGTERM)
        self.assertEqual(0, weir.wait())
        self.assertLess(time.monotonic() - started, 10)

    def test_idle_connections_are_closed_long_before_the_drain_would_time_out(self):
        weir = self.holding(drain_timeout="60s")
        idle = self.client(weir)
        idle.get()
        weir.signal(signal.SIGTERM)
        eventually(lambda: self.is_refused(weir), "the listener closed")
        eventually(idle.is_closed, "the idle connection closed", 15)
        self.assertIsNone(weir.process.poll())
        self.api.release.set()
        self.assertEqual(200, self.held.result().status)
        self.assertEqual(0, weir.wait())

    def test_a_refresh_in_the_background_is_waited_for(self):
        api = self.backend()
        cached = settings.route("/", "api", filters=[{"cache": {"ttl": "1ms", "serve_stale": {"while_revalidate": "1h"}}}])
        weir = self.weir({"upstreams": {"api": settings.upstream(api)}, "routes": [cached],
                          **settings.shutdown(drain_timeout="3s")})
        self.hold_refresh(weir, api)
        weir.signal(signal.SIGTERM)
        weir.says("drain_timed_out")                # without a connection: for the refresh
        self.assertEqual(0, weir.wait())
        api.release.set()

    def hold_refresh(self, weir, api):
        """A response is stored and stale; the request that renews it waits at the endpoint."""
        api.release.set()
        self.assertEqual(200, self.fetch(weir, target="/hold").status)
        api.release.clear()
        while api.held.acquire(blocking=False):
            pass
        self.assertEqual(200, self.fetch(weir, target="/hold").status)
        self.assertTrue(api.held.acquire(timeout=20), "the refresh")

    def test_who_does_not_end_in_time_is_cut(self):
        weir = self.holding(drain_timeout="500ms")
        weir.signal(signal.SIGTERM)
        self.assertEqual(0, weir.wait())
        with self.assertRaises(Exception):
            self.held.result()

    def test_a_second_signal_ends_it_at_once(self):
        weir = self.holding(drain_timeout="60s")
        weir.signal(signal.SIGTERM)
        eventually(lambda: weir.readiness() != 200, "draining")
        started = time.monotonic()
        weir.signal(signal.SIGTERM)
        self.assertEqual(128 + signal.SIGTERM, weir.wait())
        self.assertLess(time.monotonic() - started, 5)
        weir.discard()

    def test_the_exit_code_tells_which_second_signal_it_was(self):
        weir = self.holding(drain_timeout="60s")
        weir.signal(signal.SIGTERM)
        eventually(lambda: weir.readiness() != 200, "draining")
        weir.signal(signal.SIGINT)
        self.assertEqual(128 + signal.SIGINT, weir.wait())
        weir.discard()

    def test_a_reload_during_a_drain_does_not_revive_it(self):
        weir = self.holding()
        weir.signal(signal.SIGTERM)
        eventually(lambda: self.is_refused(weir), "the listener closed")
        weir.signal(signal.SIGHUP)
        self.api.release.set()
        self.assertEqual(200, self.held.result().status)
        self.assertEqual(0, weir.wait())


if __name__ == "__main__":
    unittest.main()
