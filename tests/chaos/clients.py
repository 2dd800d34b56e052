"""The clients in front of Weir: each plays the steps of its conversation and judges every response."""

import asyncio
import base64
import contextlib

import plan
from content import TAG, UNASKED, UPLOAD, content
from endpoints import tunnel_bytes
from h2_wire import DATA, GOAWAY, PING, PREFACE, SETTINGS, WINDOW_UPDATE, number, setting
from http1 import Malformed, Reader, head_bytes
from http2 import Peer
from link import Gone, Link
from websocket_peers import CLOSE
from websocket_peers import frame as websocket_frame
from websocket_peers import upgrade_fields

HTTP1_KINDS = ("polite1", "slow1", "wild1", "unasked", "websocket1")
BRIEF = 0.4                                         # seconds that a wild client waits for responses
GOING_AWAY = websocket_frame(b"\x03\xe9", CLOSE)
GRPC_WEB, GRPC_WEB_TEXT = "application/grpc-web+proto", "application/grpc-web-text"
ENDS_SHORT = ("fin", "goaway", "reset_stream")      # of a close-delimited response over HTTP/1.1, this is its end


class Judge:
    """Is a response what its request must get? `found(kind, detail, is_timed)` is told otherwise."""

    def __init__(self, found, unasked):
        self.found, self.unasked = found, unasked

    def response(self, request, status, get, body, is_complete, is_bounded=True):
        script = request.script
        tag = get(TAG)
        if tag == UNASKED:
            return self.unasked()
        if tag is not None and tag != script.tag:
            return self.found("a response reached another request", f"{request}: got {tag}")
        if tag is not None:
            self.body(request, script, status, get, bytes(body), is_complete, is_bounded)
        if request.strict and (status != script.status or tag is None):
            self.found("a well-behaved request failed", f"{request}: {status} {bytes(body[:200])!r}", is_timed=True)
        elif request.strict and not is_complete:
            self.found("a well-behaved request's response was cut", f"{request}: {len(body)} of {script.size} B", is_timed=True)

    def body(self, request, script, status, get, body, is_complete, is_bounded):
        whole = script.body if request.method != "HEAD" and status not in (204, 304) else b""
        if request.filters == "web":
            return self.grpc_web(request, whole, body, is_complete)
        if script.kind == "t":
            whole = content(script.tag, script.refusal_size)
        if not whole.startswith(body):
            self.found("a response's body is another's", f"{request}: {body[:100]!r}")
        elif is_complete and is_bounded and len(body) < len(whole):
            is_over_http1 = request.upstream not in plan.HTTP2_UPSTREAMS or request.filters == "fall"     # whose fallback is
            may_be_short = script.framing == "close" and script.ending in ENDS_SHORT and is_over_http1
            if not may_be_short:
                self.found("a response ended early, and well", f"{request}: {len(body)} of {len(whole)} B")

    def grpc_web(self, request, whole, body, is_complete):
        """The messages, then a frame of trailers."""
        if request.is_text:
            return
        came, _, trailers = body.partition(b"\x80\0\0\0") if not whole.startswith(body) else (body, b"", b"")
        if not whole.startswith(came):
            self.found("a response's body is another's", f"{request}: {body[:100]!r}")
        elif trailers and len(came) < len(whole) and b"grpc-status: 0" in trailers:
            self.found("a response ended early, and well", f"{request}: {len(came)} of {len(whole)} B")


class Client:
    """Plays one conversation. `deadline`: seconds in which Weir ends a connection that the client leaves open."""

    def __init__(self, one, where, contexts, judge, trace, deadline):
        self.one, self.address, self.judge, self.trace, self.deadline = one, where[one.listener], judge, trace, deadline
        self.context = contexts["h1" if one.kind in HTTP1_KINDS else "h2"] if one.listener == "tls" else None
        self.requests = one.requests

    async def play(self):
        for request in self.requests:
            self.trace.say("=", request)
        try:
            self.link = await Link.to(self.address, self.trace, self.context, self.one.buffer)
        except OSError as error:
            return self.trace.say("=", f"no connection: {error}")
        try:
            if self.one.kind != "odd":
                await asyncio.wait_for(self.link.handshake(), self.deadline)
            await self.converse()
        except (Gone, TimeoutError, asyncio.TimeoutError) as gone:
            self.trace.say("=", f"the end: {gone!r}")
        except Malformed as error:
            self.judge.found("a malformed response", f"{error}")
        finally:
            self.link.close()

    async def until_ended(self, reading):
        """Weir must end the connection by itself. To a client with a small window it has much to send until then."""
        reads = -1
        while self.link.reads != reads:
            reads = self.link.reads
            if (await asyncio.wait([reading], timeout=self.deadline))[0]:
                return
        self.judge.found("a connection was left open", f"{self.one}, {self.deadline} s after the last step of either side")

    async def leave(self, reading):
        end = self.one.end
        self.trace.say(">", f"leaves: {end}")
        if end == "rst":
            self.link.reset()
        elif end != "close":
            if end == "fin":
                self.link.half_close()
            await self.until_ended(reading)


class Http1Client(Client):
    async def converse(self):
        self.gate = asyncio.Event()
        self.gate.set()
        self.reader = Reader(self.link, self.gate)
        self.answered, self.asked, self.moved, self.has_junk = 0, [], asyncio.Event(), False
        reading = asyncio.ensure_future(self.read())
        try:
            for what, *how in self.one.steps:
                await getattr(self, "do_" + what)(reading, *how)
                if reading.done():
                    break
            await self.leave(reading)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def read(self):
        """Takes responses in the order of their requests; `moved` is set for each, and at the end."""
        try:
            while True:
                await self.take_response()
                self.moved.set()
        except Gone as gone:
            self.trace.say("<", f"the end: {gone}")
        except Malformed as error:
            self.judge.found("a malformed response", str(error))
        except asyncio.CancelledError:
            pass
        finally:
            self.moved.set()

    async def take_response(self):
        head = await self.reader.head()
        self.trace.say("<", head.start, head.fields[:4])
        status = int(head.start.split(" ")[1])
        if status == 101:
            return await self.take_tunnel(head)
        if status < 200:
            return
        if self.answered >= len(self.asked):         # junk was answered, or there was no request at all
            if head.get(TAG) is not None and not self.has_junk:
                self.judge.found("a response without a request", f"{head.start} {head.fields}")
            request = None
        else:
            request = self.asked[self.answered]
        try:
            if request is None or (request.method != "HEAD" and status not in (204, 304)):
                await self.reader.body(head, until_close=True)
            else:
                head.is_complete = True
        finally:
            self.trace.say("<", f"{len(head.body)} B, complete: {head.is_complete}")
            if request:
                if head.is_complete or not self.link.is_closed:
                    self.judge.response(request, status, head.get, head.body, head.is_complete, head.is_bounded)
                self.answered += 1

    async def take_tunnel(self, head):
        request, got = self.asked[self.answered], bytearray()
        self.answered += 1
        self.moved.set()
        whole = tunnel_bytes(request.script)
        try:
            while True:
                got += self.reader.pending
                self.reader.pending.clear()
                if got.endswith(GOING_AWAY):
                    await self.link.send(websocket_frame(b"\x03\xe9", CLOSE, masked=True))
                if not await self.reader.fill():
                    return
        finally:
            check_tunnel(self.judge, request, got, whole)

    async def do_request(self, reading, index):
        request = self.requests[index]
        fields = [("Host", "weir.test"), *[(UPLOAD, str(request.upload))] * request.is_checked]
        if request.upload:
            fields.append(("Transfer-Encoding", "chunked") if request.is_chunked else ("Content-Length", str(request.upload)))
        if request.expects:
            fields.append(("Expect", "100-continue"))
        self.asked.append(request)
        self.trace.say(">", request.method, request.path)
        await self.link.send(head_bytes(f"{request.method} {request.path} HTTP/{request.version}", fields), request.fragment)
        if not request.upload:
            return
        if request.expects:
            await asyncio.sleep(0.02)
        body = content("up-" + request.script.tag, request.upload)[:request.sent]
        step = max(len(body) // 5, 1)
        for at in range(0, len(body), step):
            piece = body[at:at + step]
            await self.link.send(b"%x\r\n%b\r\n" % (len(piece), piece) if request.is_chunked else piece,
                                 request.fragment if not at else None)
        if request.is_chunked and request.sent == request.upload:
            await self.link.send(b"0\r\n\r\n")
        self.trace.say(">", f"{len(body)} of {request.upload} B of its body")

    async def do_responses(self, reading):
        self.gate.set()
        while self.answered < len(self.asked) and not reading.done():
            self.moved.clear()
            waits = asyncio.ensure_future(self.moved.wait())
            await asyncio.wait([waits, reading], timeout=self.deadline if self.one.is_strict else BRIEF, return_when=asyncio.FIRST_COMPLETED)
            if not waits.done():
                waits.cancel()
                return

    async def do_pause(self, reading, seconds):
        await asyncio.sleep(seconds)

    async def do_stall(self, reading, seconds):
        self.trace.say("=", f"reads nothing for {seconds} s")
        self.gate.clear()
        await asyncio.sleep(seconds)
        self.gate.set()

    async def do_junk(self, reading, index):
        self.has_junk = True
        self.trace.say(">", f"junk {plan.JUNK1[index][:60]!r}")
        await self.link.send(plan.JUNK1[index])

    async def do_upgrade(self, reading, index):
        request = self.requests[index]
        self.asked.append(request)
        self.trace.say(">", "upgrade", request.path)
        await self.link.send(head_bytes(f"GET {request.path} HTTP/1.1", [("Host", "weir.test"), *upgrade_fields()]))
        await self.do_responses(reading)

    async def do_say(self, reading, size):
        await self.link.send(websocket_frame(content("say", size), masked=True))

    async def do_bye(self, reading):
        await self.link.send(websocket_frame(b"\x03\xe8", CLOSE, masked=True))


def check_tunnel(judge, request, got, whole):
    """What came is what the endpoint sent, perhaps not all of it, and perhaps Weir's own Close."""
    got = bytes(got)
    if whole.startswith(got):
        return
    closes = (GOING_AWAY[:size] for size in range(1, len(GOING_AWAY) + 1))      # a window may keep back its end
    if not any(got.endswith(close) and whole.startswith(got[:-len(close)]) for close in closes):
        judge.found("a tunnel carried what was not sent", f"{request}: {len(got)} B, {got[:60]!r} ... {got[-60:]!r}")


class Http2Client(Client, Peer):
    async def converse(self):
        Peer.__init__(self, self.link, self.one.window, self.one.connection_window, self.one.grants)
        self.asked, self.next_stream, self.tasks = {}, 1, set()
        reading = asyncio.ensure_future(self.read())
        try:
            await self.send(PREFACE + self.opening, f"preface, window {self.one.window}, grants {self.grants}")
            for what, *how in self.one.steps:
                await getattr(self, "do_" + what)(*how)
                if reading.done():
                    break
            await self.leave(reading)
        finally:
            for task in [reading, *self.tasks]:
                task.cancel()
            await asyncio.gather(reading, *self.tasks, return_exceptions=True)
            self.judge_all()

    def judge_all(self):
        for stream_number, request in self.asked.items():
            stream = self.streams.get(stream_number)
            if not stream or stream.fields is None:
                if request.strict and not self.goaway:
                    self.judge.found("a well-behaved request failed", f"{request}: no response on stream {stream_number}", is_timed=True)
                continue
            fields = dict(stream.fields)
            if fields.get(":status") == "200" and request.script.kind == "t":
                check_tunnel(self.judge, request, stream.body, tunnel_bytes(request.script))
                continue
            failed = dict(stream.trailers or ()).get("grpc-status", "0") != "0"      # gRPC's way to say that it is cut
            self.judge.response(request, int(fields[":status"]), fields.get, stream.body, stream.is_complete and not failed)

    async def begin(self, request, method, fields, end):
        at, self.next_stream = self.next_stream, self.next_stream + 2
        self.asked[at] = request
        self.stream(at)
        await self.head(at, [(":method", method), (":scheme", "https" if self.context else "http"), (":authority", "weir.test"),
                             (":path", request.path), *fields], end, split=30 if request.fragment == 31 else 0)
        return self.streams[at]

    def in_background(self, work, *how, **more):
        async def alone():
            with contextlib.suppress(Gone):
                await work(*how, **more)
        task = asyncio.ensure_future(alone())
        self.tasks.add(task)

    async def do_request(self, index):
        request = self.requests[index]
        fields = [(UPLOAD, str(request.upload))] * request.is_checked
        if request.upload and not request.is_chunked:
            fields.append(("content-length", str(request.upload)))
        if request.expects:
            fields.append(("expect", "100-continue"))
        stream = await self.begin(request, request.method, fields, end=not request.upload)
        if request.upload:
            body = content("up-" + request.script.tag, request.upload)[:request.sent]
            self.in_background(self.data, stream, body, end=request.sent == request.upload, padding=9 if request.fragment == 7 else 0)

    async def do_call(self, index):
        """gRPC; the body is one message, or a part of it."""
        request = self.requests[index]
        kind = "application/grpc"
        if request.filters == "web":
            kind = GRPC_WEB_TEXT if request.is_text else GRPC_WEB
        body = b"\0" + (request.upload - 5).to_bytes(4, "big") + content("up", request.upload - 5)
        body = body[:request.sent]
        if kind == GRPC_WEB_TEXT:
            body = base64.b64encode(body)
        stream = await self.begin(request, "POST", [("content-type", kind), ("te", "trailers"), ("grpc-timeout", "2S")], end=False)
        self.in_background(self.data, stream, body, end=request.sent == request.upload)

    async def do_connect(self, index):
        request = self.requests[index]
        stream = await self.begin(request, "CONNECT", [(":protocol", "websocket"), ("sec-websocket-version", "13")], end=False)
        self.tunnel = stream
        self.in_background(self.answer_close, stream)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.until(lambda: stream.fields is not None or stream.is_over), BRIEF)

    async def answer_close(self, stream):
        """As browsers do."""
        await self.until(lambda: stream.body.endswith(GOING_AWAY) or stream.is_over)
        await self.data(stream, websocket_frame(b"\x03\xe9", CLOSE, masked=True), end=True)

    async def until(self, condition):
        while not condition() and not self.has_ended:
            await self.change()

    async def do_say(self, size):
        self.in_background(self.data, self.tunnel, websocket_frame(content("say", size), masked=True))

    async def do_bye(self):
        self.in_background(self.data, self.tunnel, websocket_frame(b"\x03\xe8", CLOSE, masked=True), end=True)

    async def do_responses(self):
        wanted = [self.streams[at] for at in self.asked]
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.until(lambda: all(stream.is_over for stream in wanted)), self.deadline if self.one.is_strict else BRIEF)

    async def do_pause(self, seconds):
        await asyncio.sleep(seconds)

    async def do_stall(self, seconds):
        self.trace.say("=", f"reads nothing for {seconds} s")
        self.gate.clear()
        await asyncio.sleep(seconds)
        self.gate.set()

    async def do_reset(self, index, code):
        at = 2 * index + 1
        if at in self.asked:
            self.streams[at].reset = code
            await self.reset(at, code)

    async def do_end(self, index):
        at = 2 * index + 1
        if at in self.asked and not self.streams[at].is_sent and not self.asked[at].is_chunked:     # less than was announced
            self.streams[at].is_sent = True
            await self.put(DATA, b"", 1, at)

    async def do_window(self, index, size):
        at = 0 if index < 0 else 2 * index + 1
        if at == 0 or at in self.asked:
            await self.put(WINDOW_UPDATE, number(size), stream=at)

    async def do_settings(self, pair):
        await self.put(SETTINGS, setting(pair))

    async def do_ping(self):
        await self.put(PING, b"pingpong")

    async def do_flood(self):
        for _ in range(20):
            await self.put(PING, b"pingpong")

    async def do_goaway(self):
        await self.put(GOAWAY, number(0) + number(0))

    async def do_junk(self, data):
        await self.send(data, f"junk {data[:40]!r}")


class OddClient(Client):
    """Sends a few bytes, perhaps PINGs, and waits for Weir to end the connection."""

    async def converse(self):
        self.trace.say(">", repr(self.one.prefix[:100]))
        reading = asyncio.ensure_future(self.link.until_closed())
        try:
            self.link.tls = None                    # raw bytes, to a listener for TLS as well
            await self.link.send(self.one.prefix)
            await self.until_ended(reading)
        finally:
            reading.cancel()


def client_of(one, *how):
    if one.kind == "odd":
        return OddClient(one, *how)
    return (Http1Client if one.kind in HTTP1_KINDS else Http2Client)(one, *how)
