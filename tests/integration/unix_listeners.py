"""A unix socket lets connect whom its mode, owner and group allow, and its file goes with the listener."""

import grp
import os
import pwd
import signal
import stat
import subprocess
import unittest

from harness import WEIR, Weir, WeirCase, eventually, fetch, settings
from settings import answers

AS_ROOT = unittest.skipUnless(os.getuid() == 0, "needs root")


class UnixListeners(WeirCase):
    def setUp(self):
        self.place = self.folder()
        os.chmod(self.place, 0o755)
        self.path = os.path.join(self.place, "weir.sock")

    def listening(self, said="ok", **access):
        return {"listeners": [{"bind": f"unix:{self.path}", **access}], "routes": [answers(200, said)]}

    def said(self):
        return fetch(f"unix:{self.path}").body.decode()

    def mode(self):
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def refused(self, **access):
        """What `weir check` says."""
        weir = Weir(self.listening(**access))
        self.addCleanup(weir.discard)
        done = subprocess.run([WEIR, "check", "-c", weir.file], capture_output=True, text=True)
        self.assertEqual(1, done.returncode, done.stdout)
        return done.stdout + done.stderr

    def test_anybody_may_connect_by_default_whatever_the_umask(self):
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.weir(self.listening())
        self.assertEqual(0o666, self.mode())
        self.assertEqual("ok", self.said())

    def test_the_mode_is_as_configured_and_changes_with_a_reload(self):
        weir = self.weir(self.listening(mode="0600"))
        self.assertEqual(0o600, self.mode())
        weir.reload(self.listening("two", mode="0660"))
        self.assertEqual(0o660, self.mode())
        self.assertEqual("two", self.said())

    @AS_ROOT
    def test_owner_and_group_are_as_configured(self):
        self.weir(self.listening(mode="0600", owner="nobody", group="daemon"))
        info = os.stat(self.path)
        self.assertEqual((pwd.getpwnam("nobody").pw_uid, grp.getgrnam("daemon").gr_gid), (info.st_uid, info.st_gid))

    @AS_ROOT
    def test_a_reload_that_may_not_change_the_owner_changes_nothing(self):
        weir = self.weir(self.listening("one") | {"user": "nobody", **settings.access_log("off")}, folder=self.open_folder())
        weir.configure(self.listening("two", owner="daemon") | {"user": "nobody", **settings.access_log("off")})
        weir.reload(expect="failure")
        weir.says("configuration_problem .*owner")
        self.assertEqual("one", self.said())

    def open_folder(self):
        folder = self.folder()
        os.chmod(folder, 0o755)
        return folder

    def test_the_file_is_removed_at_the_end(self):
        weir = self.weir(self.listening())
        self.assertTrue(os.path.exists(self.path))
        weir.stop()
        self.assertFalse(os.path.exists(self.path))

    def test_the_file_is_removed_after_two_signals(self):
        weir = self.weir(self.listening() | settings.shutdown(delay="60s"))
        weir.signal(signal.SIGTERM)
        eventually(lambda: weir.readiness() == 503, "the drain")
        weir.signal(signal.SIGTERM)
        self.assertEqual(128 + signal.SIGTERM, weir.wait())
        weir.discard()
        self.assertFalse(os.path.exists(self.path))

    def test_the_file_is_removed_when_a_reload_takes_the_listener_away(self):
        weir = self.weir(self.listening())
        weir.addresses = []
        weir.reload({"routes": [answers(200)]})
        eventually(lambda: not os.path.exists(self.path), "the file to go")

    def test_a_start_that_fails_leaves_no_file(self):
        taken = self.backend().address
        config = self.listening()
        config["listeners"].append({"bind": taken})
        self.refused_start(config)
        self.assertFalse(os.path.exists(self.path))

    def test_a_socket_that_another_process_took_over_stays(self):
        first = self.weir(self.listening("first"))
        second = self.weir(self.listening("second", mode="0640"), arguments=["--join"])
        self.assertEqual(0o640, self.mode())
        first.stop()
        self.assertEqual("second", self.said())
        second.stop()
        self.assertFalse(os.path.exists(self.path))

    def test_bad_values_are_told_with_their_reason(self):
        self.assertIn("'0999'", self.refused(mode="0999"))
        self.assertIn("'rw'", self.refused(mode="rw"))
        self.assertIn("no-such-user", self.refused(owner="no-such-user"))
        self.assertIn("no-such-group", self.refused(group="no-such-group"))
        self.path = "@abstract"
        self.assertIn("unix", self.refused(mode="0600"))


if __name__ == "__main__":
    unittest.main()
