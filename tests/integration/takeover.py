"""`weir run --join`: a second process takes over the addresses of the first under load, and no client notices."""

import threading
import unittest

from harness import ReleaseCase, settings
from load import FastOrigin, Load, kept_connections, new_connections

RATE = 2000                                         # new connections a second, in all
CLIENTS = 4
KEPT = 64


class Takeover(ReleaseCase):
    def config(self, origin, **more):
        return {
            "workers": 2,
            "upstreams": {"api": settings.upstream(origin)},
            "routes": [settings.route("/", "api")],
            **settings.shutdown(drain_timeout="10s"),
            **settings.client_limits(requests_per_connection=0, connections=20_000),
            **more,
        }

    def test_no_request_fails_while_the_second_takes_over(self):
        origin = self._kept(FastOrigin(b"body" * 256))
        first = self.weir(self.config(origin))
        address = first.address
        loads = [Load(new_connections, CLIENTS, address, RATE / CLIENTS), Load(kept_connections, 1, address, KEPT, 0.02)]
        pause = threading.Event()
        pause.wait(1)
        second = self.weir(self.config(origin, listeners=[settings.listener(address)]), arguments=["--join"])
        pause.wait(1)                                # both serve for a second
        first.process.terminate()
        self.assertEqual(0, first.wait())
        pause.wait(1)
        new, kept = (load.finish() for load in loads)
        print("\n" + "\n".join(f"{kind}: " + ", ".join(f"{count} x {outcome[:12]}" for outcome, count in tally.items())
                               for kind, tally in (("new", new), ("kept", kept))))
        self.assertEqual(set(), {outcome for outcome in new | kept if not ("body" * 256).startswith(outcome)})
        self.assertGreater(sum(new.values()), RATE)
        self.assertGreater(second.metric(settings.REQUESTS), 0)


if __name__ == "__main__":
    unittest.main()
