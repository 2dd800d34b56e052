"""The endpoints behind Weir: each request's path says what becomes of it (script.py)."""

import asyncio
import socket
import traceback

from content import SIZE, TAG, UPLOAD, content
from h2_wire import (END_HEADERS, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, PREFACE, RST_STREAM, SETTINGS, frame,
                     number, setting)
from http1 import Malformed, Reader, head_bytes
from http2 import Peer
from link import Gone, Link, Trace
from script import WHOLE, script_of
from websocket_peers import CLOSE, accept_of
from websocket_peers import frame as websocket_frame

TIMED_OUT = (0.98, 1.1)                             # seconds: Weir resets a stream so late for want of a response
PROBED = 0.5                                        # seconds after the second such reset until no new request comes
NOTICED = 0.1                                       # seconds in which Weir has noticed bytes that nobody asked for
ENABLE_CONNECT_PROTOCOL = 8
NOISE = (frame(0x33, b"whatever", 255, 1) + frame(6, b"pingpong") + frame(2, b"\0\0\0\0\x10", stream=1) + frame(4) + frame(8, number(5)) +
         frame(3, number(8), stream=1))
CLOSE_FRAME = websocket_frame(b"\x03\xe8", CLOSE)


class Endpoint:
    """Listens, and plays scripts over HTTP/1.1 or HTTP/2. `found` is called with what must not happen."""

    def __init__(self, name, found, is_http2, context=None, host="127.0.0.1"):
        self.name, self.found, self.is_http2, self.context = name, found, is_http2, context
        self.links, self.tasks, self.count, self.unasked = set(), set(), 0, 0
        self.traces = {}                            # tag: the traces of connections that it came over
        self.socket = socket.create_server((host, 0), backlog=4096)
        self.socket.setblocking(False)
        self.address = "%s:%d" % self.socket.getsockname()

    def start(self):
        self.acceptor = asyncio.ensure_future(self.accept())

    async def accept(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self.socket)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.count += 1
            task = asyncio.ensure_future(self.serve(sock, self.count))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, sock, index):
        trace = Trace(f"endpoint {self.name}, connection {index}")
        link = Link(sock, trace, self.context, server_side=True)
        self.links.add(link)
        try:
            await link.handshake()
            await (Http2End if self.is_http2 else Http1End)(self, link).serve()
        except Gone as gone:
            trace.say("<", f"the end: {gone}")
        except Malformed as error:
            self.found("a malformed request reached an endpoint", f"{error}", trace)
        except Exception:
            self.found("the generator failed", traceback.format_exc(), trace)
        finally:
            link.close()
            self.links.discard(link)

    def came(self, tag, trace):
        traces = self.traces.setdefault(tag, [])
        if trace not in traces and len(traces) < 8:
            traces.append(trace)

    def check_upload(self, script, declared, body, is_complete, trace):
        """What came of a request's body is its beginning, and all of it if it ended well."""
        if declared is None:
            return
        size, whole = int(declared), content("up-" + script.tag, int(declared))
        if not whole.startswith(bytes(body)):
            self.found("a request's body is another's", f"{script.tag}: {bytes(body[:80])!r}", trace)
        elif is_complete and len(body) != size:
            self.found("a request's body ended early, and well", f"{script.tag}: {len(body)} of {size} B", trace)

    async def stop(self):
        self.acceptor.cancel()
        self.socket.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def response_fields(script):
    fields = [(TAG, script.tag)]
    if not (script.framing == "close" and script.kind not in "gv"):
        fields.append((SIZE, str(script.size)))
    if script.max_age is not None:
        fields.append(("cache-control", f"max-age={script.max_age}"))
    if script.status in (301, 302):
        fields.append(("location", "/elsewhere"))
    if script.kind in "gv":
        fields.append(("content-type", "application/grpc"))
    return fields


def pieces_until(script, cut):
    """(bytes, pause) of the body up to `cut`."""
    at = 0
    for size, pause in script.pieces:
        if at >= cut:
            return
        size = min(size, cut - at)
        yield script.body[at:at + size], pause
        at += size


async def pause(seconds):
    if seconds:
        await asyncio.sleep(seconds)


class Http1End:
    def __init__(self, endpoint, link):
        self.endpoint, self.link, self.reader = endpoint, link, Reader(link)
        self.poisoned_at = None                     # when a response was sent that nobody had asked for

    async def serve(self):
        while True:
            message = await self.reader.head()
            method, path, _ = message.start.split(" ", 2)
            self.link.trace.say("<", message.start)
            script = script_of(path)
            if script is None:
                raise Malformed(f"not a path of the generator's: {path!r}")
            self.endpoint.came(script.tag, self.link.trace)
            if self.poisoned_at:
                since = asyncio.get_running_loop().time() - self.poisoned_at
                if since > NOTICED:
                    self.endpoint.found("a connection is used again after bytes that nobody asked for", f"{since:.3f} s after them",
                                        self.link.trace, is_timed=True)
                return                              # this request has crossed with them: any further response would be another's
            if script.kind == "t":
                return await self.tunnel(script, message)
            if not await self.answer(script, message, method) or message.closes():
                return

    async def upload(self, script, message):
        is_told = message.get(UPLOAD)
        try:
            await self.reader.body(message, until_close=False)
        finally:
            self.endpoint.check_upload(script, is_told, message.body, message.is_complete, self.link.trace)

    async def answer(self, script, message, method):
        """Whether the connection may carry another request."""
        say = self.link.trace.say
        say("=", script.tag, script)
        reading = None
        if script.reads == "first" and script.ending not in ("early", "early_reset"):
            await self.upload(script, message)
        elif script.reads == "while" or script.is_polite:
            reading = asyncio.ensure_future(self.upload(script, message))
        try:
            await pause(script.delay)
            goes_on = await self.play(script, method, reading)
            if reading and goes_on:
                await reading
            return goes_on and (reading is not None or message.is_complete)
        finally:
            if reading:
                reading.cancel()

    async def hold(self, reading):
        """Sends nothing more until the connection ends. Only one of two readers at a time: the request's body comes first."""
        if reading:
            await reading
        await self.link.until_closed()

    async def play(self, script, method, reading):
        ending, send = script.ending, self.link.send
        if ending == "freeze" or ending == "silent":
            await self.hold(reading)
            return False
        if ending == "junk":
            await send(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nab\r\n\0")
            return False
        for _ in range(script.interim):
            await send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        is_bodiless = method == "HEAD" or script.status in (204, 304)
        fields, is_chunked = response_fields(script), script.framing == "chunked"
        if script.framing == "length" and script.status != 204:
            fields.append(("Content-Length", str(script.size)))
        elif is_chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        closes = script.framing == "close" and not is_bodiless
        if closes:
            fields.append(("Connection", "close"))
        await send(head_bytes(f"HTTP/1.1 {script.status} Scripted", fields))
        cut = script.size if ending in WHOLE else script.cut
        if not is_bodiless:
            for piece, wait in pieces_until(script, cut):
                await send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
                await pause(wait)
        if ending in ("fin", "goaway", "reset_stream"):
            await pause(script.late)
            await self.link.finish()
            return False
        if ending == "rst":
            await pause(script.late)
            self.link.reset()
            return False
        if ending == "stall":
            await self.hold(reading)
            return False
        if is_chunked and not is_bodiless:
            await send(b"0\r\n" + (b"X-Trailer: 1\r\n" if script.trailers else b"") + b"\r\n")
        if ending == "early_reset":
            await pause(script.late)
            self.link.reset()
            return False
        if ending == "extra" and not closes:        # what is delimited by the end can't be followed by anything
            await pause(script.late)
            if self.reader.pending or self.link.has_pending():
                return True                         # the next request is here: this would be its response
            self.poisoned_at = asyncio.get_running_loop().time()
            self.endpoint.unasked += 1
            self.link.trace.say(">", "a response that nobody asked for")
            await send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nx-tag: unasked\r\n\r\npoison")
        if closes:
            await self.link.finish()
        return not closes

    async def tunnel(self, script, message):
        say, send = self.link.trace.say, self.link.send
        say("=", script.tag, script)
        if not script.grant or not message.get("sec-websocket-key"):
            status = script.refusal if script.refusal != 200 else 403
            body = content(script.tag, script.refusal_size)
            await send(head_bytes(f"HTTP/1.1 {status} No", [(TAG, script.tag), (SIZE, len(body)), ("Content-Length", len(body))]) + body)
            return
        await send(head_bytes("HTTP/1.1 101 Switching Protocols", [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), (TAG, script.tag),
            ("Sec-WebSocket-Accept", accept_of(message.get("sec-websocket-key")))]))

        async def read(count):
            if not self.reader.pending and not await self.reader.fill():
                raise Gone("ended")
            self.reader.pending.clear()
        await play_tunnel(script, send, read, self.link.until_closed, end=self.link.half_close, reset=self.link.reset)


async def play_tunnel(script, send, read, until_closed, end, reset):
    """`send` takes bytes, `read` waits for some, `end` half-closes."""
    for index, (what, measure) in enumerate(script.turns):
        if what == "send":
            await send(websocket_frame(content(f"{script.tag}-{index}", measure)))
        elif what == "pause":
            await pause(measure)
        elif what == "read":
            await read(measure)
        elif what == "rst":
            return await finish(reset())
        elif what == "hold":
            return await until_closed()
        else:
            if what == "echo_close":
                await read(1)
            if what != "fin":
                await send(CLOSE_FRAME)
            await finish(end())
            return await until_closed()


async def finish(perhaps):
    if perhaps is not None:
        await perhaps


def tunnel_bytes(script):
    """All that the endpoint may send through the tunnel. A refusal with 200 grants it over HTTP/2."""
    if not script.grant:
        return content(script.tag, script.refusal_size)
    frames = [websocket_frame(content(f"{script.tag}-{index}", measure))
              for index, (what, measure) in enumerate(script.turns) if what == "send"]
    return b"".join(frames) + (CLOSE_FRAME if script.turns[-1][0] in ("close", "echo_close") else b"")


class Http2End(Peer):
    def __init__(self, endpoint, link):
        window = 5000 if endpoint.name.endswith("1") else 1 << 20
        super().__init__(link, window, settings=((ENABLE_CONNECT_PROTOCOL, 1),))
        self.endpoint, self.tasks, self.timed_out, self.timed_out_at = endpoint, set(), 0, None

    async def serve(self):
        if await self.exactly(len(PREFACE)) != PREFACE:
            raise Malformed("no preface")
        await self.send(self.opening)
        try:
            await self.read()
        finally:
            for task in self.tasks:
                task.cancel()

    def came(self, stream):
        now = asyncio.get_running_loop().time()
        stream.began = now
        if self.timed_out_at and now > self.timed_out_at + PROBED:
            self.endpoint.found("a dead HTTP/2 connection is used again",
                                f"{now - self.timed_out_at:.1f} s after two requests over it have timed out", self.link.trace,
                                is_timed=True)
        task = asyncio.ensure_future(self.answer(stream))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def take(self, kind, flags, number, payload):
        await super().take(kind, flags, number, payload)
        if kind == RST_STREAM and self.is_frozen and number in self.streams:
            now, stream = asyncio.get_running_loop().time(), self.streams[number]
            # What began earlier has had other frames of the connection in its time.
            if TIMED_OUT[0] < now - stream.began < TIMED_OUT[1] and not stream.has_response and stream.began > self.frozen_at:
                self.timed_out += 1
                if self.timed_out == 2:              # one may be a client that left
                    self.timed_out_at = now

    async def answer(self, stream):
        fields = dict(stream.fields)
        script = script_of(fields[":path"])
        if script is None:
            return self.endpoint.found("a malformed request reached an endpoint", fields[":path"], self.link.trace)
        self.endpoint.came(script.tag, self.link.trace)
        self.say("=", f"stream={stream.number}", script.tag, script)
        try:
            if script.kind == "t":
                return await self.tunnel(script, stream, fields)
            await pause(script.delay)
            await self.play(script, stream, fields)
            if script.is_polite:
                await self.uploaded(stream)
        except Gone as gone:
            self.say("=", f"stream={stream.number} cannot go on: {gone}")
        except Exception:
            self.endpoint.found("the generator failed", traceback.format_exc(), self.link.trace)
        finally:
            self.endpoint.check_upload(script, fields.get(UPLOAD), stream.body, stream.is_complete, self.link.trace)

    async def uploaded(self, stream):
        while not stream.is_over and not self.has_ended:
            await self.change()

    async def play(self, script, stream, fields):
        ending, at = script.ending, stream.number
        if script.reads == "first" and ending not in ("early", "early_reset"):
            await self.uploaded(stream)
        if ending == "silent":
            return
        if ending == "freeze":
            if not self.is_frozen:
                self.is_frozen, self.frozen_at = True, asyncio.get_running_loop().time()
            return
        if ending == "junk":
            return await self.put(HEADERS, b"\xff\xff\xff", END_HEADERS, at)
        if ending == "squeeze":                     # nothing may be sent to it for a while, and nothing new begun
            await self.put(SETTINGS, setting((INITIAL_WINDOW_SIZE, 0), (MAX_CONCURRENT_STREAMS, 1)))
            await pause(script.late)
            await self.put(SETTINGS, setting((INITIAL_WINDOW_SIZE, 65535), (MAX_CONCURRENT_STREAMS, 100)))
        elif ending == "noise":
            await self.send(NOISE, "noise")
        for _ in range(script.interim):
            await self.head(at, [(":status", "103"), ("link", "</a>")])
        is_bodiless = fields[":method"] == "HEAD" or script.status in (204, 304)
        cut = script.size if ending in WHOLE else script.cut
        trailers = [("x-trailer", "1")] if script.trailers else []
        if script.kind in "gv":
            trailers = [("grpc-status", "0")]
        ends = ending in WHOLE
        head = [(":status", str(script.status)), *response_fields(script)]
        if script.framing == "length" and script.status != 204:
            head.append(("content-length", str(script.size)))
        has_data = not is_bodiless and script.size > 0
        stream.has_response = True
        await self.head(at, head, end=ends and not has_data and not trailers, split=20 if script.late == 0.02 else 0)
        if has_data:
            left = cut
            for piece, wait in pieces_until(script, cut):
                left -= len(piece)
                last = ends and not left and not trailers
                if not await self.data(stream, piece, end=last, padding=7 if script.late == 0.1 else 0):
                    return
                await pause(wait)
        if ends and trailers:
            await self.head(at, trailers, end=True)
        await self.leave(script, stream)

    async def leave(self, script, stream):
        """What goes wrong after the response, or instead of its rest."""
        if script.ending not in ("clean", "stall"):
            await pause(script.late)
        if script.ending in ("early_reset", "extra"):
            await self.reset(stream.number, 0 if script.ending == "early_reset" else script.code)
        elif script.ending == "reset_stream":
            await self.reset(stream.number, script.code)
        elif script.ending == "goaway":
            await self.put(GOAWAY, number(stream.number) + number(script.code))
        elif script.ending == "fin":
            self.link.half_close()
        elif script.ending == "rst":
            self.link.reset()

    async def tunnel(self, script, stream, fields):
        async def reset():
            await self.reset(stream.number, script.code)
        if not script.grant or ":protocol" not in fields:
            status, body = script.refusal, content(script.tag, script.refusal_size)
            if ":protocol" not in fields and status == 200:
                status = 403
            await self.head(stream.number, [(":status", str(status)), (TAG, script.tag), (SIZE, str(len(body)))], end=not body)
            if body:
                await self.data(stream, body, end=True)
            await pause(script.late)
            return await self.reset(stream.number, script.code) if script.ending != "clean" or script.late else None
        await self.head(stream.number, [(":status", "200"), (TAG, script.tag)])

        async def send(data):
            if not await self.data(stream, data):
                raise Gone("the stream was reset")

        async def read(count):
            before = len(stream.body)
            while len(stream.body) == before and not stream.is_over and not self.has_ended:
                await self.change()
        await play_tunnel(script, send, read, lambda: self.uploaded(stream), lambda: self.data(stream, b"", end=True), reset)
