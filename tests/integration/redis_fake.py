"""A Redis whose every byte is in the test's hand."""

import socket
import struct
import threading

from wire import end

PONG = b"+PONG\r\n"


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return b"$%d\r\n%s\r\n" % (len(value), value)


def items(*values):
    return b"*%d\r\n" % len(values) + b"".join(values)


class Gone(Exception):
    """The client has closed, or reset, the connection."""


class Connection:
    """One client: reads its commands, says what it is told."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def more(self):
        try:
            piece = self.sock.recv(65536)
        except OSError as error:
            raise Gone from error
        if not piece:
            raise Gone
        self.rest += piece

    def command(self):
        words = []
        for _ in range(int(self.line()[1:])):
            size = int(self.line()[1:])
            while len(self.rest) < size + 2:
                self.more()
            words.append(self.rest[:size])
            self.rest = self.rest[size + 2:]
        return words

    def say(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise Gone


class FakeRedis:
    """Behaves well, but for what `misbehave` changes: `greet(connection)` when a client comes, and `answer(connection,
    words)` for each command, which returns the bytes to say, or None for the well-behaved ones."""

    def __init__(self, host="127.0.0.1"):
        self.listener = socket.create_server((host, 0), backlog=512)
        self.address = "%s:%d" % self.listener.getsockname()
        self.url = f"redis://{self.address}"
        self.accepted = 0
        self.subscribers = []
        self.behave()
        self.lock = threading.Lock()
        self.open = set()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def behave(self):
        self.misbehave()

    def misbehave(self, answer=lambda connection, words: None, greet=lambda connection: None):
        self.met = 0                                # commands that were not answered well, since
        self.answer, self.greet = answer, greet

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            with self.lock:
                self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        connection = Connection(sock)
        try:
            self.greet(connection)
            while True:
                words = connection.command()
                answer = self.misbehaved(connection, words)
                connection.say(self.good(connection, words) if answer is None else answer)
        except (Gone, ValueError, OSError):
            pass
        finally:
            with self.lock:
                self.open.discard(sock)
            sock.close()

    def misbehaved(self, connection, words):
        try:
            answer = self.answer(connection, words)
        except Gone:
            self.met += 1
            raise
        self.met += answer is not None
        return answer

    def good(self, connection, words):
        match words[0].upper():
            case b"PING":
                return items(text("pong"), text("")) if connection in self.subscribers else PONG
            case b"PSUBSCRIBE":
                self.subscribers.append(connection)
                return items(text("psubscribe"), text(words[1]), b":1\r\n")
            case b"EVALSHA" | b"EVAL" if is_take(words):
                looks = words[-1] in (b"1", b"3")
                return text(" ".join(["1 9 0 1000000"] * int(words[2]) + ["0"] * looks))
            case b"EVALSHA" | b"EVAL":
                return b":1\r\n"
            case b"GETRANGE":
                return text("")
            case b"XRANGE":
                return b"*0\r\n"
            case b"SET":
                return b"+OK\r\n"
        return b":1\r\n"

    def drop_all(self):
        """Ends all connections, so that all that follow meet the behaviour of now."""
        with self.lock:
            for sock in self.open:
                end(sock)

    def stop(self):
        end(self.listener)
        self.thread.join(20)
        self.listener.close()
        self.drop_all()


def is_take(words):
    return words[0].upper() in (b"EVALSHA", b"EVAL") and b":q:" in words[3]
