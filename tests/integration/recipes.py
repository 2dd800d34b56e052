"""The README's recipes, as they stand there: the commands before the YAML, the YAML, the commands after it."""

import os
import re
import subprocess
import textwrap
import unittest

from grpc_peers import GrpcServer
from harness import WEIR, Weir, WeirCase, free_address
from websocket_peers import EchoBackend

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
WHOLE = "# weir.yaml\n"                             # the first line of YAML that is a whole configuration
STEP = re.compile(r"^```yaml\n(?P<yaml>(?:.*\n)*?)```$|^(?P<shell>(?:    .*\n)+)", re.MULTILINE)
BACKEND = "127.0.0.1:9001"


def recipe(title):
    """[("shell" or "yaml", text)] of a section, up to its first whole configuration and the commands after that."""
    with open(os.path.join(ROOT, "README.md")) as file:
        section = re.search(rf"^###+ {re.escape(title)}\n(.*?)^##", file.read(), re.MULTILINE | re.DOTALL)[1]
    for block in STEP.finditer(section):
        if block["shell"]:
            yield "shell", textwrap.dedent(block["shell"])
        elif block["yaml"].startswith(WHOLE):
            yield "yaml", block["yaml"]


class Recipes(WeirCase):
    def follow(self, title, backend=None):
        folder, ports = self.folder(), {BACKEND.split(":")[1]: str((backend or self.backend()).port)}

        def moved(text):
            """On ports that are free."""
            def port(found):
                return found[1] + ports.setdefault(found[2], free_address("127.0.0.1").split(":")[1])
            return re.sub(r"((?:127\.0\.0\.1|localhost):)(\d{4})\b", port, text)

        for kind, text in recipe(title):
            if kind == "yaml":
                own = "" if "\nadmin:" in text else f"admin: {{ bind: {free_address('127.0.0.1')} }}\n"
                text = moved(text) + own + "access_log: off\n"
                weir = Weir(text, folder=folder)
                weir.admin = re.search(r"^admin: \{ bind: (.*) \}", text, re.MULTILINE)[1]
                self.addCleanup(weir.stop)
                weir.start()
                told = subprocess.run([WEIR, "config", "--admin", weir.admin], capture_output=True, text=True, timeout=60)
                self.assertEqual(0, told.returncode, told.stderr)
            else:
                told = subprocess.run(["bash", "-ec", moved(text)], cwd=folder, capture_output=True, text=True, timeout=60)
                self.assertEqual(0, told.returncode, text + told.stdout + told.stderr)

    def test_tls(self):
        self.follow("TLS")

    def test_client_certificates(self):
        self.follow("Client certificates (mTLS)")

    def test_http2(self):
        self.follow("HTTP/2")

    def test_web_socket(self):
        self.follow("WebSocket", self._kept(EchoBackend()))

    def test_grpc(self):
        self.follow("gRPC", self._kept(GrpcServer("127.0.0.1")))

    def test_health(self):
        self.follow("Health")

    def test_circuit_breakers(self):
        self.follow("Circuit breakers")

    def test_retry_hedge_fallback(self):
        self.follow("Retry, hedge, fallback")

    def test_rate_limits(self):
        self.follow("Rate limits")

    def test_cache_of_a_static_site(self):
        self.follow("A static site")

    def test_cache_of_an_api_that_stays_up(self):
        self.follow("An API that stays up")

    def test_cache_of_a_copy_for_each_user(self):
        self.follow("A copy for each user")


if __name__ == "__main__":
    unittest.main()
