"""A reload moves a listener to another address of the same port, and no connection is lost."""

import signal
import socket
import threading
import unittest

from harness import WeirCase, eventually, fetch, free_address, settings
from settings import answers
from wire import RawClient

ROUNDS = 3


class Clients:
    """New connections to one address, one after the other, until `finish`."""

    def __init__(self, address):
        self.address, self.stopping, self.answers, self.errors = address, threading.Event(), 0, []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            try:
                with RawClient(self.address) as client:
                    client.get()
                self.answers += 1
            except Exception as error:              # whatever it is, a client has noticed
                self.errors.append(repr(error))

    def finish(self):
        self.stopping.set()
        self.thread.join(20)
        return self.answers, self.errors


class AddressChanges(WeirCase):
    def bound(self, *binds, workers=2, text="hello"):
        return {"workers": workers, "listeners": [settings.listener(bind) for bind in binds],
                "routes": [answers(200, text)]}

    def port(self):
        return free_address("127.0.0.1").rpartition(":")[2]

    def test_to_every_address_of_the_port_and_back_without_losing_a_connection(self):
        port = self.port()
        narrow, wide = f"127.0.0.1:{port}", f"0.0.0.0:{port}"
        weir = self.weir(self.bound(narrow))
        kept = self.client(narrow)
        clients = [Clients(narrow) for _ in range(3)]
        for _ in range(ROUNDS):
            for bind in (wide, narrow):
                weir.reload(self.bound(bind))
                eventually(lambda: all(client.answers > 20 for client in clients), "answers")
                for client in clients:
                    client.answers = 0
        for client in clients:
            self.assertEqual([], client.finish()[1])
        self.assertEqual(b"hello", bytes(kept.get().body))
        self.assertEqual(b"hello", bytes(fetch(narrow).body))

    def test_the_same_for_ipv6(self):
        port = free_address("::1").rpartition(":")[2]
        narrow, wide = f"[::1]:{port}", f"[::]:{port}"
        weir = self.weir(self.bound(narrow))
        clients = [Clients(narrow)]
        for bind in (wide, narrow, wide):
            weir.reload(self.bound(bind))
            self.assertEqual(b"hello", bytes(fetch(narrow, host=narrow).body))
        self.assertEqual([], clients[0].finish()[1])

    def test_from_ipv4_to_ipv6_and_to_both(self):
        port = self.port()
        v4, v6 = f"0.0.0.0:{port}", f"[::]:{port}"
        weir = self.weir(self.bound(v4))
        weir.reload(self.bound(v6))
        self.assertEqual(b"hello", bytes(fetch(f"[::1]:{port}", host="x").body))
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", int(port))).close()
        weir.reload(self.bound(v4, v6))
        for address in (f"127.0.0.1:{port}", f"[::1]:{port}"):
            self.assertEqual(b"hello", bytes(fetch(address, host="x").body))

    def test_an_address_and_every_address_of_its_port_are_two_listeners(self):
        port = self.port()
        narrow, wide = f"127.0.0.1:{port}", f"0.0.0.0:{port}"
        weir = self.weir(self.bound(narrow, wide))
        for host in ("127.0.0.1", "127.0.0.2"):
            self.assertEqual(b"hello", bytes(fetch(f"{host}:{port}").body))
        weir.reload(self.bound(wide, text="wide"))
        for host in ("127.0.0.1", "127.0.0.2"):
            self.assertEqual({b"wide"}, {bytes(fetch(f"{host}:{port}").body) for _ in range(12)})

    def test_more_workers_share_the_address_that_the_listener_had_before(self):
        port = self.port()
        weir = self.weir(self.bound(f"127.0.0.1:{port}", workers=1))
        weir.reload(self.bound(f"0.0.0.0:{port}", workers=3))
        weir.reload(self.bound(f"0.0.0.0:{port}", workers=4, text="four"))
        for host in ("127.0.0.1", "127.0.0.2"):
            self.assertEqual({b"four"}, {bytes(fetch(f"{host}:{port}").body) for _ in range(24)})

    def test_a_port_that_another_process_shares_stays_refused(self):
        port = self.port()
        weir = self.weir(self.bound(f"127.0.0.1:{port}"))
        with socket.socket() as other:              # of the same user and willing to share, yet no Weir of ours
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.9", int(port)))
            other.listen()
            weir.reload(self.bound(f"0.0.0.0:{port}"), expect="failure")
            eventually(lambda: "address already in use" in weir.stderr(), "the reason")
        weir.reload(self.bound(f"0.0.0.0:{port}"))

    def test_the_admin_address_and_a_listener_change_places(self):
        weir = self.weir(self.bound(free_address()))
        listener, admin = weir.address, weir.admin
        for round, (first, second) in enumerate([(admin, listener), (listener, admin)], 1):
            weir.configure({**self.bound(first), "admin": {"bind": second}})
            weir.signal(signal.SIGHUP)
            eventually(lambda: weir.stderr().count(" reloaded ") == round, "the reload")
            for _ in range(12):
                self.assertEqual(b"hello", bytes(fetch(first).body))
        self.assertNotIn("accept_failed", weir.stderr())


if __name__ == "__main__":
    unittest.main()
