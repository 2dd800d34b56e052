"""Real redis-server processes on unix sockets, to be killed, paused and started again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import eventually


class RedisServer:
    def __init__(self, *options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="weir-redis-")
        self.path = os.path.join(self.folder, "redis.sock")
        self.url = "unix:" + self.path
        self.process = None
        self.start()

    def start(self):
        command = ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--appendonly", "no",
                   "--dir", self.folder, "--logfile", os.path.join(self.folder, "log"), *self.options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        eventually(lambda: self.says("PING"), "redis-server answers")

    def says(self, line):
        """What it answers to an inline command, raw; None when it isn't there."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.path)
                client.sendall(line.encode() + b"\r\n")
                return client.recv(65536).decode()
            except OSError:
                return None

    def kill(self):
        self.process.kill()
        self.process.wait()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
