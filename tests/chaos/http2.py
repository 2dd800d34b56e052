"""HTTP/2 for both ends of the generator: frames in, frames out, windows kept or broken as the plan says."""

import asyncio
import struct

from h2_wire import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PING, RST_STREAM,
                     SETTINGS, WINDOW_UPDATE, Inflater, block, frame, number, setting)
from link import Gone

NAMES = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION")
PADDED = 8


def name_of(kind):
    return NAMES[kind] if kind < len(NAMES) else f"frame {kind:#x}"


class Stream:
    """What came on a stream, and what may still be sent on it."""

    def __init__(self, number, room):
        self.number, self.room = number, room
        self.fields, self.interim, self.trailers, self.body = None, 0, None, bytearray()
        self.is_complete, self.reset, self.is_sent = False, None, False
        self.began, self.has_response = asyncio.get_running_loop().time(), False

    @property
    def is_over(self):
        return self.is_complete or self.reset is not None


class Peer:
    """`grants`: whether windows are opened again as data comes; else the plan does that."""

    def __init__(self, link, window=1 << 20, connection_window=1 << 20, grants=True, settings=()):
        self.link, self.grants, self.window = link, grants, window
        self.pending, self.inflater = bytearray(), Inflater()
        self.streams, self.settings, self.goaway, self.has_ended = {}, {}, None, False
        self.room, self.stream_room, self.pongs = 65535, 65535, 0
        self.open_block, self.moved = None, asyncio.Event()
        self.gate = asyncio.Event()                 # cleared: nothing is read
        self.gate.set()
        self.is_frozen = False                      # nothing is said any more, not even to PING
        self.opening = frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, window), *settings))
        if connection_window > 65535:
            self.opening += frame(WINDOW_UPDATE, number(connection_window - 65535))

    def say(self, *words):
        self.link.trace.say(*words)

    # -- what is sent

    async def send(self, data, what=None):
        if self.is_frozen:
            return
        if what:
            self.say(">", what)
        await self.link.send(data)

    async def put(self, kind, payload=b"", flags=0, stream=0, note=""):
        await self.send(frame(kind, payload, flags, stream), f"{name_of(kind)} stream={stream} flags={flags} {len(payload)} B {note}")

    async def head(self, number, fields, end=False, split=0):
        data, flags = block(fields), END_STREAM if end else 0
        if not split or len(data) <= split:
            return await self.put(HEADERS, data, flags | END_HEADERS, number, note=str(fields[:5]))
        pieces = [data[at:at + split] for at in range(0, len(data), split)]
        wire = frame(HEADERS, pieces[0], flags, number)
        for index, piece in enumerate(pieces[1:], 2):
            wire += frame(CONTINUATION, piece, END_HEADERS if index == len(pieces) else 0, number)
        await self.send(wire, f"HEADERS stream={number} flags={flags} in {len(pieces)} frames {fields[:5]}")

    async def data(self, stream, data, end=False, padding=0):
        """As the windows allow. False when the stream was reset meanwhile, or the connection has ended."""
        at, over = 0, padding + 1 if padding else 0
        while True:
            room = max(min(self.room, stream.room, 16384) - over, 0)
            piece = data[at:at + room]
            if stream.reset is not None or self.has_ended or self.is_frozen:
                return False
            if piece or at == len(data):
                at += len(piece)
                last = end and at == len(data)
                payload = bytes([padding]) + piece + bytes(padding) if padding else piece
                self.room -= len(payload)
                stream.room -= len(payload)
                await self.put(DATA, payload, (END_STREAM if last else 0) | (PADDED if padding else 0), stream.number)
                stream.is_sent = stream.is_sent or last
            if at == len(data):
                return True
            if min(self.room, stream.room) <= over:
                await self.change()

    async def reset(self, number, code):
        await self.put(RST_STREAM, struct.pack("!I", code), stream=number, note=f"code={code}")

    # -- what comes

    async def change(self):
        """Until a frame has come, or the connection has ended."""
        if not self.has_ended:
            self.moved.clear()
            await self.moved.wait()

    async def exactly(self, count):
        while len(self.pending) < count:
            await self.gate.wait()
            piece = await self.link.receive()
            if not piece:
                raise Gone("ended inside a frame" if self.pending else "ended")
            self.pending += piece
        taken = bytes(self.pending[:count])
        del self.pending[:count]
        return taken

    async def read(self):
        """Takes frames until the connection ends."""
        try:
            while True:
                head = await self.exactly(9)
                kind, flags, number = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
                payload = await self.exactly(int.from_bytes(head[:3], "big"))
                self.say("<", f"{name_of(kind)} stream={number} flags={flags} {len(payload)} B",
                         int.from_bytes(payload[-4:], "big") if kind in (RST_STREAM, WINDOW_UPDATE) else "")
                await self.take(kind, flags, number, payload)
                self.moved.set()
        except Gone as gone:
            self.say("<", f"the end: {gone}")
        finally:
            self.has_ended = True
            self.moved.set()

    def stream(self, number):
        if number not in self.streams:
            self.streams[number] = Stream(number, self.stream_room)
        return self.streams[number]

    async def take(self, kind, flags, number, payload):
        if kind == SETTINGS and not flags & ACK:
            await self.take_settings(dict(struct.iter_unpack("!HI", payload)))
        elif kind == PING:
            self.pongs += flags & ACK
            if not flags & ACK:
                await self.reply(PING, payload, ACK)
        elif kind == WINDOW_UPDATE:
            grant = int.from_bytes(payload, "big")
            if number:
                self.stream(number).room += grant
            else:
                self.room += grant
        elif kind == GOAWAY:
            self.goaway = struct.unpack("!II", payload[:8])
        elif kind == RST_STREAM:
            self.stream(number).reset = int.from_bytes(payload, "big")
        elif kind == HEADERS:
            self.open_block = (number, flags, payload)
        elif kind == CONTINUATION:
            self.open_block = (number, self.open_block[1] | flags, self.open_block[2] + payload)
        elif kind == DATA:
            await self.take_data(self.stream(number), payload, flags)
        if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
            self.take_fields(*self.open_block)

    async def reply(self, *what):
        """Unless the other side doesn't read: whoever waits here reads nothing, either."""
        try:
            await asyncio.wait_for(self.put(*what), 5)
        except asyncio.TimeoutError:
            raise Gone("the other side took no reply for 5 s") from None

    async def take_settings(self, settings):
        self.settings |= settings
        if INITIAL_WINDOW_SIZE in settings:
            change = settings[INITIAL_WINDOW_SIZE] - self.stream_room
            self.stream_room += change
            for stream in self.streams.values():
                stream.room += change
        await self.reply(SETTINGS, b"", ACK)

    def take_fields(self, number, flags, data):
        stream, fields = self.stream(number), self.inflater.fields(data)
        if stream.fields is not None:
            stream.trailers = fields
        elif dict(fields).get(":status", "").startswith("1"):
            stream.interim += 1
        else:
            stream.fields = fields
            self.came(stream)
        stream.is_complete = bool(flags & END_STREAM)

    def came(self, stream):
        """A head has come."""

    async def take_data(self, stream, payload, flags):
        stream.body += payload[1:len(payload) - payload[0]] if flags & PADDED else payload
        stream.is_complete = bool(flags & END_STREAM)
        if self.grants and payload:
            grant = struct.pack("!I", len(payload))
            try:
                await self.send(frame(WINDOW_UPDATE, grant, stream=stream.number) + frame(WINDOW_UPDATE, grant))
            except Gone:
                pass
