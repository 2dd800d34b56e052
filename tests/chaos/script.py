"""What an endpoint does with one request. The request's path alone determines it, so that both sides know it:

    /UPSTREAM/FILTERS/TAG/WORD      WORD: a letter (see KINDS) and a number, the seed of everything else
"""

import functools
import random

from content import content, messages

SIZES = (0, 1, 5, 5, 100, 1000, 4096, 16383, 16384, 20000, 65535, 65536, 100_000, 300_000)
LARGE = (400_000, 1_000_000, 2_000_000)
KINDS = {"p": "polite", "s": "polite, large", "w": "wild", "t": "tunnel", "g": "gRPC", "v": "gRPC, wild", "x": "polite, then a response that nobody asked for"}
ENDINGS = ("fin", "rst", "stall", "silent", "extra", "extra", "freeze", "goaway", "reset_stream", "early", "early_reset", "junk",
           "squeeze", "noise")
WHOLE = ("clean", "extra", "early", "early_reset", "squeeze", "noise")    # endings that leave the response whole


class Script:
    """`status`, `framing`, `pieces` (size, pause in seconds) of the response; `ending`: "clean", or what goes wrong after
    `cut` bytes of it; `reads`: whether the request's body is read before, after, or never."""

    def __init__(self, tag, word, is_cached=False):
        self.tag, self.word, self.kind = tag, word, word[0]
        draw = random.Random(f"script {word}")
        self.is_polite = self.kind in "psg"
        self.draw_response(draw, is_cached)
        self.draw_ending(draw)
        if self.kind == "t":
            self.draw_tunnel(draw)

    def draw_response(self, draw, is_cached):
        self.status = draw.choice((200, 200, 200, 200, 200, 200, 204, 304, 302, 403, 413, 500, 503)) if self.kind == "w" else 200
        self.framing = draw.choice(("length", "length", "chunked", "chunked", "close"))
        self.size = draw.choice((*LARGE, *(draw.randint(20_000, 300_000) for _ in LARGE)) if self.kind == "s" else SIZES)
        self.interim = draw.choice((0, 0, 0, 0, 1, 2))
        self.trailers = draw.random() < 0.2
        self.reads = draw.choice(("first", "first", "while")) if self.is_polite else draw.choice(("first", "while", "never"))
        self.delay = draw.choice((0, 0, 0, 0.005, 0.05, 0.2))
        self.sizes = None
        if self.kind in "gv":
            self.sizes = [draw.choice((0, 1, 5, 100, 5000, 20000)) for _ in range(draw.randint(0, 6))]
            self.size, self.framing, self.status = sum(self.sizes), "chunked", 200
        if self.is_cached_status() or self.size == 0:
            self.framing = "length"
        self.max_age = draw.choice((0, 1, 60)) if is_cached else None
        self.body = messages(self.tag, self.sizes) if self.sizes is not None else content(self.tag, self.size)
        if self.status in (204, 304):
            self.body = b""
        self.size = len(self.body)
        self.pieces = list(self.draw_pieces(draw, self.size))

    def is_cached_status(self):
        return self.status in (204, 304)

    @staticmethod
    def draw_pieces(draw, size):
        step = draw.choice((1, 7, 100, 5000, 16384, 20000, 1 << 20))
        step = max(step, size // 12)
        while size > 0:
            piece = min(size, draw.randint(1, step))
            yield piece, draw.choice((0, 0, 0, 0, 0.001, 0.01, 0.05))
            size -= piece

    def draw_ending(self, draw):
        self.ending = "extra" if self.kind == "x" else "clean"
        if self.kind in "wv" and draw.random() < 0.6:
            self.ending = draw.choice(ENDINGS)
        self.cut = draw.choice((0, 1, self.size // 2, max(self.size - 1, 0), self.size))
        self.code = draw.choice((0, 0, 1, 2, 5, 7, 8, 11))         # of an RST_STREAM or GOAWAY
        self.late = draw.choice((0, 0, 0.002, 0.02, 0.1, 0.4))      # seconds before what goes wrong
        if self.kind == "x":
            self.late, self.framing, self.delay, self.reads = draw.choice((0, 0, 0, 0.001)), "length", 0, "first"

    def draw_tunnel(self, draw):
        """`turns`: (what, size or seconds). The last one is how the endpoint leaves."""
        self.grant = draw.choice((True, True, True, False))
        self.refusal = draw.choice((403, 403, 404, 500, 200))
        self.refusal_size = draw.choice((0, 0, 5, 1000))
        self.turns = []
        for _ in range(draw.randint(0, 6)):
            what = draw.choice(("send", "send", "pause", "read"))
            self.turns.append((what, draw.choice((0, 0.01, 0.1)) if what == "pause" else draw.choice((0, 5, 100, 5000, 66_000))))
        self.turns.append((draw.choice(("close", "close", "fin", "rst", "hold", "hold", "echo_close")), 0))

    def __repr__(self):
        return (f"{KINDS[self.kind]}: {self.status} {self.framing} {self.size} B in {len(self.pieces)} pieces, reads {self.reads}, "
                f"ending {self.ending} at {self.cut} after {self.late} s, code {self.code}"
                + (f", turns {self.turns}, grant {self.grant}" if self.kind == "t" else ""))


@functools.lru_cache(maxsize=1024)
def script_of(path):
    """None for a path that is no script's."""
    parts = path.split("?")[0].strip("/").split("/")
    if len(parts) != 4 or parts[3][:1] not in KINDS:
        return None
    return Script(parts[2], parts[3], is_cached=parts[1] in ("cache", "all"))
