"""Weir and the endpoints around it, for any number of rounds."""

import asyncio
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time

import plan
from certificates import Authority
from configuration import Places, configuration
from endpoints import Endpoint
from harness import REPORT, Weir, is_sanitized, parse_metrics
from wire import Closed, Cut, fetch

END = 15.0                                          # seconds from SIGTERM to the exit: 3 s to drain, and a search for leaks


def tls_contexts(pair):
    """{"h1", "h2"}: clients; {"server1", "server2"}: endpoints."""
    contexts = {}
    for name, protocol in (("h1", "http/1.1"), ("h2", "h2")):
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        contexts[name].check_hostname, contexts[name].verify_mode = False, ssl.CERT_NONE
        contexts[name].set_alpn_protocols([protocol])
        contexts["server" + name[1]] = server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.cert, pair.key)
        server.set_alpn_protocols([protocol])
    return contexts


class Bench:
    """Weir and its endpoints, for any number of rounds."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-chaos-")
        self.pair = Authority(self.folder).issue("weir.test", "127.0.0.1")
        self.contexts, self.places = tls_contexts(self.pair), Places()
        self.log = os.path.join(self.folder, "access.log")
        self.slow = 8 if is_sanitized() else 1      # how much longer a turn of a worker may take under a sanitizer
        self.weir, self.endpoints, self.round = None, {}, None

    def found(self, kind, detail, trace, is_timed=False):
        if self.round:
            (self.round.timed if is_timed else self.round.found)(kind, detail, [trace])

    async def start_endpoints(self):
        for name in plan.WILD + plan.POLITE:
            is_http2, context = name in plan.HTTP2_UPSTREAMS, None
            if "s" in name:
                context = self.contexts["server2" if is_http2 else "server1"]
            self.endpoints[name] = [Endpoint(f"{name}-{index}", self.found, is_http2, context) for index in range(2)]
            for endpoint in self.endpoints[name]:
                endpoint.start()

    def configuration(self, variant=0):
        return configuration(self.places, self.endpoints, self.pair, self.log, variant)

    def forget_log(self):
        """What the access log says is not looked at; for hours it would grow."""
        if os.path.exists(self.log):
            os.truncate(self.log, 0)

    def start_weir(self):
        self.weir = Weir(self.configuration())
        self.weir.admin = self.places.admin
        self.weir.start()
        self.sockets_at_rest = self.sockets()

    def sockets(self):
        """How many are open. Pipes for splicing are kept, as many as were needed at once."""
        return sum(os.readlink(entry.path).startswith("socket:") for entry in os.scandir(f"/proc/{self.weir.pid}/fd"))

    def cpu(self):
        """Seconds that the process has used."""
        with open(f"/proc/{self.weir.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self):
        """{thread: (seconds of CPU, how often it has waited)}"""
        found = {}
        for thread in os.listdir(f"/proc/{self.weir.pid}/task"):
            try:
                with open(f"/proc/{self.weir.pid}/task/{thread}/stat") as stat, open(f"/proc/{self.weir.pid}/task/{thread}/status") as status:
                    fields = stat.read().rpartition(")")[2].split()
                    waits = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)[1])
            except OSError:
                continue                             # it has ended
            found[thread] = ((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), waits)
        return found

    def metrics(self):
        try:
            return parse_metrics(fetch(self.weir.admin, target="/metrics").body.decode())
        except (OSError, Closed, Cut):
            return None

    async def kill_weir(self):
        """After a finding: how it ends says nothing more."""
        weir, self.weir = self.weir, None
        if weir and weir.process:
            weir.process.kill()
            weir.process.wait()
            weir.discard()

    async def stop_weir(self, told_at=None):
        """What a bad end says, or None. `told_at`: when it was told to end, if it was."""
        weir, self.weir = self.weir, None
        if weir is None or weir.process is None:
            return None
        if weir.process.poll() is None and told_at is None:
            weir.signal(signal.SIGTERM)
        left = max((told_at or time.monotonic()) + END - time.monotonic(), 0.1)
        code = await asyncio.to_thread(self.code_of, weir, left)
        errors = weir.stderr()
        weir.discard()
        if code != 0 or REPORT.search(errors):
            return f"weir ended with {code}:\n{errors[-6000:]}"
        return None

    @staticmethod
    def code_of(weir, seconds):
        try:
            return weir.process.wait(seconds)
        except subprocess.TimeoutExpired:
            weir.process.kill()
            weir.process.wait()
            return f"no exit within {END} s after SIGTERM"

    async def stop(self):
        for endpoints in self.endpoints.values():
            for endpoint in endpoints:
                await endpoint.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
