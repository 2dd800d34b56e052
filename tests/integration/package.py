"""What is installed beside the binary: the image's libraries, the systemd unit, the first configuration, and what is generated from
the binary: manual pages and completions."""

import gzip
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
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "weir.yaml")
            with open(path, "w") as file:       # the package makes the log's folder
                file.write(text_of("tools", "package", "weir.yaml").replace("/var/log/weir", folder))
            done = subprocess.run([WEIR, "check", "--here", path], capture_output=True, text=True, timeout=30)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_the_unit_reloads_only_what_a_start_could_serve(self):
        self.assertIn("ExecReload=/usr/bin/weir check --here -c /etc/weir/weir.yaml\n", text_of("tools", "package", "weir.service"))

    def test_a_drain_ends_before_systemd_kills_the_process(self):
        limit = re.search(r"^TimeoutStopSec=(\d+)s$", text_of("tools", "package", "weir.service"), re.MULTILINE)
        drain = re.search(r"^\| `drain_timeout` \| duration \| `(\d+)s`", text_of("config", "REFERENCE.md"), re.MULTILINE)
        self.assertGreater(int(limit[1]), int(drain[1]))

    def test_the_configuration_logs_where_the_rotation_and_the_unit_expect_it(self):
        log = re.search(r"access_log: \{ path: (\S+?),", text_of("tools", "package", "weir.yaml"))[1]
        self.assertEqual(f"{os.path.dirname(log)}/*.log", text_of("tools", "package", "weir.logrotate").split()[0])
        self.assertIn(f"LogsDirectory={os.path.basename(os.path.dirname(log))}\n", text_of("tools", "package", "weir.service"))


def weir_prints(*arguments):
    return output_of(WEIR, *arguments)


def options_by_command():
    """{command: its options}, as `weir COMMAND --help` shows them."""
    listed = weir_prints("--help").split("Subcommands:\n")[1].split("\n\n")[0]
    commands = re.findall(r"^  (\w+) ", listed, re.MULTILINE)
    return {command: set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", re.sub(r"(?m)^(.{30}).*", r"\1", weir_prints(command, "--help"))))
            for command in commands}


def plain(page):
    """The text of a manual page without its markup."""
    return re.sub(r"\\f[BR]|\\&", "", page).replace("\\-", "-").replace("\\e", "\\")


class ManualPages(unittest.TestCase):
    def test_weir_1_has_each_command_and_option(self):
        page = plain(weir_prints("manual", "weir"))
        sections = {part.split("\n")[0]: part for part in page.split("\n.SS weir ")[1:]}
        found = options_by_command()
        self.assertEqual(set(found), set(sections))
        self.assertTrue({"--config", "--format", "-c"} <= found["check"], found["check"])
        for command, options in found.items():
            for option in options - {"-h", "--help"}:
                self.assertIn(option, sections[command])

    def test_weir_yaml_5_has_each_block_and_setting_of_the_reference(self):
        page = plain(weir_prints("manual", "weir.yaml"))
        reference = text_of("config", "REFERENCE.md")
        self.assertEqual(re.findall(r"^## `(.+)`$", reference, re.MULTILINE), re.findall(r"^\.SS (.+)$", page, re.MULTILINE))
        settings = re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE)
        self.assertGreater(len(settings), 300)
        self.assertEqual(settings, re.findall(r"^\.TP\n(\w+)$", page, re.MULTILINE))

    def test_defaults_and_what_is_required_are_shown(self):
        page = plain(weir_prints("manual", "weir.yaml"))
        self.assertIn("\ndrain_timeout\nhow long requests in flight may take to finish\n.br\n(duration; default 30s)\n", page)
        self.assertIn("\nlisteners\nwhere clients connect\n.br\n(list of block, or its bind, not empty; required)\n", page)

    @unittest.skipUnless(shutil.which("groff"), "needs groff")
    def test_groff_finds_no_mistake(self):
        for name in ("weir", "weir.yaml"):
            done = subprocess.run(["groff", "-K", "utf8", "-man", "-T", "utf8", "-w", "all", "-z"], input=weir_prints("manual", name),
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual((0, ""), (done.returncode, done.stderr))


class Completions(unittest.TestCase):
    def completed(self, *words, folder=None):
        """What bash offers after these words; the last one is the one that is being written."""
        script = weir_prints("completion", "bash") + 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-uc", script, "bash", "weir", *words], capture_output=True, text=True, timeout=60, cwd=folder)
        self.assertEqual("", done.stderr)
        return set(done.stdout.split("\n")) - {""}

    def test_bash_offers_each_command_and_its_options(self):
        found = options_by_command()
        self.assertEqual(set(found), self.completed("") - {"-h", "--help", "--version"})
        for command, options in found.items():
            self.assertEqual(options, self.completed(command, "-"))
        self.assertEqual({"healthcheck"}, self.completed("he"))

    def test_bash_offers_values_and_files(self):
        with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
            for name in ("one.yaml", "two words.yaml"):
                open(os.path.join(folder, name), "w").close()
            self.assertEqual({"one.yaml", "two words.yaml"}, self.completed("run", "-c", "", folder=folder))
            self.assertEqual({"two words.yaml"}, self.completed("check", "tw", folder=folder))
            self.assertEqual({"json", "text"}, self.completed("check", "--format", "", folder=folder))
            self.assertEqual(set(), self.completed("status", "--admin", "", folder=folder))

    def test_zsh_and_fish_know_each_command_and_option(self):
        zsh, fish = weir_prints("completion", "zsh"), weir_prints("completion", "fish")
        for command, options in options_by_command().items():
            in_zsh = re.search(rf"^    \({command}\)\n.*?^      ;;$", zsh, re.MULTILINE | re.DOTALL)[0]
            in_fish = "".join(re.findall(rf"^.*__fish_seen_subcommand_from {command}'.*\n", fish, re.MULTILINE))
            for option in options:
                self.assertIn(f"){option}[", in_zsh)
                self.assertRegex(in_fish, rf" -l {option[2:]} " if option.startswith("--") else rf" -s {option[1:]} ")

    def test_the_shells_accept_their_syntax(self):
        for shell in filter(shutil.which, ("bash", "zsh", "fish")):
            done = subprocess.run([shell, "-n"], input=weir_prints("completion", shell), capture_output=True, text=True, timeout=60)
            self.assertEqual((0, ""), (done.returncode, done.stderr), shell)

    def test_another_shell_or_page_is_wrong_usage(self):
        for words in (["completion", "csh"], ["completion"], ["manual", "nginx"], ["manual"]):
            self.assertEqual(2, subprocess.run([WEIR, *words], capture_output=True, timeout=60).returncode)


BUILD = os.path.dirname(os.path.abspath(WEIR))
INSTALLED = {
    "/etc/logrotate.d/weir", "/etc/weir/weir.yaml", "/usr/bin/weir", "/usr/lib/systemd/system/weir.service",
    "/usr/lib/sysusers.d/weir.conf", "/usr/share/bash-completion/completions/weir", "/usr/share/doc/weir/CHANGELOG.md.gz",
    "/usr/share/doc/weir/changelog.gz", "/usr/share/doc/weir/copyright", "/usr/share/fish/vendor_completions.d/weir.fish",
    "/usr/share/lintian/overrides/weir", "/usr/share/man/man1/weir.1.gz", "/usr/share/man/man5/weir.yaml.5.gz",
    "/usr/share/zsh/vendor-completions/_weir",
}


@unittest.skipUnless(os.path.exists(os.path.join(BUILD, "cmake_install.cmake")), "needs the binary's build folder")
class Installation(unittest.TestCase):
    def setUp(self):
        self.target = tempfile.mkdtemp(prefix="weir-test-")
        self.addCleanup(shutil.rmtree, self.target, ignore_errors=True)

    def install(self, *arguments):
        subprocess.run(["cmake", "--install", BUILD, *arguments], env={**os.environ, "DESTDIR": self.target}, check=True,
                       capture_output=True, timeout=120)

    def text(self, path):
        with open(self.target + path) as file:
            return file.read()

    def test_cmake_installs_what_belongs_to_the_package(self):
        self.install("--prefix", "/usr")
        found = {os.path.join(folder, name).removeprefix(self.target) for folder, _, names in os.walk(self.target) for name in names}
        self.assertEqual(INSTALLED, found)
        with gzip.open(self.target + "/usr/share/man/man5/weir.yaml.5.gz", "rt") as page:
            self.assertEqual(weir_prints("manual", "weir.yaml"), page.read())
        self.assertEqual(weir_prints("completion", "bash"), self.text("/usr/share/bash-completion/completions/weir"))

    def test_a_configuration_that_is_there_stays(self):
        os.makedirs(self.target + "/etc/weir")
        with open(self.target + "/etc/weir/weir.yaml", "w") as file:
            file.write("mine")
        self.install("--prefix", "/usr")
        self.assertEqual("mine", self.text("/etc/weir/weir.yaml"))

    def test_the_unit_starts_the_binary_where_it_is_installed(self):
        self.install("--prefix", "/opt/weir")
        self.assertIn("ExecStart=/opt/weir/bin/weir run ", self.text("/opt/weir/lib/systemd/system/weir.service"))


if __name__ == "__main__":
    unittest.main()
