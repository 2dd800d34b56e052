"""Single calls to the kernel that fail, or wait, in a Weir that runs: see faults.c."""

import errno
import mmap
import os
import struct

LIBRARY = os.environ.get("FAULTS_LIBRARY", "")

# The name of each call, in the order of faults.c, and the errno with which the kernel refuses that call when a limit is met.
CALLS = {
    "pthread_create": errno.EAGAIN,
    "epoll_create1": errno.EMFILE,
    "eventfd": errno.EMFILE,
    "socket": errno.EMFILE,
    "bind": errno.EADDRINUSE,
    "listen": errno.EADDRINUSE,
    "watch": errno.ENOSPC,
    "rename": errno.EACCES,
    "fopen": errno.EMFILE,
    "accept": errno.EMFILE,
    "connect": errno.EADDRNOTAVAIL,
    "write": errno.ENOSPC,                          # to a file without a name, as the next two
    "open_unnamed": errno.EACCES,
    "pread": errno.EIO,
    "access": errno.EIO,                            # of the folder
}
FORMAT = "iii"                                      # countdown, errno, whether calls wait


class Faults:
    """Shared with the Weirs that get its `environment`."""

    def __init__(self, folder, files=None):
        """`files` is the only folder whose temporary files have faults."""
        path = os.path.join(folder, "faults")
        size = struct.calcsize(FORMAT) * len(CALLS)
        with open(path, "wb") as file:
            file.write(bytes(size))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), size)
        # At exit, LeakSanitizer would start a thread of its own.
        sanitizer = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))
        self.environment = {"LD_PRELOAD": LIBRARY, "FAULTS": path, "ASAN_OPTIONS": sanitizer}
        if files:
            self.environment["FAULTS_FOLDER"] = files

    def _place(self, call):
        return list(CALLS).index(call) * struct.calcsize(FORMAT)

    def fail(self, call, nth):
        """Of the calls from here on, the nth fails."""
        struct.pack_into(FORMAT, self.page, self._place(call), nth, CALLS[call], 0)

    def fail_all(self, call):
        """All calls from here on fail, until `clear`."""
        self.fail(call, -1)

    def has_failed(self, call):
        return self.calls_left(call) == 0

    def calls_left(self, call):
        """Until the one that fails."""
        return struct.unpack_from(FORMAT, self.page, self._place(call))[0]

    def clear(self):
        self.page[:] = bytes(len(self.page))

    def wait(self, call, waits):
        struct.pack_into(FORMAT, self.page, self._place(call), 0, 0, int(waits))
