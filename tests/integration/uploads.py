"""Parallel uploads over HTTP/2 to a slow backend that gives half of them up: little memory, and the rest whole."""

import hashlib
import os
import subprocess
import threading
import time
import unittest

from backend import ok
from harness import ReleaseCase, settings

MIB = 1 << 20
UPLOADS, SIZE = 24, 100 * MIB
RATE, SLOW_SECONDS = 4 * MIB, 20
GROWTH = 32 * 1024                                  # KiB


class Uploads(ReleaseCase):
    def slow_then_half(self, connection):
        """Reads at RATE for SLOW_SECONDS; then every second one hangs up, and the others take the rest as it comes."""
        request = connection.request_head()
        number = int(request.target.rsplit("/", 1)[1])
        digest, taken, began = hashlib.sha256(), 0, time.monotonic()
        sock, buffer = connection.sock, bytes(connection.stream.pending)
        digest.update(buffer)
        taken += len(buffer)
        room = memoryview(bytearray(256 * 1024))
        while taken < SIZE:
            spent = time.monotonic() - began
            if spent < SLOW_SECONDS:
                ahead = taken / RATE - spent
                if ahead > 0:
                    self.pause.wait(ahead)
            elif number % 2:
                return connection.reset()
            count = sock.recv_into(room)
            if count == 0:
                return None
            digest.update(room[:count])
            taken += count
        connection.send(ok(digest.hexdigest().encode()))
        return None

    def test_uploads_to_a_slow_backend_hold_little_memory(self):
        self.pause = threading.Event()
        folder = self.folder()
        file = os.path.join(folder, "upload")
        with open(file, "wb") as out:
            for _ in range(SIZE // MIB):
                out.write(os.urandom(MIB))
        with open(file, "rb") as data:
            expected = hashlib.file_digest(data, "sha256").hexdigest()
        weir = self.in_front_of(self.scripted(self.slow_then_half, receive_buffer=256 * 1024))
        before = weir.memory()
        urls = [f"http://{weir.address}/{number}" for number in range(UPLOADS)]
        done = subprocess.run(["nghttp", "-d", file, "-t", "150", *urls], timeout=170, check=False, capture_output=True)
        self.assertEqual(UPLOADS // 2, done.stdout.count(expected.encode()), done.stderr[-2000:])
        growth = weir.memory("VmHWM") - before
        print(f"\n{UPLOADS} uploads: {growth / 1024:.1f} MiB")
        self.assertLess(growth, GROWTH)


if __name__ == "__main__":
    unittest.main()
