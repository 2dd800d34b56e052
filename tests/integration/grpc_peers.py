"""A gRPC server and client of grpc-js, each a process: the scripts are in node/."""

import json
import os
import subprocess
import threading

from harness import PATIENCE, own_host

NODE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")


class Node:
    """A script that says what happens as lines of JSON."""

    def __init__(self, script, *arguments):
        self.process = subprocess.Popen(["node", os.path.join(NODE, script), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(2 * PATIENCE, self.process.kill)
        self.watchdog.start()

    def next(self, **wanted):
        """The next thing that it says, or the next that has these values."""
        for line in self.process.stdout:
            fact = json.loads(line)
            if wanted.items() <= fact.items():
                return fact
        raise AssertionError(f"the script ended without saying {wanted}")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hang_up(self):
        self.process.stdin.close()

    def stop(self):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class GrpcServer(Node):
    def __init__(self, host=None):
        self.host = host or own_host()
        super().__init__("server.js", f"{self.host}:0")
        self.port = self.next()["port"]

    def __str__(self):
        return f"{self.host}:{self.port}"


class GrpcClient(Node):
    """Makes the call of client.js that is so called; with `ca` by TLS."""

    def __init__(self, address, call, ca=None):
        super().__init__("client.js", address, call, *([ca] if ca else []))
