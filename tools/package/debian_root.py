"""A Debian 12 in a folder: what tools/check_image and tools/package/check try things in. Needs root and Debian's mirror."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "debian-12.tar"            # delete it to fetch a newer Debian
MIRROR = "http://deb.debian.org/debian"
SOURCES = f"""\
deb {MIRROR} bookworm main
deb {MIRROR} bookworm-updates main
deb {MIRROR}-security bookworm-security main
"""
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def make_cache():
    """debootstrap's smallest variant, as a tar file: close to the image debian:bookworm-slim."""
    CACHE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="weir-debian-") as folder:
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", folder, MIRROR], check=True, stdout=subprocess.DEVNULL)
        Path(folder, "etc/apt/sources.list").write_text(SOURCES)
        subprocess.run(["tar", "-C", folder, "-cf", f"{CACHE}.new", "."], check=True)
    os.replace(f"{CACHE}.new", CACHE)


class DebianRoot:
    """One such Debian; the folder goes with the `with` block. Commands run in namespaces of their own, so that no process
    and no mount outlives its command."""

    def __enter__(self):
        if os.geteuid() != 0:
            raise SystemExit("this needs root: it unpacks a Debian and runs commands in it")
        if not CACHE.exists():
            make_cache()
        self.path = Path(tempfile.mkdtemp(prefix="weir-debian-"))
        self.path.chmod(0o755)
        subprocess.run(["tar", "-C", self.path, "-xf", CACHE], check=True)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def command(self, command, folder="/", user=None, binds=()):
        """The argument list that runs `command` in the root. `user`: "UID:GID" or a name. `binds`: {outside: inside}."""
        mounts = ["mount -t proc proc proc", "mount --rbind /dev dev"]
        mounts += [f"mkdir -p .{inside} && mount --bind '{outside}' .{inside}" for outside, inside in dict(binds).items()]
        enter = ["chroot"] + ([f"--userspec={user}"] if user else []) + [str(self.path)]
        inside = ["env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items()), "sh", "-c", 'cd "$0" && exec "$@"', folder]
        script = f"cd '{self.path}' && " + " && ".join(mounts) + ' && exec "$@"'
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", *enter, *inside, *command]

    def run(self, *command, check=True, **where):
        """Runs it to its end and returns its output."""
        done = subprocess.run(self.command(command, **where), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout
