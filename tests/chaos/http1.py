"""HTTP/1.1 for both ends of the generator: a strict reader of messages over a link."""

import re

from link import Gone
from wire import FIELD, CRLF


class Malformed(Exception):
    """What came is not HTTP/1.1."""


class Message:
    def __init__(self, start, fields):
        self.start, self.fields = start, fields
        self.body, self.trailers, self.is_complete, self.is_bounded = bytearray(), None, False, True

    def get(self, name, default=None):
        return next((value for field, value in self.fields if field.lower() == name), default)

    def closes(self):
        return "close" in (self.get("connection") or "").lower()


class Reader:
    """`gate`: an event that is cleared while nothing is to be read."""

    def __init__(self, link, gate=None):
        self.link, self.gate, self.pending = link, gate, bytearray()

    async def fill(self):
        if self.gate:
            await self.gate.wait()
        piece = await self.link.receive()
        self.pending += piece
        return len(piece)

    async def line(self):
        while CRLF not in self.pending:
            if not await self.fill():
                raise Gone("ended inside a line" if self.pending else "ended")
        at = self.pending.index(CRLF)
        line = bytes(self.pending[:at])
        del self.pending[:at + 2]
        return line

    async def into(self, sink, count):
        """As many bytes of what comes as there are; what has come so far is in `sink` when the connection breaks."""
        while count:
            if not self.pending and not await self.fill():
                raise Gone(f"{count} bytes short")
            piece = self.pending[:count]
            del self.pending[:count]
            sink += piece
            count -= len(piece)

    async def fields(self):
        found = []
        while line := await self.line():
            matched = FIELD.fullmatch(line)
            if not matched:
                raise Malformed(f"not a field: {line!r}")
            found.append((matched[1].decode(), matched[2].decode("latin-1")))
        return found

    async def head(self):
        start = (await self.line()).decode("latin-1")
        return Message(start, await self.fields())

    async def body(self, message, until_close):
        """Fills `message`; `is_complete` says whether its end has come."""
        if "chunked" in (message.get("transfer-encoding") or ""):
            while True:
                line = await self.line()
                matched = re.fullmatch(rb"([0-9A-Fa-f]+)(;.*)?", line)
                if not matched:
                    raise Malformed(f"not a chunk's size: {line[:100]!r}")
                if not (size := int(matched[1], 16)):
                    message.trailers = await self.fields()
                    break
                await self.into(message.body, size)
                if await self.line():
                    raise Malformed("a chunk without its end")
        elif message.get("content-length") is not None:
            await self.into(message.body, int(message.get("content-length")))
        elif until_close:
            message.is_bounded = False
            while await self.fill():
                message.body += self.pending
                self.pending.clear()
        message.is_complete = True


def head_bytes(start, fields):
    return (start + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n").encode("latin-1")
