"""What a round's clients do. Everything is drawn here, before anything is sent, so that a seed names a round."""

import random

from h2_wire import block, frame, number, setting
from script import script_of

WILD, POLITE = ("h1", "h2", "s1", "s2"), ("ph1", "ph2", "ps1", "ps2")   # upstreams: HTTP version, s = over TLS, p = polite
HTTP2_UPSTREAMS = ("h2", "s2", "ph2", "ps2")
FILTERS = ("plain", "plain", "plain", "retry", "cache", "hedge", "fall", "limit", "all")
ENDS = ("close", "fin", "rst", "hold", "hold", "hold")
WINDOWS = (0, 5, 5, 1000, 65535, 65535, 1 << 20, 1 << 20)
PAUSES = (0, 0, 0.001, 0.01, 0.05, 0.2)
STALLS = (0.05, 0.3, 1.3)
CODES = (0, 0, 1, 2, 3, 5, 7, 8, 8, 8, 11)
UPLOADS = (0, 0, 0, 1, 5, 100, 5000, 70_000, 300_000)


class Request:
    """`upload`: bytes of the body; `sent`: how many of them are sent before the client does something else; `is_checked`:
    the endpoint is told what the body must be."""

    def __init__(self, draw, upstream, filters, tag, letter, strict=False):
        self.upstream, self.filters, self.strict = upstream, filters, strict
        self.path = f"/{upstream}/{filters}/{tag}/{letter}{draw.randrange(1 << 30)}"
        if filters in ("cache", "all"):             # few objects for many requests
            one = draw.randrange(12)
            self.path = f"/{upstream}/{filters}/{tag.split('c')[0]}o{one}/{letter}{tag.split('c')[0]}{one}"
        self.method = draw.choice(("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE"))
        self.upload = draw.choice(UPLOADS) if self.method in ("POST", "PUT") else 0
        self.is_chunked = draw.random() < 0.4
        self.expects = self.upload and draw.random() < 0.2
        self.fragment = draw.choice((None, None, None, 1, 7, 31, 1000))
        self.sent = self.upload
        self.version = "1.1"

    @property
    def script(self):
        return script_of(self.path)

    def __repr__(self):
        return f"{self.method} {self.path} ({self.script!r})" + (f", upload {self.sent} of {self.upload} B" if self.upload else "")


class Conversation:
    """`kind`: how the client speaks; `listener`: "plain", "tls" or "extra"; `begins`: seconds after the round;
    `end`: how it leaves, "hold" waits for Weir to close; `buffer`: of its socket, for what it doesn't read."""

    def __init__(self, index, kind, draw, spread):
        self.index, self.kind = index, kind
        self.begins = draw.random() ** 1.3 * spread
        self.listener = draw.choice(("plain", "plain", "tls", "extra"))
        self.end, self.buffer = draw.choice(ENDS), draw.choice((None, None, 4096))
        self.is_strict = False
        self.requests, self.steps = [], []

    def __repr__(self):
        return f"conversation {self.index}: {self.kind} over {self.listener}, ends by {self.end}, begins at {self.begins:.3f} s"


KINDS = {"polite1": 14, "polite2": 14, "wild1": 18, "wild2": 26, "slow2": 5, "slow1": 3, "websocket1": 7, "websocket2": 9,
         "late2": 0, "full2": 8, "unasked": 3, "grpc": 7, "grpc_web": 4, "odd": 8}         # and their weights; 0: only by --kinds


def draw_round(seed, count, spread, kinds=None):
    """The conversations of a round, [(seconds, configuration)] of its reloads, and when it is told to end, or None.
    `kinds`: the only ones of KINDS."""
    draw, reloading = random.Random(f"round {seed}"), random.Random(f"reloads {seed}")
    kinds = {kind: max(KINDS[kind], 1) for kind in kinds} if kinds else KINDS
    conversations = []
    for index in range(count):
        kind = draw.choices(list(kinds), kinds.values())[0]
        one = Conversation(index, kind, random.Random(f"conversation {seed} {index}"), spread)
        DRAW[kind](random.Random(f"steps {seed} {index}"), one, f"r{seed}c{index}")
        for request in one.requests:                 # broken frames may carry bytes of a body
            request.is_checked = all(step[0] != "junk" for step in one.steps)
        conversations.append(one)
    reloads = sorted((reloading.random() * spread, reloading.randrange(1 << 20)) for _ in range(reloading.choice((0, 1, 2, 3))))
    drain_at = reloading.random() * spread if reloading.random() < 0.12 else None
    return conversations, reloads, drain_at


# -- HTTP/1.1

def polite1(draw, one, tag):
    one.listener, one.is_strict, one.end = draw.choice(("plain", "tls")), True, draw.choice(("close", "fin", "hold"))
    one.buffer = None
    for index in range(draw.randint(1, 5)):
        filters = draw.choice(("plain", "plain", "retry", "cache", "hedge"))
        request = Request(draw, draw.choice(POLITE), filters, f"{tag}q{index}", "p", strict=True)
        one.requests.append(request)
        one.steps.append(("request", index))
        if draw.random() < 0.7:
            one.steps.append(("responses",))
        one.steps.append(("pause", draw.choice(PAUSES)))
    one.steps.append(("responses",))


def slow1(draw, one, tag):
    """Reads late, but in time."""
    polite1(draw, one, tag)
    one.buffer = 4096
    one.requests = [slow_request(draw, f"{tag}q0")]
    one.steps = [("request", 0), ("stall", draw.choice(STALLS)), ("responses",)]


def slow_request(draw, tag):
    request = Request(draw, draw.choice(POLITE), "plain", tag, "s", strict=True)
    request.method, request.upload, request.sent = "GET", 0, 0
    return request


def unasked(draw, one, tag):
    """Many requests of an endpoint that answers more often than it is asked."""
    one.end = "close"
    for index in range(10):
        request = Request(draw, "h1", "plain", f"{tag}q{index}", "x")
        request.method, request.upload, request.sent = "GET", 0, 0
        one.requests.append(request)
        one.steps += [("request", index), ("responses",)]


JUNK1 = (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nS", b"GET / HTTP/1.1\r\nHost: x\r\n",
         b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n\r\n\r\n\r\n", b"POST /h1/plain/a/p1 HTTP/1.1\r\nHost: x\r\n"
         b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000,
         b"POST /h1/plain/a/p2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")


def wild1(draw, one, tag):
    for index in range(draw.randint(1, 5)):
        request = Request(draw, draw.choice(WILD), draw.choice(FILTERS), f"{tag}q{index}", draw.choice("wwwwp"))
        request.version = draw.choice(("1.1", "1.1", "1.1", "1.0"))
        if request.version == "1.0":
            request.is_chunked = False
        if request.upload and draw.random() < 0.4:
            request.sent = draw.randrange(request.upload)
        one.requests.append(request)
        one.steps.append(("request", index))
        what = draw.choice(("responses", "responses", "pause", "stall", "cut", "next", "next", "junk"))
        if what == "cut" or request.sent < request.upload:
            one.steps.append(("pause", draw.choice(PAUSES)))
            break
        one.steps.append({"responses": ("responses",), "pause": ("pause", draw.choice(PAUSES)), "next": ("pause", 0),
                          "stall": ("stall", draw.choice(STALLS)), "junk": ("junk", draw.randrange(len(JUNK1)))}[what])
        if what == "junk":
            break


def websocket1(draw, one, tag):
    one.requests = [tunnel_request(draw, tag)]
    one.steps = [("upgrade", 0), *tunnel_steps(draw)]


def tunnel_request(draw, tag):
    request = Request(draw, draw.choice(WILD), draw.choice(("plain", "tun", "tun", "retry")), f"{tag}q0", "t")
    request.method, request.upload, request.sent = "GET", 0, 0
    return request


def tunnel_steps(draw):
    steps = []
    for _ in range(draw.randint(0, 6)):
        what = draw.choice(("say", "say", "pause", "stall"))
        steps.append((what, {"say": draw.choice((0, 5, 100, 5000, 66_000)), "pause": draw.choice(PAUSES), "stall": draw.choice(STALLS)}[what]))
    return [*steps, *draw.choice(((), (("bye",),), (("bye",),)))]


# -- HTTP/2

def polite2(draw, one, tag):
    one.listener, one.is_strict, one.end = draw.choice(("plain", "tls")), True, draw.choice(("close", "hold"))
    one.buffer = None
    one.window, one.connection_window, one.grants = draw.choice((5000, 65535, 1 << 20)), draw.choice((65535, 1 << 20)), True
    for index in range(draw.randint(1, 10)):
        filters = draw.choice(("plain", "plain", "retry", "cache", "hedge"))
        one.requests.append(Request(draw, draw.choice(POLITE), filters, f"{tag}q{index}", "p", strict=True))
        one.steps += [("request", index), ("pause", draw.choice(PAUSES))]
        if draw.random() < 0.3:
            one.steps.append(("responses",))
    one.steps.append(("responses",))


def slow2(draw, one, tag):
    """Reads late, but in time."""
    polite2(draw, one, tag)
    one.buffer, one.window, one.connection_window = 4096, 1 << 20, 1 << 20
    stall = draw.choice((0.3, 1.3, 2.2))
    one.requests = [slow_request(draw, f"{tag}q{index}") for index in range(draw.randint(1, 2))]
    one.steps = [*[("request", index) for index in range(len(one.requests))], ("stall", stall), ("responses",)]


def late2(draw, one, tag):
    """Reads so late that the connection would be idle, and its linger over, if what the kernel holds counted as taken."""
    slow2(draw, one, tag)
    one.steps[-2] = ("stall", 3.1)


def junk2(draw):
    """A frame that breaks a rule, or is odd."""
    big, one = b"\0" * 20_000, draw.choice((1, 3, 5))
    return draw.choice((
        frame(0, b"x", stream=0), frame(0, b"x", stream=one), frame(0, big, stream=one), frame(1, b"\xff\xff\xff", 4, one),
        frame(1, block([(":method", "GET")]), 5, 101), frame(2, b"\0\0\0\0\x10", stream=one), frame(3, b"\0\0", stream=one),
        frame(3, number(8), stream=99), frame(4, b"\0" * 5), frame(4, setting((4, 1 << 31))), frame(4, b"", 1), frame(5, b"\0\0\0\0", 4, one),
        frame(6, b"1234567"), frame(6, b"12345678"), frame(6, b"12345678", 1), frame(7, number(0) + number(0)), frame(7, b"\0\0"),
        frame(8, number(0), stream=one), frame(8, number((1 << 31) - 1)), frame(8, number((1 << 31) - 1), stream=one), frame(9, b"x", 4, one),
        frame(0x33, b"whatever", 255, one), frame(1, block([(":method", "GET"), ("Upper", "case")]), 5, 103), b"\xff" * 9,
        frame(1, block([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("x", "y" * 60_000)])[:16384], 1, 105), b"\0\0"))


def wild2(draw, one, tag):
    one.window, one.connection_window = draw.choice(WINDOWS), draw.choice((65535, 1 << 20))
    one.grants = draw.random() < 0.6
    for index in range(draw.randint(1, 12)):
        what = draw.choice(("request",) * 9 + ("reset",) * 5 + ("window", "window", "settings", "ping", "stall", "responses", "responses",
                           "responses", "junk", "goaway", "end", "flood"))
        if what == "request" or not one.requests:
            request = Request(draw, draw.choice(WILD), draw.choice(FILTERS), f"{tag}q{index}", draw.choice("wwwwp"))
            if request.upload and draw.random() < 0.5:
                request.sent = draw.randrange(request.upload)
            one.requests.append(request)
            one.steps.append(("request", len(one.requests) - 1))
        elif what == "reset":
            one.steps.append(("reset", draw.randrange(len(one.requests)), draw.choice(CODES)))
        elif what == "end":
            one.steps.append(("end", draw.randrange(len(one.requests))))
        elif what == "window":
            one.steps.append(("window", draw.choice((-1, draw.randrange(len(one.requests)))), draw.choice((1, 5, 1000, 100_000))))
        elif what == "settings":
            one.steps.append(("settings", draw.choice(((4, 0), (4, 5), (4, 65535), (4, 1 << 20), (1, 0), (1, 4096), (3, 0), (5, 16384)))))
        elif what == "stall":
            one.steps.append(("stall", draw.choice(STALLS)))
        elif what == "junk":
            one.steps.append(("junk", junk2(draw)))
        else:
            one.steps.append((what,))
        one.steps.append(("pause", draw.choice(PAUSES)))


def full2(draw, one, tag):
    """Responses that just fit the window, or have no body, and a client that leaves their streams then."""
    one.window, one.connection_window, one.grants = draw.choice((5, 5, 100, 1000)), 1 << 20, draw.random() < 0.3
    if draw.random() < 0.4:
        one.steps.append(("stall", 0.05))
    for index in range(draw.randint(1, 6)):
        for _ in range(30):
            request = Request(draw, draw.choice(WILD), draw.choice(FILTERS), f"{tag}q{index}", draw.choice("wwp"))
            if request.script.size in (0, one.window) and request.script.ending in ("clean", "early", "early_reset"):
                break
        one.requests.append(request)
        one.steps += [("request", index), ("pause", draw.choice((0, 0.01, 0.05, 0.3)))]
        what = draw.choice(("reset", "reset", "reset", "window", "goaway", "junk", "ping"))
        one.steps.append({"reset": ("reset", index, draw.choice(CODES)), "window": ("window", index, 1000), "goaway": ("goaway",),
                          "junk": ("junk", junk2(draw)), "ping": ("ping",)}[what])


def websocket2(draw, one, tag):
    one.window, one.connection_window, one.grants = draw.choice(WINDOWS), 1 << 20, draw.random() < 0.8
    one.requests = [tunnel_request(draw, tag)]
    one.steps = [("connect", 0), *tunnel_steps(draw)]
    if draw.random() < 0.3:
        one.steps.append(("reset", 0, draw.choice(CODES)))


def grpc(draw, one, tag):
    one.window, one.connection_window, one.grants = draw.choice(WINDOWS), 1 << 20, draw.random() < 0.8
    for index in range(draw.randint(1, 4)):
        request = Request(draw, draw.choice(("h2", "s2")), draw.choice(("plain", "retry", "hedge", "limit")), f"{tag}q{index}", draw.choice("gvv"))
        request.method, request.upload = "POST", draw.choice((5, 5, 105, 5005))
        request.sent = draw.choice((0, 5, request.upload, request.upload, request.upload))
        request.sent = min(request.sent, request.upload)
        one.requests.append(request)
        one.steps += [("call", index), ("pause", draw.choice(PAUSES))]
        if draw.random() < 0.3:
            one.steps.append(("reset", index, draw.choice(CODES)))
        elif draw.random() < 0.5:
            one.steps.append(("responses",))


def grpc_web(draw, one, tag):
    request = Request(draw, draw.choice(("h2", "s2")), "web", f"{tag}q0", draw.choice("gvv"))
    request.method, request.upload = "POST", draw.choice((5, 105, 5005))
    request.sent = draw.choice((0, request.upload, request.upload))
    request.is_text = draw.random() < 0.4
    one.window, one.connection_window, one.grants = draw.choice(WINDOWS), 1 << 20, draw.random() < 0.8
    one.requests = [request]
    one.steps = [("call", 0), draw.choice((("responses",), ("pause", 0.05), ("stall", 0.3)))]


# -- odd states, held until Weir ends them

def odd(draw, one, tag):
    """`prefix`: bytes sent before the client only waits."""
    one.end, preface = "hold", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4)
    head = lambda number, end=5: frame(1, block([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/h1/plain/odd/p1")]), end, number)
    one.prefix = draw.choice((
        b"", b"G", b"PRI * HT", preface[:24], preface, preface + frame(6, b"12345678"), preface + head(1) + frame(3, number(8), stream=1),
        preface + frame(7, number(0) + number(0)) + frame(6, b"12345678"), preface + frame(1, block([(":method", "GET"), ("Bad", "x")]), 5, 1),
        preface + head(1) + frame(7, number(0) + number(0)), preface + head(1, 4) + frame(3, number(0), stream=1), preface + head(1, 4),
        preface + head(1)[:20], preface + frame(1, b"\x82", 1, 1), preface + frame(0, b"x" * 10, stream=1)[:12],
        b"GET /h1/plain/odd/p1 HTTP/1.1\r\nHost: a\r\n", b"GET /h1/plain/odd/p1 HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00"
        b"\x01\x00\x01\xfc\x03\x03", b"POST /h1/plain/odd/p1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", preface + b"".join(
            head(at) + frame(3, number(8), stream=at) for at in range(1, 40, 2)), b"\r\n", b"\r\n\r\n"))
    one.pings = draw.choice((0, 0, 0, 3))
    one.steps = [("odd",)]


DRAW = {name: globals()[name] for name in ("polite1", "polite2", "wild1", "wild2", "slow1", "slow2", "late2", "full2", "unasked", "websocket1", "websocket2", "grpc",
                                          "grpc_web", "odd")}
