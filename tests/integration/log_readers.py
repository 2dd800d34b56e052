"""Logs, disks and pipes: a reader that stops, a disk that is full, a pipe without a reader. No request waits for any of
them, nor does a reload or the end of the process; lines that are lost are counted."""

import array
import fcntl
import json
import os
import signal
import subprocess
import termios
import time
import unittest

from harness import WEIR, Weir, WeirCase, eventually, is_sanitized, settings

DRAIN = 1                                   # seconds, the harness's drain_timeout
SLOW = 4 if is_sanitized() else 1           # seconds that a loaded machine may add


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


class Unread(Weir):
    """Weir whose stdout and stderr are one pipe that nobody reads until `drain`."""

    def spawn(self):
        self.reader, writer = os.pipe()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                                        env=self.environment, cwd=self.folder)
        os.close(writer)
        return self

    def stderr(self):
        return "(unread)"

    def is_full(self):
        """Whether the pipe takes no more: a write that does not fit into the rest of a page begins another, so that up to
        half of each page stays empty."""
        count = array.array("i", [0])
        fcntl.ioctl(self.reader, termios.FIONREAD, count)
        return count[0] > 30 * 1024

    def drained(self):
        """All that is read from here to the end of the process."""
        text = b""
        while part := os.read(self.reader, 65536):
            text += part
        return text.decode(errors="replace")

    def discard(self):
        os.close(self.reader)
        super().discard()


class LogReaders(WeirCase):
    def unread(self, *backends, **config):
        usual = {"upstreams": {"api": settings.upstream(*backends)}, "routes": [settings.route("/", "api", "all")],
                 "access_log": "stdout"}
        weir = Unread({**usual, **config})
        self.addCleanup(weir.stop)
        return weir.start()

    def fill_process_log(self, weir, backend):
        """Events from a worker's thread, until the pipe is full and many more have come."""
        order = f"/upstreams/api/endpoints/{backend.address}/"
        with_connection = self.client(weir.admin)
        for _ in range(600):
            for word in ("drain", "up"):
                self.assertEqual(200, with_connection.request("POST", order + word).status)
        eventually(weir.is_full, "the pipe is full")

    def ends_in_time(self, weir, signals=1):
        begun = time.monotonic()
        weir.signal(signal.SIGTERM)
        for _ in range(signals - 1):
            time.sleep(0.1)
            weir.signal(signal.SIGTERM)
        weir.wait(20)
        took = time.monotonic() - begun
        self.assertLess(took, DRAIN + 1 + SLOW)

    def test_a_reader_of_stderr_that_stopped_fails_no_request_and_delays_no_end(self):
        backend = self.backend()
        weir = self.unread(backend)
        self.fill_process_log(weir, backend)
        client = self.client(weir)
        for _ in range(3000):
            self.assertEqual(200, client.get("/bytes/1").status)
        weir.configure("listeners: [")
        weir.reload(expect="failure")                   # tells its problems
        self.assertEqual(200, client.get("/bytes/1").status)
        self.ends_in_time(weir)

    def test_two_signals_end_the_process_while_nobody_reads_stderr(self):
        backend = self.backend()
        weir = self.unread(backend, **settings.shutdown(drain_timeout="60s"))
        self.fill_process_log(weir, backend)
        slow = self.client(weir)
        slow.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")   # keeps the drain busy
        eventually(lambda: weir.metric("weir_requests_in_flight") == 1, "the request")
        self.ends_in_time(weir, signals=2)
        self.assertEqual(128 + signal.SIGTERM, weir.process.returncode)
        weir.discard()

    def test_a_second_signal_that_comes_when_all_is_done_changes_nothing(self):
        reader, writer = os.pipe()                      # of the access log alone
        self.addCleanup(os.close, reader)

        class WithUnreadLog(Weir):
            def spawn(self):
                with open(self.stderr_file, "ab") as errors:
                    self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=writer,
                                                    stderr=errors, env=self.environment, cwd=self.folder)
                os.close(writer)
                return self
        path = os.path.join(self.folder(), "weir.sock")
        weir = WithUnreadLog({"routes": [settings.answers(200)], "access_log": "stdout",
                              "listeners": [settings.listener(f"unix:{path}")]})
        self.addCleanup(weir.stop)
        weir.start()
        client = self.client(weir)
        for _ in range(100):                            # more than the pipe takes: the end waits for its reader
            client.get("/", {"User-Agent": "x" * 3000})
        client.close()
        weir.signal(signal.SIGTERM)
        weir.says(r"\bstopped\b")
        weir.signal(signal.SIGINT)
        self.assertEqual(0, weir.wait(30))
        weir.says("access_log_cut_off")
        self.assertFalse(os.path.exists(path))

    def test_lines_that_no_reader_took_are_counted_and_told(self):
        backend = self.backend()
        weir = self.unread(backend)
        client = self.client(weir)
        # 4 MiB of queue and 64 KiB of pipe
        agent = "x" * 3900
        for _ in range(1300):
            client.get("/bytes/1", {"User-Agent": agent})
        eventually(lambda: weir.metric(settings.DROPPED_ACCESS) > 0, "the count of dropped lines")
        self.assertEqual(0, weir.metric(settings.DROPPED_PROCESS))
        reading = self.in_background(weir.drained)
        weir.signal(signal.SIGTERM)
        weir.wait(30)
        text = reading.result()
        self.assertIn("access_log_lines_dropped", text)
        self.assertIn("stopped", text)

    def test_a_pipe_that_nobody_reads_delays_neither_a_reload_nor_the_end(self):
        fifo = os.path.join(self.folder(), "pipe")
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        weir = self.in_front_of(self.backend(), **settings.access_log(fifo))
        client = self.client(weir)
        for _ in range(400):                            # far more than a pipe takes
            client.get("/bytes/1", {"User-Agent": "x" * 3000})
        begun = time.monotonic()
        text = read(weir.file)
        weir.configure(text.replace(fifo, fifo + ".file"))
        weir.reload()
        self.assertLess(time.monotonic() - begun, 1 + SLOW)
        self.assertEqual(200, client.get("/bytes/1").status)
        eventually(lambda: os.path.exists(fifo + ".file") and read(fifo + ".file"), "a line in the new file")
        self.ends_in_time(weir)

    def test_a_named_pipe_without_a_reader_blocks_neither_the_start_nor_a_reload(self):
        fifo = os.path.join(self.folder(), "pipe")
        os.mkfifo(fifo)
        weir = self.in_front_of(self.backend(), **settings.access_log(fifo))
        self.assertEqual(200, self.fetch(weir, target="/early").status)
        text = read(weir.file)
        weir.configure(text.replace(fifo, fifo + "2"))
        os.mkfifo(fifo + "2")
        weir.reload()
        self.assertEqual(200, self.fetch(weir, target="/later").status)
        weir.says("access_log_has_no_reader")
        with open(fifo + "2") as reader:
            self.assertEqual("/later", json.loads(reader.readline())["path"])
        self.ends_in_time(weir)

    def test_lines_lost_on_a_full_disk_are_counted_and_the_next_line_is_whole(self):
        folder = self.folder()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder],
                          capture_output=True).returncode != 0:
            self.skipTest("mounting needs root")
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        file = os.path.join(folder, "access.log")
        weir = self.in_front_of(self.backend(), **settings.access_log(file))
        client = self.client(weir)
        agent = "x" * 1000
        requests = 400
        for _ in range(requests):
            self.assertEqual(200, client.get("/bytes/1", {"User-Agent": agent}).status)

        def whole():
            with open(file) as log:
                return [line for line in log if line.startswith("{") and line.endswith("}\n")]
        eventually(lambda: len(whole()) + weir.metric(settings.DROPPED_ACCESS) == requests, "every line written or counted")
        self.assertGreater(weir.metric(settings.DROPPED_ACCESS), 0)
        weir.says("access_log_write_failed")

        before = len(whole())
        subprocess.run(["mount", "-o", "remount,size=1m", folder], check=True)
        for _ in range(20):
            client.get("/after", {"User-Agent": agent})
        eventually(lambda: len(whole()) == before + 20, "20 whole lines")
        weir.says("access_log_recovered")

    def test_a_log_on_a_device_that_is_full_is_counted(self):
        weir = self.in_front_of(self.backend(), **settings.access_log("/dev/full"))
        for _ in range(10):
            self.fetch(weir)
        eventually(lambda: weir.metric(settings.DROPPED_ACCESS) == 10, "ten lost lines")
        self.ends_in_time(weir)

    def test_a_process_log_on_a_full_disk_is_counted(self):
        class Full(Weir):
            def spawn(self):
                with open("/dev/full", "wb") as full:
                    self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=full, stderr=full,
                                                    env=self.environment, cwd=self.folder)
                return self

            def stderr(self):
                return ""
        weir = Full({"routes": [settings.answers(200)]})
        self.addCleanup(weir.stop)
        weir.start()
        self.assertEqual(200, self.fetch(weir).status)
        eventually(lambda: weir.metric(settings.DROPPED_PROCESS) > 0, "the lost line `started`")

    def test_a_long_value_is_truncated_and_its_line_written(self):
        for format in ("json", "combined", "{path} {header.user-agent}"):
            with self.subTest(format):
                file = os.path.join(self.folder(), "access.log")
                weir = self.in_front_of(self.backend(), **settings.access_log(file, format))
                client = self.client(weir)
                client.send(b"GET /long HTTP/1.1\r\nHost: x\r\nUser-Agent: " + b"\xe9" * 30_000 + b"\r\n\r\n")
                self.assertEqual(200, client.response().status)
                line = eventually(lambda: read(file), "the line")
                self.assertIn("...[+", line)
                self.assertIn("/long", line)
                self.assertEqual(0, weir.metric(settings.DROPPED_ACCESS))
                if format == "json":
                    json.loads(line)


class Output(WeirCase):
    def test_a_command_whose_output_is_lost_does_not_succeed(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([WEIR, "schema"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(1, done.returncode)
        self.assertIn(b"could not be written", done.stderr)


if __name__ == "__main__":
    unittest.main()
