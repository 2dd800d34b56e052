"""The process in its surroundings: kinds of listeners, users, systemd, and a second process that takes over."""

import os
import pwd
import signal
import socket
import unittest

from harness import Weir, WeirCase, eventually, fetch, free_address, settings
from settings import answers
from wire import RawClient

HELLO = {"routes": [answers(200, "hello")]}


class Listeners(WeirCase):
    def served(self, *binds, **config):
        return self.weir({"listeners": [settings.listener(bind) for bind in binds], **HELLO, **config})

    def test_a_unix_socket_is_served_by_all_workers(self):
        path = os.path.join(self.folder(), "weir.sock")
        self.served(f"unix:{path}", workers=2)
        for _ in range(20):
            self.assertEqual(b"hello", bytes(fetch(f"unix:{path}").body))

    def test_a_stale_unix_socket_is_replaced(self):
        path = os.path.join(self.folder(), "weir.sock")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        self.served(f"unix:{path}")
        self.assertEqual(b"hello", bytes(fetch(f"unix:{path}").body))

    def test_ipv6_is_served(self):
        address = free_address("::1")
        self.served(address)
        self.assertEqual(b"hello", bytes(fetch(address, host=address).body))

    def test_many_listeners_are_served_by_all_workers(self):
        addresses = [free_address() for _ in range(5)]
        self.served(*addresses, workers=2)
        for address in addresses * 4:
            self.assertEqual(b"hello", bytes(fetch(address).body))

    def test_a_unix_endpoint_is_reached(self):
        backend = self.backend(unix=os.path.join(self.folder(), "backend.sock"))
        weir = self.in_front_of(backend)
        self.assertEqual("a", self.fetch(weir).json()["backend"])

    def test_an_ipv6_endpoint_is_reached(self):
        weir = self.in_front_of(self.backend(host="::1"))
        self.assertEqual("a", self.fetch(weir).json()["backend"])

    def test_a_port_in_use_names_the_line_that_asked_for_it(self):
        taken = self.backend().address
        told = self.refused_start(f"listeners:\n  - bind: {taken}\nroutes:\n  - respond: {{ status: 200 }}\n")
        self.assertRegex(told, r"weir\.yaml:2:\d+:")
        self.assertIn(taken, told)

    def test_a_second_weir_on_the_same_port_is_refused(self):
        first = self.weir(HELLO)
        told = self.refused_start({"listeners": [settings.listener(first.address)], **HELLO})
        self.assertIn(first.address, told)
        self.assertEqual(b"hello", bytes(self.fetch(first).body))


class StandardStreams(WeirCase):
    def test_a_standard_stream_that_the_parent_closed_is_no_other_descriptor(self):
        closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
        weir = self.weir({**HELLO, **settings.access_log("stdout")}, launcher=closed)
        self.assertEqual(b"hello", bytes(self.fetch(weir).body))
        for fd in range(3):
            self.assertEqual("/dev/null", os.readlink(f"/proc/{weir.pid}/fd/{fd}"))


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Users(WeirCase):
    def test_root_is_dropped(self):
        folder = self.folder()
        os.chmod(folder, 0o777)
        nobody = pwd.getpwnam("nobody")
        weir = self.weir({"user": "nobody", "group": "nogroup", **settings.access_log(f"{folder}/access.log"), **HELLO})
        self.assertEqual(b"hello", bytes(self.fetch(weir).body))
        for task in os.listdir(f"/proc/{weir.pid}/task"):
            status = open(f"/proc/{weir.pid}/task/{task}/status").read()
            self.assertIn(f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}", status)
            self.assertIn(f"Gid:\t{nobody.pw_gid}\t{nobody.pw_gid}\t{nobody.pw_gid}", status)

    def test_a_low_port_is_bound_by_a_reload_after_the_drop(self):
        folder = self.folder()
        os.chmod(folder, 0o777)
        users = {"user": "nobody", "group": "nogroup", **settings.access_log(f"{folder}/access.log")}
        weir = self.weir({**users, **HELLO})
        os.chmod(weir.folder, 0o755)
        low = weir.address.rpartition(":")[0] + ":81"
        weir.reload({"listeners": [settings.listener(low)], **users, **HELLO})
        self.assertEqual(b"hello", bytes(fetch(low).body))


class Systemd(WeirCase):
    """What is told at NOTIFY_SOCKET."""

    def setUp(self):
        path = os.path.join(self.folder(), "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(path)
        self.socket.settimeout(20)
        self.environment = {"NOTIFY_SOCKET": path}

    def told(self, word):
        """The next message that holds it, as a dict."""
        while True:
            lines = self.socket.recv(4096).decode().splitlines()
            message = dict(line.partition("=")[::2] for line in lines)
            if word in message:
                return message

    def test_start_reload_and_stop_are_told(self):
        weir = self.weir(HELLO)
        self.assertEqual("1", self.told("READY")["READY"])
        weir.reload(HELLO)
        reloading = self.told("RELOADING")
        self.assertEqual("1", reloading["RELOADING"])
        self.assertTrue(reloading["MONOTONIC_USEC"].isdigit())
        self.assertEqual("1", self.told("READY")["READY"])
        weir.signal(signal.SIGTERM)
        self.assertEqual("1", self.told("STOPPING")["STOPPING"])
        self.assertEqual(0, weir.wait())

    def test_a_failed_reload_ends_ready_too(self):
        weir = self.weir(HELLO)
        self.told("READY")
        weir.configure("listeners: [")
        weir.reload(expect="failure")
        self.told("RELOADING")
        self.told("READY")


class Join(WeirCase):
    def test_a_second_process_takes_over(self):
        first = self.weir({"routes": [answers(200, "first")]})
        address = first.address
        kept = self.client(address)
        self.assertEqual(b"first", bytes(kept.get().body))
        second = self.weir({"listeners": [settings.listener(address)], "routes": [answers(200, "second")]}, arguments=["--join"])
        first.signal(signal.SIGTERM)
        last = kept.get()
        while not last.closes():
            last = kept.get()
        self.assertEqual(b"first", bytes(last.body))
        self.assertEqual(0, first.wait())
        self.assertEqual({b"second"}, {bytes(fetch(address).body) for _ in range(20)})
        self.assertEqual(200, second.readiness())

    def test_the_same_file_will_do(self):
        first = self.weir(HELLO)
        second = Weir({"listeners": [settings.listener(first.address)], "admin": {"bind": first.admin}, **HELLO},
                      arguments=["--join"])
        self.addCleanup(second.stop)
        second.start()
        first.signal(signal.SIGTERM)
        self.assertEqual(0, first.wait())
        eventually(lambda: second.readiness() == 200, "the second ready")
        with RawClient(second.address) as client:
            self.assertEqual(b"hello", bytes(client.get().body))


if __name__ == "__main__":
    unittest.main()
