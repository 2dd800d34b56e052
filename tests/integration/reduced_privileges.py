"""A Weir that gave up root can do all that a reload and a take-over ask for."""

import os
import re
import pwd
import signal
import socket
import unittest

from harness import WeirCase, eventually, fetch, free_address, settings
from settings import answers

USER = {"user": "nobody", **settings.access_log("off")}
ROUNDS = 24                                         # new connections: each worker gets some


def worker_threads(weir):
    names = []
    for task in os.listdir(f"/proc/{weir.pid}/task"):
        with open(f"/proc/{weir.pid}/task/{task}/comm") as file:
            names.append(file.read().strip())
    return [name for name in names if re.fullmatch(r"weir-\d+", name)]


def listening_sockets(address):
    """The owner of each socket that listens there."""
    host, _, port = address.rpartition(":")
    wanted = "".join(f"{byte:02X}" for byte in reversed(socket.inet_aton(host))) + f":{int(port):04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return [int(row[7]) for row in rows if row[1] == wanted and row[3] == "0A"]


@unittest.skipUnless(os.getuid() == 0, "needs root")
class Privileged(WeirCase):
    def dropped(self, config, **how):
        """A Weir that is nobody by now, whose file nobody can read."""
        folder = self.folder()
        os.chmod(folder, 0o755)
        weir = self.weir({**USER, **config}, folder=folder, **how)
        nobody = pwd.getpwnam("nobody")
        user, group = f"{nobody.pw_uid}", f"{nobody.pw_gid}"
        for task in os.listdir(f"/proc/{weir.pid}/task"):
            with open(f"/proc/{weir.pid}/task/{task}/status") as status:
                fields = dict(line.split(":", 1) for line in status)
            self.assertEqual([user] * 4, fields["Uid"].split())
            self.assertEqual([group] * 4, fields["Gid"].split())
            self.assertEqual([group], fields["Groups"].split(), "groups of root were kept")
        return weir

    def said(self, address):
        return {fetch(address).body.decode() for _ in range(ROUNDS)}

    def more(self, weir, text, workers, *extra):
        """Another configuration of the same Weir."""
        binds = [settings.listener(address) for address in (weir.addresses[0], *extra)]
        return {**USER, "workers": workers, "listeners": binds, "routes": [answers(200, text)]}


class Start(Privileged):
    def test_groups_of_who_starts_it_are_given_up(self):
        launcher = ["setpriv", "--groups", "0,4,24"]
        self.dropped({"routes": [answers(200, "one")]}, launcher=launcher)


class Reload(Privileged):
    def test_a_reload_adds_workers(self):
        weir = self.dropped({"workers": 1, "routes": [answers(200, "one")]})
        weir.reload(self.more(weir, "three", 3))
        self.assertEqual({"three"}, self.said(weir.address))
        self.assertEqual(3, len(worker_threads(weir)))
        self.assertEqual(3, len(listening_sockets(weir.address)), "a worker has no socket of its own")
        weir.reload(self.more(weir, "four", 4))
        self.assertEqual({"four"}, self.said(weir.address))
        self.assertEqual(4, len(listening_sockets(weir.address)))

    def test_a_reload_adds_a_listener_and_the_next_adds_workers(self):
        weir, second = self.dropped({"workers": 1, "routes": [answers(200, "one")]}), free_address()
        weir.reload(self.more(weir, "two", 1, second))
        weir.reload(self.more(weir, "three", 2, second))
        for address in (weir.address, second):
            self.assertEqual({"three"}, self.said(address))
            self.assertEqual(2, len(listening_sockets(address)))

    def test_sockets_of_the_start_and_of_a_reload_have_one_owner(self):
        weir = self.dropped({"workers": 2, "routes": [answers(200, "one")]})
        weir.reload(self.more(weir, "two", 3))
        self.assertEqual({pwd.getpwnam("nobody").pw_uid}, set(listening_sockets(weir.address)))

    def test_another_user_in_a_reload_is_told_to_need_a_restart(self):
        weir = self.dropped({"routes": [answers(200, "one")]})
        weir.reload({**self.more(weir, "two", 1), "user": "daemon"})
        eventually(lambda: "user_not_changed" in weir.stderr(), "the event")
        self.assertEqual({"two"}, self.said(weir.address))


class Threads(Privileged):
    def rights(self, weir):
        """Of each thread, by id: its name, its capabilities, and whether a program that it starts gains none."""
        found = {}
        for task in os.listdir(f"/proc/{weir.pid}/task"):
            with open(f"/proc/{weir.pid}/task/{task}/status") as status:
                fields = dict(line.rstrip("\n").split(":\t") for line in status if ":\t" in line)
            held = {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
            found[int(task)] = fields["Name"], held, fields["NoNewPrivs"]
        return found

    def test_only_the_main_thread_may_bind_low_ports_and_none_gains_rights(self):
        folder = self.folder()
        os.chmod(folder, 0o777)
        log = lambda name: settings.access_log(os.path.join(folder, name))
        weir = self.dropped({"workers": 1, "routes": [answers(200, "one")], **log("one.log")})
        weir.reload({**self.more(weir, "two", 3), **log("two.log")})    # starts workers and the writer of a log
        weir.metrics()                              # starts the thread of the admin API's pages
        rights = self.rights(weir)
        names = {name for name, _, _ in rights.values()}
        self.assertLessEqual({"weir-0", "weir-2", "log-writer", "weir-watchdog", "weir-admin"}, names)
        bind_service, none = f"{1 << 10:016x}", f"{0:016x}"
        for thread, (name, held, gains_none) in rights.items():
            with self.subTest(name):
                self.assertEqual({none, bind_service} if thread == weir.pid else {none}, held)
                self.assertEqual("1", gains_none)


class TakeOver(Privileged):
    def taken_over(self, first, config):
        second = self.dropped({"workers": 2, **config}, arguments=["--join"])
        first.signal(signal.SIGTERM)
        self.assertEqual(0, first.wait(), first.stderr())
        return second

    def test_a_second_process_joins_after_a_reload_added_a_listener(self):
        first, extra = self.dropped({"workers": 2, "routes": [answers(200, "first")]}), free_address()
        first.reload(self.more(first, "first", 2, extra))
        second = self.taken_over(first, self.more(first, "second", 2, extra))
        for address in (first.addresses[0], extra):
            self.assertEqual({"second"}, self.said(address))
        second.reload({**self.more(second, "third", 4, extra)})
        self.assertEqual({"third"}, self.said(extra))

    def test_a_reload_adds_a_listener_and_workers_after_a_second_process_joined(self):
        first, extra = self.dropped({"workers": 2, "routes": [answers(200, "first")]}), free_address()
        second = self.dropped({"workers": 2, "listeners": [settings.listener(first.address)],
                               "routes": [answers(200, "second")]}, arguments=["--join"])
        second.reload(self.more(second, "second", 3, extra))
        first.reload(self.more(first, "first", 3))
        first.signal(signal.SIGTERM)
        self.assertEqual(0, first.wait())
        for address in (second.address, extra):
            self.assertEqual({"second"}, self.said(address))
        third = self.taken_over(second, self.more(second, "third", 3, extra))
        for address in (third.address, extra):
            self.assertEqual({"third"}, self.said(address))

    def test_a_process_of_root_is_taken_over_by_one_that_drops_root(self):
        first = self.weir({"workers": 2, "routes": [answers(200, "first")]})
        second = self.taken_over(first, {"listeners": [settings.listener(first.address)],
                                         "routes": [answers(200, "second")]})
        self.assertEqual({"second"}, self.said(second.address))
        # The sockets of root can't be added to by nobody: the new workers share those that are there.
        second.reload(self.more(second, "third", 4))
        eventually(lambda: "listening_sockets_shared" in second.stderr(), "the event")
        self.assertEqual({"third"}, self.said(second.address))


if __name__ == "__main__":
    unittest.main()
