"""What is installed beside the binary: the image's libraries, the systemd unit, the first configuration."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import WEIR

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PACKAGE = os.path.join(ROOT, "tools", "package")
IN_EVERY_IMAGE = {"libc6", "libgcc-s1"}             # Debian's own programs need them
NO_LIBRARIES = {"ca-certificates"}                  # installed for another reason


def text_of(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def packages_of_the_image():
    """The packages that the last stage of the Dockerfile installs."""
    last_stage = re.split(r"^FROM ", text_of("Dockerfile"), flags=re.MULTILINE)[-1].replace("\\\n", " ")
    installed = re.findall(r"apt-get [^&\n]*\binstall\b([^&\n]*)", last_stage)
    return {word for words in installed for word in words.split() if not word.startswith("-")}


def packages_of_libraries(binary):
    """The packages that own the libraries which the dynamic linker loads for `binary`."""
    packages = set()
    for name in re.findall(r"^\s*(\S+) => /", output_of("ldd", binary), re.MULTILINE):
        owners = re.findall(r"^(\S+?)(?::\S+)?: ", output_of("dpkg", "-S", f"*-linux-gnu/{name}"), re.MULTILINE)
        packages.update(owners)
    return packages


class Image(unittest.TestCase):
    def test_the_image_has_the_libraries_that_the_binary_needs(self):
        self.assertEqual(packages_of_libraries(WEIR) - IN_EVERY_IMAGE, packages_of_the_image() - NO_LIBRARIES)


@unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
class Unit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="weir-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.unit = os.path.join(folder, "weir.service")
        with open(self.unit, "w") as file:          # systemd looks for the programs of a unit
            file.write(text_of("tools", "package", "weir.service").replace("/usr/bin/weir", os.path.abspath(WEIR)))

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments, self.unit], capture_output=True, text=True, timeout=60)

    def test_systemd_finds_no_mistake_in_the_unit(self):
        done = self.analyze("verify", "--man=no")   # warnings leave its exit code 0; other units may have some
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual([], [line for line in done.stderr.splitlines() if "weir" in line])

    def test_the_exposure_of_the_unit_is_below_2_of_10(self):
        done = self.analyze("security", "--offline=true", "--threshold=20")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


class Files(unittest.TestCase):
    def test_the_first_configuration_is_sound(self):
        done = subprocess.run([WEIR, "check", os.path.join(PACKAGE, "weir.yaml")], capture_output=True, text=True, timeout=30)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_a_drain_ends_before_systemd_kills_the_process(self):
        limit = re.search(r"^TimeoutStopSec=(\d+)s$", text_of("tools", "package", "weir.service"), re.MULTILINE)
        drain = re.search(r"^\| `drain_timeout` \| duration \| `(\d+)s`", text_of("config", "REFERENCE.md"), re.MULTILINE)
        self.assertGreater(int(limit[1]), int(drain[1]))

    def test_the_configuration_logs_where_the_rotation_and_the_unit_expect_it(self):
        log = re.search(r"access_log: \{ path: (\S+?),", text_of("tools", "package", "weir.yaml"))[1]
        self.assertEqual(f"{os.path.dirname(log)}/*.log", text_of("tools", "package", "weir.logrotate").split()[0])
        self.assertIn(f"LogsDirectory={os.path.basename(os.path.dirname(log))}\n", text_of("tools", "package", "weir.service"))


if __name__ == "__main__":
    unittest.main()
