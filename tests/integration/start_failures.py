"""A start, reload or take-over that fails half-way says why and leaves everything as it was."""

import os
import socket
import unittest

from faults import CALLS, LIBRARY, Faults
from harness import REPORT, Weir, WeirCase, eventually, fetch, free_address, settings
from settings import answers
from wire import Closed, Cut

HELLO = {"routes": [answers(200, "hello")]}
MOST = 40                                           # calls of one kind in one start
STRANGER = 54321                                    # a user id without processes
# The build may lie in a folder that only its owner reads, as mktemp makes them.
INTO_THE_BUILD = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def threads_of(weir):
    """All but those that start when they are needed first: for the pages of the admin API, and for each log."""
    def named():
        names = []
        for task in os.listdir(f"/proc/{weir.pid}/task"):
            with open(f"/proc/{weir.pid}/task/{task}/comm") as file:
                names.append(file.read().strip())
        return names if names.count("weir") == 1 else None      # a thread takes its name as its first deed
    names = eventually(named, "the names of all threads")
    return sorted(name for name in names if name not in ("weir-admin", "log-writer"))


def is_refused(address):
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def stop_quietly(weir):
    if weir.process and weir.process.poll() is None:
        weir.process.kill()
        weir.process.wait()
    if weir.process:
        weir.discard()


@unittest.skipUnless(LIBRARY, "FAULTS_LIBRARY names no library")
class Faulty(WeirCase):
    def faults(self):
        return Faults(self.folder())

    def started(self, config, **how):
        """A Weir that is ready, or one that has ended."""
        weir = Weir(config, **how)
        weir.spawn()
        self.addCleanup(stop_quietly, weir)
        eventually(weir.is_ready_or_dead, f"ready, or ended:\n{weir.stderr()}")
        return weir

    def assert_all_served(self, address, body=b"hello", count=12):
        """Each worker gets its share of new connections."""
        for _ in range(count):
            self.assertEqual(body, bytes(fetch(address).body))

    def assert_refused_with_reason(self, weir):
        told = weir.stderr()
        self.assertEqual(1, weir.process.returncode, told)
        self.assertNotRegex(told, REPORT)
        self.assertNotRegex(told, "terminate called|abort")
        self.assertRegex(told, r"can't|in use|descriptor|open|resource|space|denied")
        weir.discard()


class Start(Faulty):
    def test_whatever_call_fails_the_process_serves_or_ends_with_the_reason(self):
        for call in set(CALLS) - {"accept"}:
            for nth in range(1, MOST):
                faults = self.faults()
                faults.fail(call, nth)
                with self.subTest(call=call, nth=nth):
                    weir = self.started({"workers": 2, **HELLO}, environment=faults.environment)
                    has_failed = faults.has_failed(call)
                    faults.clear()
                    if weir.process.poll() is None:
                        self.assert_all_served(weir.address)
                        weir.stop()
                    else:
                        self.assertTrue(has_failed)
                        self.assert_refused_with_reason(weir)
                if not has_failed:
                    break

    def test_a_process_log_without_a_thread_on_a_full_disk_ends_nothing(self):
        for nth in range(1, MOST):
            faults = self.faults()
            faults.fail("pthread_create", nth)
            with self.subTest(nth=nth):
                weir = self.started({"workers": 1, **settings.access_log("off"), **HELLO},
                                    environment=faults.environment, launcher=["prlimit", "--fsize=1"])
                has_failed = faults.has_failed("pthread_create")
                if weir.process.poll() is None:
                    self.assert_all_served(weir.address, count=2)
                    weir.stop()
                else:
                    self.assertEqual(1, weir.process.returncode)
            if not has_failed:
                return

    def test_a_worker_that_cannot_be_started_is_named(self):
        faults = self.faults()
        told = ""
        for nth in range(1, MOST):                  # the log's thread comes first
            faults.fail("pthread_create", nth)
            weir = self.started({"workers": 4, **HELLO}, environment=faults.environment)
            if weir.process.poll() is None:
                break
            told += weir.stderr()
            weir.discard()
        for worker in range(1, 5):
            self.assertRegex(told, f"workers: worker {worker} of 4 can't be started: .*[Rr]esource")

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_a_limit_of_threads_ends_the_start_with_1(self):
        folder = self.folder()
        os.chmod(folder, 0o777)
        weir = Weir({"workers": 4, **settings.access_log("off"), **HELLO},
                    environment=self.faults().environment,
                    launcher=["setpriv", f"--reuid={STRANGER}", "--clear-groups", *INTO_THE_BUILD, "prlimit", "--nproc=3"])
        os.chmod(weir.folder, 0o755)
        self.addCleanup(stop_quietly, weir)
        weir.spawn()
        self.assertEqual(1, weir.wait(), weir.stderr())
        self.assertRegex(weir.stderr(), r"worker \d of 4 can't be started: .*[Rr]esource")

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_a_limit_of_threads_of_the_user_fails_a_reload_and_changes_nothing(self):
        weir = Weir({"workers": 1, "user": "nobody", **settings.access_log("off"), **HELLO},
                    environment=self.faults().environment,
                    launcher=["prlimit", "--nproc=1"])  # holds for nobody, not for root
        os.chmod(weir.folder, 0o755)
        self.addCleanup(stop_quietly, weir)
        weir.start()
        before = threads_of(weir)
        weir.reload({"workers": 3, "user": "nobody", **settings.access_log("off"), **HELLO}, expect="failure")
        eventually(lambda: "worker 2 of 3 can't be started" in weir.stderr(), "the reason")
        self.assertEqual(before, threads_of(weir))
        self.assert_all_served(weir.address)


class Reload(Faulty):
    def test_whatever_call_fails_nothing_is_half_published(self):
        for call in set(CALLS) - {"accept", "rename"}:
            for nth in range(1, MOST):
                with self.subTest(call=call, nth=nth):
                    if not self.reload_with(call, nth):
                        break

    @unittest.skipUnless(os.getuid() == 0, "needs root")
    def test_no_new_socket_listens_before_all_that_may_fail_is_done(self):
        folder, faults = self.folder(), self.faults()
        os.chmod(folder, 0o755)
        path = f"unix:{folder}/weir.sock"
        as_nobody = {"user": "nobody", **settings.access_log("off"), **HELLO}
        weir = self.weir({"workers": 1, "listeners": [{"bind": path}], **as_nobody}, folder=folder,
                         environment=faults.environment)
        faults.fail("listen", MOST)
        weir.configure({"workers": 2, "listeners": [{"bind": path, "owner": "daemon"}, {"bind": free_address()}],
                        **as_nobody})
        weir.reload(expect="failure")
        weir.says("configuration_problem .*owner")
        self.assertEqual(MOST, faults.calls_left("listen"))

    def reload_with(self, call, nth):
        """To more workers and one more listener. False when the call came less than `nth` times."""
        faults = self.faults()
        weir = self.weir({"workers": 1, **HELLO}, environment=faults.environment)
        first, second, before = weir.address, free_address(), threads_of(weir)
        more = {"workers": 3, "listeners": [settings.listener(first), settings.listener(second)],
                **{"routes": [answers(200, "more")]}}
        reloads = weir.reloads()
        weir.configure(more)
        faults.fail(call, nth)
        try:
            told = fetch(weir.admin, "POST", "/reload", fields=[("content-length", "0")])
        except (OSError, Closed, Cut):
            told = None                             # the fault met the admin connection
        has_failed = faults.has_failed(call)
        faults.clear()
        if told is None:
            self.assertTrue(has_failed)
            weir.reload(more)
        eventually(lambda: sum(weir.reloads().values()) > sum(reloads.values()), "the end of the reload")
        if weir.reloads()["failure"] > reloads["failure"]:
            self.assertTrue(has_failed)
            eventually(lambda: "reload_failed" in weir.stderr(), "the event")
            self.assert_all_served(first)
            self.assertTrue(is_refused(second), "a listener of a failed reload accepts")
            self.assertEqual(before, threads_of(weir))
            weir.reload(more)
        self.assert_all_served(first, b"more")
        self.assert_all_served(second, b"more")
        weir.stop()
        return has_failed


class TakeOver(Faulty):
    def test_a_take_over_that_fails_leaves_the_path_to_the_first(self):
        for call in ("pthread_create", "listen", "watch", "rename"):
            path = "unix:" + os.path.join(self.folder(), "weir.sock")
            self.weir({"listeners": [settings.listener(path)], "routes": [answers(200, "first")]})
            failed = 0
            for nth in range(1, MOST):
                faults = self.faults()
                faults.fail(call, nth)
                second = Weir({"listeners": [settings.listener(path)], "workers": 2, **HELLO},
                              arguments=["--join"], environment=faults.environment)
                self.addCleanup(stop_quietly, second)
                second.spawn()
                eventually(second.is_ready_or_dead, f"ready, or ended:\n{second.stderr()}")
                if second.process.poll() is None:
                    break
                with self.subTest(call=call, nth=nth):
                    failed += 1
                    self.assert_refused_with_reason(second)
                    self.assert_all_served(path, b"first", 4)
            self.assertGreater(failed, 0, call)
            self.assert_all_served(path)

    def test_a_path_that_was_taken_over_is_given_back_when_another_cannot_be(self):
        path = "unix:" + os.path.join(self.folder(), "weir.sock")
        barred = os.path.join(self.folder(), "barred.sock")
        os.mkdir(barred)
        with open(os.path.join(barred, "kept"), "w"):
            pass
        self.weir({"listeners": [settings.listener(path)], "routes": [answers(200, "first")]})
        second = Weir({"listeners": [settings.listener(path), settings.listener("unix:" + barred)], **HELLO},
                      arguments=["--join"])
        self.addCleanup(stop_quietly, second)
        second.spawn()
        eventually(second.is_ready_or_dead, "ready, or ended")
        self.assertEqual(1, second.wait(), second.stderr())
        self.assert_all_served(path, b"first", 4)
        self.assertEqual(["weir.sock"], os.listdir(os.path.dirname(path[5:])))


if __name__ == "__main__":
    unittest.main()
