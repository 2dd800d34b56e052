"""Backends: one that plays a script of raw bytes, and a well-behaved one that tells what it was sent."""

import hashlib
import json
import re
import socket
import threading
import traceback

from wire import Closed, Cut, Request, Stream, chunk, end, read_head, read_request, reset, REQUEST_LINE


class Connection:
    """One accepted connection. `index` counts from 0; `received` is every byte that came."""

    def __init__(self, sock, index, backend):
        self.sock, self.index, self.backend = sock, index, backend
        self.stream = Stream(sock)
        self.ended = threading.Event()               # the peer has gone, or we have closed

    @property
    def received(self):
        return self.stream.received

    def request(self):
        return read_request(self.stream)

    def request_head(self):
        """Leaves the body unread."""
        return read_head(self.stream, Request, REQUEST_LINE)

    def send(self, data, fragment=None):
        data = data.encode("latin-1") if isinstance(data, str) else bytes(data)
        for start in range(0, len(data), fragment or max(len(data), 1)):
            self.sock.sendall(data[start:start + fragment] if fragment else data)

    def wait_closed(self, timeout=30):
        """Reads on until the peer ends the connection, by FIN or RST; False when it does not in time."""
        self.sock.settimeout(timeout)
        try:
            while self.stream.fill():
                self.stream.pending.clear()
        except TimeoutError:
            return False
        except OSError:
            pass
        self.ended.set()
        return True

    def stall(self):
        """Does nothing, and reads nothing, until the test is over."""
        self.backend.stopping.wait()

    def reset(self):
        reset(self.sock)

    def end(self):
        """From another thread: the one that plays the script closes the socket, whose number then belongs to others."""
        end(self.sock)

    def close(self):
        self.end()
        self.sock.close()


class ScriptedBackend:
    """Calls `script(connection)` on a thread of its own for each connection, then closes it."""

    def __init__(self, script, host="127.0.0.1", port=0, unix=None, receive_buffer=None):
        self.script = script
        self.stopping = threading.Event()
        self.connections = []
        self.faults = []                             # tracebacks of scripts that failed
        self._listen(host, port, unix, receive_buffer)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _listen(self, host, port, unix, receive_buffer):
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind(unix or (host, port))
        self.socket.listen(1024)
        self.port = None if unix else self.socket.getsockname()[1]
        self.address = f"unix:{unix}" if unix else f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __str__(self):
        return self.address

    @property
    def received(self):
        return b"".join(bytes(connection.received) for connection in self.connections)

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            sock.settimeout(60)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, len(self.connections), self)
            self.connections.append(connection)
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, connection):
        try:
            self.script(connection)
        except (Closed, Cut, OSError):
            pass
        except Exception:
            if not self.stopping.is_set():
                self.faults.append(traceback.format_exc())
        finally:
            connection.close()
            connection.ended.set()

    def stop(self):
        self.stopping.set()
        end(self.socket)
        self.thread.join(20)
        self.socket.close()
        for connection in self.connections:
            connection.end()


# --- scripts -------------------------------------------------------------------------------------------------------

def answers(data, fragment=None):
    """Reads requests and gives each the same bytes."""
    def script(connection):
        while True:
            connection.request()
            connection.send(data, fragment)
    return script


def answers_and_closes(data):
    def script(connection):
        connection.request()
        connection.send(data)
    return script


def resets(connection):
    connection.request_head()
    connection.reset()


def hangs(connection):
    connection.request_head()
    connection.wait_closed()


def ok(body=b"ok", fields=""):
    body = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


# --- the well-behaved one ------------------------------------------------------------------------------------------

def reply_bytes(status=200, fields=(), body=b"", method="GET"):
    head = f"HTTP/1.1 {status} Fine\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    if status >= 200 and status not in (204, 304):
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode("latin-1") + b"\r\n" + (b"" if method == "HEAD" or status in (204, 304) else body)


class HttpBackend(ScriptedBackend):
    """Keeps connections alive and answers by path:

    /bytes/N    N bytes            /chunked/N   the same in chunks, with a trailer
    /status/N   that status        /hold        an answer once `release` is set
    else        JSON: what was received, and by whom
    """

    def __init__(self, name="a", **how):
        self.name = name
        self.requests = []
        self.delay = 0                               # seconds before each answer
        self.release = threading.Event()
        self.held = threading.Semaphore(0)           # one for each request that waits in /hold
        super().__init__(self._serve, **how)

    def _serve(self, connection):
        while True:
            request = connection.request()
            request.connection = connection.index
            self.requests.append(request)
            self.stopping.wait(self.delay)
            self._answer(connection, request)
            if request.closes():
                return

    def _answer(self, connection, request):
        kind, _, argument = request.target.split("?")[0].strip("/").partition("/")
        count = int(argument) if argument.isdigit() else 0
        if kind == "bytes":
            connection.send(reply_bytes(body=pattern(count), method=request.method))
        elif kind == "chunked":
            self._answer_chunked(connection, pattern(count))
        elif kind == "status":
            connection.send(reply_bytes(count, method=request.method, body=b"" if count in (204, 304) else b"done"))
        else:
            if kind == "hold":
                self.held.release()
                self.release.wait(60)
            body = json.dumps(self._account(request)).encode()
            connection.send(reply_bytes(fields=[("Content-Type", "application/json")], body=body, method=request.method))

    def _answer_chunked(self, connection, body):
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for start in range(0, len(body), 50_000):
            connection.send(chunk(body[start:start + 50_000]))
        connection.send(f"0\r\nX-Sum: {digest(body)}\r\n\r\n")

    def _account(self, request):
        return {
            "backend": self.name,
            "method": request.method,
            "target": request.target,
            "fields": request.fields,
            "body": request.body[:4096].decode("latin-1"),
            "length": len(request.body),
            "digest": digest(request.body),
            "chunks": request.chunks,
            "trailers": request.trailers,
            "connection": request.connection,
            "number": len(self.requests),
        }


def pattern(count):
    """`count` bytes that repeat at no power of two, so that a lost or doubled buffer shows."""
    unit = bytes(range(251)) * 41
    return (unit * (count // len(unit) + 1))[:count]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def fields_of(account, name):
    """The values of a field in a HttpBackend's account of a request."""
    return [value for field, value in account["fields"] if re.fullmatch(name, field, re.IGNORECASE)]
