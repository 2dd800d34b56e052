"""SIGUSR1 reopens the access log; its formats say what happened, and nobody can forge a line."""

import json
import os
import pwd
import re
import signal
import unittest

from harness import WeirCase, eventually, settings


class Logs(WeirCase):
    def logging(self, format="json", **config):
        """Weir that logs into `self.file`."""
        self.file = os.path.join(self.folder(), "access.log")
        return self.in_front_of(self.backend(), **settings.access_log(self.file, format), **config)

    def lines(self, count, file=None):
        def read():
            with open(file or self.file) as log:
                lines = log.read().splitlines()
            return lines if len(lines) >= count else None
        return eventually(lambda: os.path.exists(file or self.file) and read(), f"{count} lines")

    def test_a_json_line_tells_the_request(self):
        weir = self.logging()
        self.fetch(weir, "POST", "/path?q=1", {"User-Agent": "probe/1"}, b"12345")
        line = json.loads(self.lines(1)[0])
        self.assertEqual(("POST", 200), (line[settings.LOG_METHOD], line[settings.LOG_STATUS]))
        self.assertTrue(line[settings.LOG_PATH].startswith("/path"))
        self.assertIn("127.0.0.1", str(line[settings.LOG_CLIENT]))
        self.assertIn("probe/1", json.dumps(line))

    def test_the_combined_format_is_the_known_one(self):
        weir = self.logging("combined")
        self.fetch(weir, target="/c?d", fields={"User-Agent": "probe/1", "Referer": "http://from/"})
        self.assertRegex(self.lines(1)[0], r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                                           r'"GET /c\?d HTTP/1\.1" 200 \d+ "http://from/" "probe/1"$')

    def test_a_template_is_filled(self):
        weir = self.logging("{method} {path} -> {status}")
        self.fetch(weir, target="/t")
        self.assertEqual("GET /t -> 200", self.lines(1)[0])

    def test_every_request_has_its_line(self):
        weir = self.logging(workers=2)
        for _ in range(10):
            client = self.client(weir)
            for _ in range(20):
                client.get("/bytes/1")
        self.assertEqual(200, len(self.lines(200)))

    def test_what_comes_from_outside_cannot_end_a_line(self):
        nasty = 'x" 200 \\ \xff\xfe \x7f{"a":1}'.replace("\x7f", "")
        for format in ("json", "combined", "{header.user-agent} {path}"):
            with self.subTest(format):
                weir = self.logging(format)
                self.fetch(weir, target="/%0a%0d%22?%0aforged", fields={"User-Agent": nasty, "Referer": 'a"b'})
                lines = self.lines(1)
                self.assertEqual(1, len(lines))
                self.assertFalse(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", lines[0]))
                if format == "json":
                    json.loads(lines[0])
                if format == "combined":
                    self.assertEqual(6, len(re.findall(r'(?<!\\)"', lines[0])), lines[0])

    def test_usr1_reopens_a_moved_file(self):
        weir = self.logging()
        self.fetch(weir, target="/before")
        self.lines(1)
        os.rename(self.file, self.file + ".1")
        weir.signal(signal.SIGUSR1)
        eventually(lambda: os.path.exists(self.file), "the new file")
        self.fetch(weir, target="/after")
        self.assertIn("/after", self.lines(1)[0])
        self.assertIn("/before", self.lines(1, self.file + ".1")[0])

    def test_no_line_is_lost_over_many_reopenings(self):
        weir = self.logging()
        client = self.client(weir)
        parts = []
        for number in range(10):
            for _ in range(20):
                client.get("/bytes/1")
            parts.append(f"{self.file}.{number}")
            os.rename(self.file, parts[-1])
            weir.signal(signal.SIGUSR1)
            eventually(lambda: os.path.exists(self.file), "the new file")
        weir.stop()
        self.assertEqual(200, sum(len(open(part).read().splitlines()) for part in [*parts, self.file]))

    def test_the_last_lines_are_written_before_the_end(self):
        weir = self.logging()
        self.fetch(weir, target="/last")
        weir.stop()
        self.assertIn("/last", open(self.file).read())

    def test_stdout_is_a_place_for_it(self):
        weir = self.in_front_of(self.backend(), **settings.access_log("stdout"))
        self.fetch(weir, target="/out")
        eventually(lambda: "/out" in weir.stderr(), "the line")

    def test_a_log_that_cannot_be_opened_is_an_error_at_start(self):
        told = self.refused_start({"routes": [settings.answers(200)], **settings.access_log("/nonexistent/access.log")})
        self.assertIn("/nonexistent/access.log", told)


@unittest.skipUnless(os.getuid() == 0, "needs root")
class AsAnotherUser(WeirCase):
    """With `user:` the log can be opened again after root is given up."""

    def setUp(self):
        self.nobody = pwd.getpwnam("nobody").pw_uid
        self.place = self.folder()
        os.chmod(self.place, 0o755)
        self.logs = os.path.join(self.place, "logs")
        self.file = os.path.join(self.logs, "access.log")

    def as_nobody(self, file=None):
        return {"user": "nobody", "routes": [settings.answers(200)], **settings.access_log(file or self.file)}

    def logged(self, target, file=None):
        def has_it():
            if not os.path.exists(file or self.file):
                return False
            with open(file or self.file) as log:
                return target in log.read()
        eventually(has_it, f"the line of {target}")

    def owner(self, path):
        return os.lstat(path).st_uid

    def test_the_file_and_its_directory_are_the_users_and_a_rotation_works(self):
        os.mkdir(self.logs, 0o755)
        with open(self.file, "w"):                      # root's, of a start before
            pass
        weir = self.weir(self.as_nobody(), folder=self.place)
        self.assertEqual([self.nobody] * 2, [self.owner(self.file), self.owner(self.logs)])
        self.fetch(weir, target="/before")
        self.logged("/before")
        os.rename(self.file, self.file + ".1")
        weir.signal(signal.SIGUSR1)
        weir.says("access_log_reopened")
        self.fetch(weir, target="/after")
        self.logged("/after")
        self.assertEqual(self.nobody, self.owner(self.file))

    def test_a_missing_directory_is_created_for_the_user(self):
        self.weir(self.as_nobody(), folder=self.place)
        self.assertEqual([self.nobody] * 2, [self.owner(self.file), self.owner(self.logs)])

    def test_a_failed_reopening_is_told_and_the_old_file_stays_in_use(self):
        weir = self.weir(self.as_nobody(), folder=self.place)
        os.chown(self.logs, 0, 0)                       # somebody takes the right away
        os.rename(self.file, self.file + ".1")
        weir.signal(signal.SIGUSR1)
        weir.says("access_log_reopen_failed .*Permission denied")
        self.assertNotIn("access_log_reopened", weir.stderr())
        self.fetch(weir, target="/still")
        self.logged("/still", self.file + ".1")

    def test_root_gives_nothing_away_by_a_link(self):
        secret = os.path.join(self.place, "secret")
        with open(secret, "w"):
            pass
        os.chmod(secret, 0o600)
        os.mkdir(self.logs)
        for link in (os.symlink, os.link):
            with self.subTest(link.__name__):
                link(secret, self.file)
                self.assertIn("Permission denied", self.refused_start(self.as_nobody(), folder=self.open_folder()))
                self.assertEqual(0, self.owner(secret))
                os.remove(self.file)

    def test_a_directory_of_the_whole_system_stays_as_it_is(self):
        file = f"/var/tmp/weir-test-{os.getpid()}.log"
        self.addCleanup(lambda: os.path.exists(file) and os.remove(file))
        before = self.owner("/var/tmp")
        self.weir(self.as_nobody(file), folder=self.open_folder())
        self.assertEqual([before, self.nobody], [self.owner("/var/tmp"), self.owner(file)])

    def open_folder(self):
        folder = self.folder()
        os.chmod(folder, 0o755)
        return folder


if __name__ == "__main__":
    unittest.main()
