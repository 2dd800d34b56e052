"""Runs the real binary: a configuration in, a served address out, and no error report forgiven."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import settings
from backend import HttpBackend, ScriptedBackend
from dns_server import DnsServer
from wire import AdminAddress, Closed, Cut, Malformed, RawClient, fetch

WEIR = os.environ.get("WEIR", "")
PATIENCE = float(os.environ.get("PATIENCE", 20))    # seconds until a condition that must come counts as missed
REPORT = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|Assertion .* failed")


def is_sanitized():
    """Whether the binary under test is slowed down and fattened by ASan or TSan."""
    with open(WEIR, "rb") as file:
        binary = file.read()
    return b"__asan_init" in binary or b"__tsan_init" in binary


# Freed memory that ASan keeps back would look like growth.
LITTLE_QUARANTINE = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


def eventually(condition, what, patience=PATIENCE):
    """Waits until `condition()` is truthy and returns what it gave."""
    until = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"still not after {patience} s: {what}")
        time.sleep(0.005)


def own_host():
    """A loopback address that no other test process has, so that a free port stays free."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16) % 64}.{pid >> 8 & 255}.{pid & 255 or 1}"


_given = set()


def free_address(host=None):
    """None is given twice: the kernel may offer a port again as soon as the probe has let go of it."""
    host = host or own_host()
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if address not in _given:
            _given.add(address)
            return address


class LogLine(dict):
    """One line of the JSON access log."""

    @property
    def flags(self):
        flags = self.get(settings.LOG_FLAGS) or []
        return set(flags.replace(",", " ").split() if isinstance(flags, str) else flags)

    @property
    def status(self):
        return self.get(settings.LOG_STATUS)

    @property
    def path(self):
        return self.get(settings.LOG_PATH, "")


class Sample(tuple):
    """(name, labels, value) of a scrape."""


def parse_metrics(text):
    samples = []
    for line in text.splitlines():
        matched = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \S+)?", line)
        if matched and not line.startswith("#"):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', matched[2] or ""))
            samples.append(Sample((matched[1], labels, float(matched[3]))))
    return samples


class Weir:
    """A running `weir run -c FILE`. A dict is completed (listener, admin, access log, one worker); text is not."""

    def __init__(self, config, folder=None, arguments=(), environment=None, launcher=()):
        self.folder = folder or tempfile.mkdtemp(prefix="weir-")
        self.file = os.path.join(self.folder, "weir.yaml")
        self.log_file = os.path.join(self.folder, "access.log")
        self.addresses, self.admin, self.process = [], None, None
        self.stderr_file = os.path.join(self.folder, f"stderr-{os.urandom(3).hex()}.log")
        self.configure(config)
        self.command = [*launcher, WEIR, "run", "-c", self.file, *arguments]
        self.environment = {**os.environ, **(environment or {})}

    # -- the configuration

    def complete(self, config):
        usual = {
            "workers": 1,
            "listeners": [settings.listener(self.addresses[0] if self.addresses else free_address())],
            "admin": {"bind": self.admin or free_address()},
            **settings.access_log(self.log_file),
            **settings.shutdown(drain_timeout="1s"),
        }
        return {**usual, **config}

    def configure(self, config):
        """Writes the file; says nothing to the process."""
        if isinstance(config, dict):
            config = self.complete(config)
            self.addresses = [entry["bind"] for entry in config["listeners"]]
            self.admin = config["admin"]["bind"]
            config = json.dumps(config, indent=1)    # JSON is YAML
        with open(self.file, "w") as file:
            file.write(config)

    @property
    def address(self):
        return self.addresses[0]

    @property
    def admin(self):
        return self._admin and AdminAddress(self._admin)

    @admin.setter
    def admin(self, address):
        self._admin = address

    @property
    def pid(self):
        return self.process.pid

    # -- life

    def spawn(self):
        with open(self.stderr_file, "ab") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            env=self.environment, cwd=self.folder)
        return self

    def start(self):
        self.spawn()
        eventually(self.is_ready_or_dead, f"ready: {self.stderr()}")
        if self.process.poll() is not None:
            told = f"weir ended with {self.process.returncode}:\n{self.stderr()}"
            self.discard()
            raise AssertionError(told)
        return self

    def is_ready_or_dead(self):
        return self.process.poll() is not None or self.readiness() == 200

    def readiness(self):
        """The status of /readyz, or None when nobody answers."""
        try:
            return fetch(self.admin, target="/readyz").status
        except (OSError, Closed, Cut):
            return None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """The exit code."""
        return self.process.wait(timeout)

    def stop(self):
        """Drains and ends it; a bad exit or a sanitizer's report fails the test."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"weir did not end after SIGTERM:\n{self.stderr()}") from None
        self.check_ended_well()

    def check_ended_well(self):
        errors, code = self.stderr(), self.process.returncode
        self.discard()
        if code != 0 or REPORT.search(errors):
            raise AssertionError(f"weir ended with {code}:\n{errors[-8000:]}")

    def discard(self):
        """Forgets a process that has ended, however it did."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.process = None

    def reload(self, config=None, expect="success"):
        """SIGHUP, and waits until the counter of reloads says how it went."""
        if config is not None:
            self.configure(config)
        before = self.reloads()
        self.signal(signal.SIGHUP)
        eventually(lambda: sum(self.reloads().values()) > sum(before.values()), f"a reload:\n{self.stderr()}")
        after = self.reloads()
        if after[expect] != before[expect] + 1:
            raise AssertionError(f"the reload was no {expect}: {before} -> {after}\n{self.stderr()}")

    def reloads(self):
        return {result: self.metric(settings.RELOADS, **{settings.RESULT_LABEL: result})
                for result in ("success", "failure")}

    # -- what it says

    def stderr(self):
        with open(self.stderr_file, errors="replace") as file:
            return file.read()

    def says(self, pattern):
        """Waits until stderr has it: a thread of Weir's writes the process log, soon after the event."""
        return eventually(lambda: re.search(pattern, self.stderr()), f"{pattern!r} on stderr")

    def events(self, name, count=1):
        """The lines of the process log with that event, once there are `count`."""
        found = lambda: [line for line in self.stderr().splitlines() if name in line]
        eventually(lambda: len(found()) >= count, f"{count} events {name}")
        return found()

    def metrics(self):
        return parse_metrics(fetch(self.admin, target="/metrics").body.decode())

    def metric(self, name, **labels):
        """The sum over all samples of that name with these labels; 0 when there is none."""
        return sum(value for sample, found, value in self.metrics()
                   if sample == name and labels.items() <= found.items())

    def access_log(self):
        try:
            with open(self.log_file) as file:
                return [LogLine(json.loads(line)) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def log_of(self, path, count=1):
        """The log lines of requests for `path`, once there are `count`."""
        found = lambda: [line for line in self.access_log() if line.path.split("?")[0] == path]
        eventually(lambda: len(found()) >= count, f"{count} log lines of {path}")
        return found()

    # -- its process

    def memory(self, word="VmRSS"):
        """KiB, of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"{word}:\s+(\d+) kB", status.read())[1])

    def cpu(self):
        """Seconds of CPU time."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def proportional_memory(self):
        """PSS in KiB."""
        with open(f"/proc/{self.pid}/smaps_rollup") as rollup:
            return int(re.search(r"^Pss:\s+(\d+) kB", rollup.read(), re.MULTILINE)[1])


class WeirCase(unittest.TestCase):
    """Starts what a test needs and takes it down again, the newest first."""

    maxDiff = None
    environment = {}                                # of every Weir that this class starts

    def weir(self, config, **how):
        weir = Weir(config, **{"environment": self.environment, **how})
        self.addCleanup(weir.stop)
        weir.start()
        if type(self) not in self._explained:
            self._explained.add(type(self))
            self.explain(weir)
        return weir

    _explained = set()                              # classes: one configuration of each

    def explain(self, weir):
        """`weir explain` can tell of a request to whatever configuration."""
        told = subprocess.run([WEIR, "explain", "-c", weir.file, "GET", "http://weir.test/"], capture_output=True,
                              text=True, timeout=60, env=weir.environment, cwd=weir.folder)
        self.assertEqual(0, told.returncode, told.stdout + told.stderr)
        self.assertNotRegex(told.stderr, REPORT)

    def refused_start(self, config, **how):
        """What a start says that ends with 1, as one must whose configuration cannot be served."""
        weir = Weir(config, **{"environment": self.environment, **how}).spawn()
        self.addCleanup(weir.discard)
        try:
            code = weir.wait()
        except subprocess.TimeoutExpired:
            weir.process.kill()
            code = weir.wait()
        told = weir.stderr()
        self.assertEqual(1, code, told)
        self.assertNotRegex(told, REPORT)
        return told

    def in_front_of(self, *backends, **config):
        """One upstream `api` over these, one route to it, and whatever else `config` says."""
        usual = {"upstreams": {"api": settings.upstream(*backends)}, "routes": [settings.route("/", "api", "all")]}
        return self.weir({**usual, **config})

    def backend(self, name="a", **how):
        return self._kept(HttpBackend(name, **how))

    def scripted(self, script, **how):
        return self._kept(ScriptedBackend(script, **how))

    def dns(self):
        return self._kept(DnsServer())

    def _kept(self, server):
        self.addCleanup(self._stop, server)
        return server

    def _stop(self, server):
        server.stop()
        self.assertEqual([], getattr(server, "faults", []), "a backend's script failed")

    def client(self, weir, **how):
        client = RawClient(weir if isinstance(weir, str) else weir.address, **how)
        self.addCleanup(client.close)
        return client

    def fetch(self, weir, *arguments, **how):
        return fetch(weir if isinstance(weir, str) else weir.address, *arguments, **how)

    def folder(self):
        path = tempfile.mkdtemp(prefix="weir-test-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def in_background(self, work, *arguments):
        """Runs `work` on a thread; `.result()` waits for what it gives, or raises."""
        return Background(work, arguments)

    def assert_refused(self, client, *statuses):
        """The client is told one of `statuses` and the connection ends."""
        response = client.response()
        self.assertIn(response.status, statuses)
        self.assertTrue(client.is_closed(), "the connection stayed open")
        return response


class ReleaseCase(WeirCase):
    """Figures that mean nothing under a sanitizer."""

    def setUp(self):
        if is_sanitized():
            self.skipTest("the binary is built with a sanitizer")


class SharedWeirCase(WeirCase):
    """One Weir for all tests of a class: `serve()` gives its backends and its configuration."""

    @classmethod
    def setUpClass(cls):
        backends, config = cls.serve()
        cls.backends = backends
        for backend in backends.values():
            cls.addClassCleanup(backend.stop)
        cls.shared = Weir(config)
        cls.addClassCleanup(cls.shared.stop)
        cls.shared.start()


class Background:
    def __init__(self, work, arguments):
        self.value = self.error = None
        self.thread = threading.Thread(target=self._run, args=(work, arguments), daemon=True)
        self.thread.start()

    def _run(self, work, arguments):
        try:
            self.value = work(*arguments)
        except BaseException as error:
            self.error = error

    def result(self, timeout=60):
        self.thread.join(timeout)
        if self.thread.is_alive():
            raise AssertionError("still running")
        if self.error:
            raise self.error
        return self.value
