"""A DNS server of the tests' own, over UDP: what it knows is changed while it runs."""

import socket
import struct
import threading

A, SRV, AAAA = 1, 33, 28
FINE, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3


def encode_name(name):
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def encode_value(kind, value):
    if kind == SRV:
        priority, weight, port, host = value
        return struct.pack("!HHH", priority, weight, port) + encode_name(host)
    return socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, value)


class DnsServer:
    """`failing`: None, "silent", "servfail" or "nxdomain", for all names or by name in `failing_names`. `asked` counts the questions for a name and type."""

    def __init__(self):
        self.records, self.asked, self.failing, self.ttl = {}, {}, None, 1
        self.failing_names = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def put(self, name, *values, kind=A):
        self.records[name.lower(), kind] = values

    def questions(self, name, kind=A):
        return self.asked.get((name.lower(), kind), 0)

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            if not query:
                return
            reply = self.answer(query)
            if reply:
                self.socket.sendto(reply, client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        self.asked[name, kind] = self.asked.get((name, kind), 0) + 1
        if self._mood(name) == "silent":
            return None
        return self._reply(query, query[12:at + 5], name, kind)

    def _mood(self, name):
        return self.failing or self.failing_names.get(name)

    def _reply(self, query, question, name, kind):
        known = any(known == name for known, _ in self.records)
        mood = self._mood(name)
        code = SERVER_FAILURE if mood == "servfail" else FINE if known and not mood else NO_SUCH_NAME
        values = self.records.get((name, kind), ()) if code == FINE else ()
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(values), 0, 0)
        records = b""
        for value in values:
            data = encode_value(kind, value)
            records += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(data)) + data
        return head + question + records

    def stop(self):
        """Closes the socket when its thread is gone, which would else read from what has its number next."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self.socket.getsockname())
        self.thread.join(20)
        self.socket.close()
