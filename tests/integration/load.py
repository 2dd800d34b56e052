"""Load from processes of their own: an origin that costs little, and clients that account for every request."""

import collections
import multiprocessing
import selectors
import socket
import time

from wire import Closed, Cut, Malformed, RawClient, request_bytes

FORK = multiprocessing.get_context("fork")


class FastOrigin:
    """Answers every GET with `body`, over kept connections."""

    def __init__(self, body):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.process = FORK.Process(target=serve, args=(self.socket, head + body), daemon=True)
        self.process.start()

    def __str__(self):
        return self.address

    def stop(self):
        self.process.kill()
        self.process.join()
        self.socket.close()


def serve(listener, answer):
    selector, halves = selectors.EpollSelector(), {}
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                accept_all(listener, selector, halves)
            elif not reply(key.fileobj, halves, answer):
                selector.unregister(key.fileobj)
                halves.pop(key.fileobj, None)
                key.fileobj.close()


def accept_all(listener, selector, halves):
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        halves[sock] = b""


def reply(sock, halves, answer):
    try:
        data = sock.recv(65536)
        wire = halves[sock] + data
        count = wire.count(b"\r\n\r\n")
        halves[sock] = wire.rpartition(b"\r\n\r\n")[2] if count else wire
        if count:
            sock.sendall(answer * count)
        return bool(data)
    except OSError:
        return False


class Load:
    """Clients in `processes`, until `finish()`, which gives {outcome: count}: the body of each good answer as text,
    or what went wrong: "connect: reason", "reset", "cut", "status N", ..."""

    def __init__(self, worker, processes, *arguments):
        self.stopping, self.tallies = FORK.Event(), FORK.SimpleQueue()
        self.children = [FORK.Process(target=self._run, args=(worker, arguments), daemon=True) for _ in range(processes)]
        for child in self.children:
            child.start()

    def _run(self, worker, arguments):
        tally = collections.Counter()
        try:
            worker(self.stopping, tally, *arguments)
        except BaseException as error:
            tally[f"client failed: {error!r}"] += 1
        self.tallies.put(tally)

    def finish(self):
        self.stopping.set()
        whole = collections.Counter()
        for _ in self.children:
            whole += self.tallies.get()
        for child in self.children:
            child.join()
        return whole


def outcome_of(action):
    try:
        response = action()
        return response.body.decode("latin-1")[:80] if response.status == 200 else f"status {response.status}"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    except TimeoutError:
        return "timeout"
    except (Cut, Closed):
        return "cut"
    except Malformed as error:
        return f"malformed: {error}"


def new_connections(stopping, tally, address, rate):
    """One request a connection, `rate` a second; what a slow moment delays is caught up with."""
    begun, count = time.monotonic(), 0
    while not stopping.is_set():
        stopping.wait(max(0, begun + count / rate - time.monotonic()))
        count += 1
        try:
            client = RawClient(address)
        except OSError as error:
            tally[f"connect: {error}"] += 1
            continue
        with client:
            tally[outcome_of(lambda: client.get("/", {"Connection": "close"}))] += 1


def kept_connections(stopping, tally, address, count, pause=0.01):
    """`count` connections, each asked again and again; only one that was told to close is replaced silently."""
    clients = [RawClient(address) for _ in range(count)]
    wire = request_bytes()
    while not stopping.is_set():
        for client in clients:
            try:
                client.send(wire)
            except OSError:
                pass                                 # the answer, or its absence, tells
        for index, client in enumerate(clients):
            closing = []

            def answer():
                response = client.response()
                closing.append(response.closes())
                return response
            tally[outcome_of(answer)] += 1
            if closing != [False]:
                client.close()
                clients[index] = RawClient(address)
        stopping.wait(pause)
    for client in clients:
        client.close()
