"""A worker that no longer finishes its work is noticed, told and counted; `abort` ends the process."""

import re
import signal
import unittest

from faults import LIBRARY, Faults
from harness import WeirCase, eventually, fetch, settings
from settings import answers
from wire import RawClient

HELLO = {"routes": [answers(200, "hello")]}


@unittest.skipUnless(LIBRARY, "FAULTS_LIBRARY names no library")
class Watchdog(WeirCase):
    def blocked(self, **config):
        """A Weir whose worker hangs in accept4, and the connection on which that happened."""
        self.faults = Faults(self.folder())
        weir = self.weir({**HELLO, **config}, environment=self.faults.environment)
        self.faults.wait("accept", True)
        self.addCleanup(self.faults.wait, "accept", False)
        return weir, self.client(weir)

    def event(self, weir, name):
        found = lambda: re.search(rf"^.*\b{name}\b.*$", weir.stderr(), re.MULTILINE)
        eventually(found, f"{name}:\n{weir.stderr()}")
        return found()[0]

    def test_a_stuck_worker_is_told_with_its_stack_and_counted(self):
        weir, client = self.blocked(watchdog="200ms")
        told = self.event(weir, "worker_stuck")
        self.assertRegex(told, r"worker=0")
        self.assertRegex(told, r"stack=.*usleep|stack=.*nanosleep")
        self.assertRegex(told, r"weir::net::Listener::accept_one")
        self.assertNotIn("worker_recovered", weir.stderr())
        self.faults.wait("accept", False)
        self.assertRegex(self.event(weir, "worker_recovered"), r"stuck_ms=\d{3,}")
        self.assertEqual(b"hello", bytes(client.get().body))
        self.assertEqual(1, weir.metric("weir_worker_stuck_total", worker="0"))

    def test_abort_ends_the_process_for_the_service_manager_to_restart(self):
        weir, _ = self.blocked(watchdog={"after": "200ms", "action": "abort"})
        self.assertEqual(-signal.SIGABRT, weir.wait())
        self.assertRegex(weir.stderr(), "worker_stuck.*action=abort")
        weir.discard()

    def ends_with(self, weir, number):
        self.assertEqual(128 + number, weir.wait(60), weir.stderr())
        weir.discard()

    def test_one_signal_ends_a_process_whose_worker_hangs_soon_after_the_drain(self):
        weir, _ = self.blocked(**settings.shutdown(drain_timeout="1s"))
        weir.signal(signal.SIGTERM)
        self.event(weir, "draining")
        self.ends_with(weir, signal.SIGTERM)

    def test_two_signals_end_a_process_whose_worker_hangs(self):
        weir, _ = self.blocked(**settings.shutdown(drain_timeout="10m"))
        weir.signal(signal.SIGTERM)
        self.event(weir, "draining")
        weir.signal(signal.SIGINT)
        self.ends_with(weir, signal.SIGINT)

    def test_a_reload_changes_what_the_watchdog_does(self):
        self.faults = Faults(self.folder())
        weir = self.weir({**HELLO, "watchdog": 0}, environment=self.faults.environment)
        weir.reload({**HELLO, "watchdog": "100ms"})
        self.faults.wait("accept", True)
        self.addCleanup(self.faults.wait, "accept", False)
        self.client(weir)
        self.event(weir, "worker_stuck")
        self.faults.wait("accept", False)
        self.event(weir, "worker_recovered")

    def test_an_idle_or_stopped_process_is_not_stuck(self):
        weir = self.weir({**HELLO, "watchdog": "100ms"})
        self.assertEqual(b"hello", bytes(fetch(weir.address).body))
        weir.signal(signal.SIGSTOP)
        signal.sigtimedwait([], 1)                  # a second in which nothing can happen
        weir.signal(signal.SIGCONT)
        self.assertEqual(b"hello", bytes(fetch(weir.address).body))
        self.assertNotIn("worker_stuck", weir.stderr())
        self.assertEqual(0, weir.metric("weir_worker_stuck_total"))

    def test_long_turns_show_in_the_metrics(self):
        weir, client = self.blocked(watchdog="200ms")
        self.event(weir, "worker_stuck")
        self.faults.wait("accept", False)
        client.get()
        scrape = weir.metrics()
        longest = [value for name, _, value in scrape if name == "weir_worker_longest_turn_seconds"]
        self.assertGreater(max(longest), 0.2)
        long_turns = {labels["le"]: value for name, labels, value in scrape if name == "weir_worker_turn_seconds_bucket"}
        self.assertGreater(long_turns["+Inf"], long_turns["0.1"])
        again = [value for name, _, value in weir.metrics() if name == "weir_worker_longest_turn_seconds"]
        self.assertLess(max(again), 0.2)


if __name__ == "__main__":
    unittest.main()
