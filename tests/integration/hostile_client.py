"""One hostile client, and a neighbour as busy that behaves: many short conversations at once, from one process.

An attack is a function that plays one connection: it sends, and yields for how many seconds it does nothing. It returns how the
connection ends: "reset", "close", or "half" (FIN, and 0.3 s later a reset). No attack waits for an answer; `peer.read()` takes
what has come."""

import heapq
import itertools
import random
import socket
import time

from h2_wire import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, RST_STREAM,
                     SETTINGS, WHOLE_BODY, WINDOW_UPDATE, block, frame, integer, number, setting, string)
from wire import connect, request_bytes, reset

DEADLINES = ("1m", "1m", "1m", "0S", "1n", "100u", "5m", "9m", "00000001m", "99999999H", "-1m", "1 m", "1mm", "m", "")
GRPC = {"Content-Type": "application/grpc", "TE": "trailers"}
OPEN_AT_MOST = 250                                  # connections; beyond that, the one whose turn is next is reset


def forged(users, sources):
    """Keys that try to be those of other clients: by name and by address."""
    for name in users:
        yield from (f"{name}|", f"-|{name}", f"|{name}", f"header.x-api-key={name}")
    for source in sources:
        yield from (source, f"-|{source}", f"|{source}", f"-|{source}", f"|client={source}", f"client={source}")


class Peer:
    def __init__(self, address, source, receive_buffer=None):
        self.sock = connect(address, source=source, timeout=2, receive_buffer=receive_buffer)
        self.sock.setblocking(False)

    def send(self, data):
        try:
            self.sock.send(data)                     # what doesn't fit is left out
        except BlockingIOError:
            pass

    def read(self, size=1 << 16):
        try:
            while self.sock.recv(size):
                pass
        except BlockingIOError:
            pass

    def end(self, how):
        try:
            if how == "half":
                self.sock.shutdown(socket.SHUT_WR)
            elif how == "close":
                self.sock.close()
            else:
                reset(self.sock)
        except OSError:
            self.sock.close()


class Conversations:
    """Begins `rate` conversations a second with what `next_one()` gives, and goes on with those under way."""

    def __init__(self, address, source, tally):
        self.address, self.source, self.tally = address, source, tally
        self.due, self.numbers = [], itertools.count()

    def begin(self, attack, *arguments):
        self.tally["begun"] += 1
        try:
            peer = Peer(self.address, self.source, 4096 if attack.__name__.startswith("reads") else None)
        except OSError:
            self.tally["not connected"] += 1
            return
        self.go_on(peer, attack(peer, *arguments))
        if len(self.due) > OPEN_AT_MOST:
            self.due.sort()
            self.due.pop(0)[2].end("reset")

    def go_on(self, peer, steps):
        try:
            wait = next(steps)
        except StopIteration as ended:
            peer.end(ended.value)
            if ended.value == "half":
                heapq.heappush(self.due, (time.monotonic() + 0.3, next(self.numbers), peer, iter(())))
        except OSError:
            self.tally["let go"] += 1                # Weir has ended the connection
            peer.end("close")
        else:
            heapq.heappush(self.due, (time.monotonic() + wait, next(self.numbers), peer, steps))

    def run(self, stopping, rate, next_one):
        begun, count = time.monotonic(), 0
        while not stopping.is_set():
            now = time.monotonic()
            while self.due and self.due[0][0] <= now:
                _, _, peer, steps = heapq.heappop(self.due)
                self.go_on(peer, steps)
            if now >= begun + count / rate:
                count += 1
                self.begin(*next_one())
            stopping.wait(max(0, min([begun + count / rate] + [at for at, *_ in self.due[:1]]) - time.monotonic()))
        for _, _, peer, _ in self.due:
            peer.end("reset")


# --- attacks over HTTP/1.1: (peer, route, who, chance) ---------------------------------------------------------------

class Who(dict):
    """The fields that say who asks; `forged`: keys that try to be others'."""


PAGES = 25                                          # a second: so often all clients turn to the next page


def now_page(route, kind="shared", ahead=0.0):
    """The page that all clients ask for at this moment, or in so many seconds."""
    return f"{route}{kind}/{int((time.monotonic() + ahead) * PAGES)}"


def until_next_page():
    return (1 - time.monotonic() * PAGES % 1) / PAGES


def head_of(path, fields, method="GET"):
    return request_bytes(method, path, fields)


def deadline(peer, route, who, chance):
    for _ in range(3):
        peer.send(head_of(now_page(route, chance.choice(["shared", "vary", "own"]), ahead=chance.random() / PAGES),
                          who | GRPC | {"grpc-timeout": chance.choice(DEADLINES)}))
        yield 0.02
    peer.read()
    return "close"


def upload_never_arrives(peer, route, who, chance):
    fields = who | chance.choice([{"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}])
    fields |= chance.choice([{}, GRPC | {"grpc-timeout": "200m"}, {"Expect": "100-continue"}])
    peer.send(head_of(now_page(route, "own"), fields, chance.choice(["POST", "PUT", "GET"])))
    yield 0.05
    if "Expect" not in fields:
        peer.send(b"5\r\nab")
    yield 3
    return chance.choice(["reset", "close", "half"])


def slow_body(peer, route, who, chance):
    peer.send(head_of(now_page(route, "own"), who | {"Content-Length": "1000"}, "PUT"))
    for _ in range(20):
        yield 0.15
        peer.send(b"x")
    return "reset"


def slow_head(peer, route, who, chance):
    for byte in head_of(now_page(route), who)[:20]:
        peer.send(bytes([byte]))
        yield 0.15
    return chance.choice(["reset", "half"])


def reads_nothing(peer, route, who, chance):
    peer.send(head_of(now_page(route, "big"), who) * 3)
    yield 2
    return "reset"


def reads_slowly(peer, route, who, chance):
    peer.send(head_of(now_page(route, "big"), who))
    for _ in range(20):
        yield 0.1
        try:
            peer.sock.recv(500)
        except BlockingIOError:
            pass
    return "reset"


def reset_anywhere(peer, route, who, chance):
    body = b"x" * 2000
    whole = request_bytes(chance.choice(["POST", "PUT", "GET"]), now_page(route, chance.choice(["shared", "own", "big"])), who, body)
    peer.send(whole[:chance.randrange(len(whole) + 1)])
    yield chance.choice([0, 0.003, 0.01, 0.015])
    return "reset"


def half_close(peer, route, who, chance):
    whole = request_bytes("POST", now_page(route, "own"), who, b"x" * 100)
    peer.send(whole[:chance.choice([len(whole), len(whole) - 50, 30])])
    yield 0.01
    return "half"


def huge_head(peer, route, who, chance):
    more = chance.choice([{f"X-{at}": "y" * 100 for at in range(600)}, {"Cookie": "c=" + "x" * 60_000}, {"X-Api-Key": "k" * 30_000}])
    peer.send(head_of(now_page(route) + chance.choice(["", "?" + "q" * 20_000]), who | more))
    yield 0.1
    peer.read()
    return "reset"


def provokes_errors(peer, route, who, chance):
    """As the first who asks for a page, mostly: then others wait for what comes of it."""
    fields = chance.choice([{"X-Evil": "500"}, {"Cookie": "evil=503"}, {"X-Evil": "502"}])
    yield max(0, until_next_page() - 0.002)
    peer.send(head_of(now_page(route, chance.choice(["shared", "shared", "shared", "vary", "own"]), ahead=0.004), who | fields))
    yield 0.2
    peer.read()
    return "close"


def asks_too_much(peer, route, who, chance):
    peer.send(b"".join(head_of(now_page(route, "shared", ahead=0.1 * at / 25), who) for at in range(25)))
    yield chance.choice([0.005, 0.3])
    return "reset"


def takes_all_places(peer, route, who, chance):
    peer.send(head_of(now_page(route, "own"), who | {"Content-Length": "1000", "X-Api-Key": chance.choice(who.forged)}, "PUT"))
    yield 1.5
    return "reset"


def odd_requests(peer, route, who, chance):
    path = now_page(route)
    peer.send(chance.choice([
        f"GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n".encode(),
        head_of(path, who | {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}),
        head_of(path, who | {"Range": "bytes=0-0,5-9,-1"}), head_of(path, who | {"Cache-Control": "no-store", "X-Evil": "404"}),
        head_of(path, who | {"Cache-Control": "only-if-cached"}), head_of(path, who | {"Connection": "x-user, x-api-key, host, close"}),
        head_of(path, who | {"X-User": "ann,", "X-Forwarded-For": "127.0.0.4"}), head_of(path, who, "DELETE"), b"\x16\x03\x01\0\1" * 50,
        head_of(path, who | {"X-User": "ann ,\tbob", "Max-Forwards": "0"}), b"BREW / HTTP/1.1\r\n\r\n"]))
    yield 0.05
    peer.read()
    return chance.choice(["reset", "half", "close"])


# --- attacks over HTTP/2 ---------------------------------------------------------------------------------------------

def opening(window=WHOLE_BODY):
    return PREFACE + frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, window))) + frame(WINDOW_UPDATE, number(WHOLE_BODY))


def stream_head(stream, path, fields, method="GET", end=END_STREAM):
    pairs = [(":method", method), (":scheme", "http"), (":authority", "weir.test"), (":path", path)]
    pairs += [(name.lower(), value) for name, value in fields.items()]
    return frame(HEADERS, block(pairs), END_HEADERS | end, stream)


def deadlines_of_streams(peer, route, who, chance):
    peer.send(opening() + b"".join(
        stream_head(stream, now_page(route, "own"), who | GRPC | {"grpc-timeout": chance.choice(DEADLINES)}, "POST", 0) +
        (frame(DATA, b"\0\0\0\0\0", END_STREAM, stream) if chance.random() < 0.6 else b"") for stream in range(1, 25, 2)))
    yield chance.choice([0.05, 0.3])
    peer.read()
    return chance.choice(["reset", "close"])


def uploads_of_streams_never_arrive(peer, route, who, chance):
    peer.send(opening() + b"".join(
        stream_head(stream, now_page(route, "own"), who | chance.choice([{}, GRPC, GRPC | {"grpc-timeout": "300m"}]),
                    chance.choice(["POST", "PUT", "GET"]), 0) + frame(DATA, b"\0", 0, stream) for stream in range(1, 9, 2)))
    yield 3
    return chance.choice(["reset", "half"])


def resets_streams(peer, route, who, chance):
    peer.send(opening() + b"".join(stream_head(stream, now_page(route, chance.choice(["shared", "own"])), who) +
                                   frame(RST_STREAM, number(CANCEL), 0, stream) for stream in range(1, 80, 2)))
    yield 0.05
    peer.read()
    return "reset"


def resets_streams_later(peer, route, who, chance):
    peer.send(opening() + b"".join(stream_head(stream, now_page(route, chance.choice(["shared", "own", "big"]), ahead=stream / 300), who)
                                   for stream in range(1, 15, 2)))
    for stream in range(1, 15, 2):
        yield chance.choice([0, 0.002, 0.004])
        peer.send(frame(RST_STREAM, number(CANCEL), 0, stream))
    return "reset"


def reads_no_stream(peer, route, who, chance):
    peer.send(opening(chance.choice([0, 5, 65535])) +
              b"".join(stream_head(stream, now_page(route, chance.choice(["big", "shared"])), who) for stream in range(1, 11, 2)))
    yield 2
    return chance.choice(["reset", "half"])


def reset_in_any_frame(peer, route, who, chance):
    whole = opening() + stream_head(1, now_page(route, "own"), who, "POST", 0) + frame(DATA, b"x" * 500, END_STREAM, 1)
    whole += stream_head(3, now_page(route), who)
    peer.send(whole[:chance.randrange(len(whole) + 1)])
    yield chance.choice([0, 0.003, 0.015])
    return chance.choice(["reset", "half"])


def huge_heads_of_streams(peer, route, who, chance):
    bomb = b"\x40" + string("x-bomb") + string("y" * 3900) + integer(62, 7, 0x80) * 2000
    peer.send(opening() + chance.choice([
        stream_head(1, now_page(route), who | {f"x-{at}": "y" * 20 for at in range(400)}),
        frame(HEADERS, block([(":method", "GET")]) + bomb, END_HEADERS | END_STREAM, 1),
        frame(HEADERS, block([(":method", "GET")]), END_STREAM, 1) + frame(CONTINUATION, block([("x-a", "b" * 900)]), 0, 1) * 60]))
    yield 0.1
    peer.read()
    return "reset"


def floods_of_frames(peer, route, who, chance):
    kind = chance.choice([frame(PING, b"12345678"), frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, 70_000))), frame(WINDOW_UPDATE, number(1))])
    peer.send(opening() + stream_head(1, now_page(route), who))
    for _ in range(5):
        peer.send(kind * 200)
        yield 0.01
    return "reset"


def broken_frames(peer, route, who, chance):
    peer.send(opening() + stream_head(1, now_page(route), who) + chance.choice([
        frame(DATA, b"x", 0, 5), frame(WINDOW_UPDATE, number(0x7FFFFFFF)) * 2, frame(PING, b"1234"), frame(HEADERS, b"\xff" * 30, 5, 3),
        frame(RST_STREAM, number(CANCEL), 0, 99), frame(DATA, b"x" * 20_000, 0, 1), b"garbage" * 100]))
    yield 0.03
    return chance.choice(["reset", "half", "close"])


def forged_keys(peer, route, who, chance):
    key = {"X-Api-Key": chance.choice(who.forged)}
    peer.send(opening() + b"".join(stream_head(stream, now_page(route, "own"), who | key) for stream in range(1, 71, 2)))
    yield 0.1
    peer.read()
    return "close"


def spaces_in_values(peer, route, who, chance):
    peer.send(opening() + stream_head(1, now_page(route, "vary"), who | {"X-User": chance.choice([" ann", "ann ", "ann,", "ann ,", ""])}) +
              stream_head(3, now_page(route, "vary"), who | {"Connection": "close"}) +
              stream_head(5, now_page(route, "shared"), who | {"X-User": "bob,"}))
    yield 0.1
    peer.read()
    return "reset"


EACH_ROUTE = [provokes_errors, deadlines_of_streams, forged_keys]
OTHERS = [deadline, upload_never_arrives, slow_body, slow_head, reads_nothing, reads_slowly, reset_anywhere, half_close, huge_head,
          asks_too_much, takes_all_places, odd_requests, uploads_of_streams_never_arrive, resets_streams, resets_streams_later,
          reads_no_stream, reset_in_any_frame, huge_heads_of_streams, floods_of_frames, broken_frames, spaces_in_values]
# A status that the origin gives for it counts for circuits, whoever asked: it comes once for each visit of a route.


# --- the neighbour that behaves --------------------------------------------------------------------------------------

def behaves(peer, route, who, chance):
    own = {"X-User": "neighbour", "X-Api-Key": f"n{chance.randrange(100)}"}
    peer.send(b"".join(head_of(now_page(route, chance.choice(["shared", "vary", "own", "big"])), own) for _ in range(3)))
    for _ in range(10):
        yield 0.02
        peer.read()
    return "close"


def behaves_over_http2(peer, route, who, chance):
    streams = range(1, 25, 2)
    peer.send(opening() + b"".join(stream_head(stream, now_page(route, chance.choice(["shared", "vary", "own", "own"])),
                                               {"X-User": "neighbour", "X-Api-Key": f"n{chance.randrange(100)}"}) for stream in streams))
    for _ in range(10):
        yield 0.02
        peer.read()
    return "close"


# --- the processes -----------------------------------------------------------------------------------------------------

def hostile(stopping, tally, address, source, walk, rate, victims):
    chance = random.Random(7)
    who = Who({"X-User": "mallory", "X-Api-Key": "mallory"})
    who.forged = list(forged(*victims))
    last, plan = None, []

    def next_one():
        nonlocal last, plan
        at, route = walk.now()
        if at != last:
            last, plan = at, list(EACH_ROUTE)
        attack = plan.pop(0) if plan else next(others)
        tally[attack.__name__] += 1
        return attack, route, who, chance

    def shuffled():
        while True:
            yield from chance.sample(OTHERS, len(OTHERS))
    others = shuffled()
    Conversations(address, source, tally).run(stopping, rate, next_one)


def neighbour(stopping, tally, address, source, walk, rate, victims):
    chance = random.Random(7)
    kinds = itertools.cycle([behaves, behaves_over_http2])
    Conversations(address, source, tally).run(stopping, rate, lambda: (next(kinds), walk.now()[1], {}, chance))
