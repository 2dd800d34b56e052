"""Origins in processes of their own that speak HTTP/1.1 and HTTP/2 (by prior knowledge), and may be stopped, paused and killed.

A page names the path, and, unless all may share it, the user (X-User) and the digest of the request's body:

    /…/shared/N    for all, fresh for a second         /…/big/N     the same, 200,000 bytes
    /…/vary/N      one for each X-User, fresh          else         for this request alone

A request with `x-evil: STATUS`, or a cookie `evil=STATUS`, gets that status instead. A response takes 10 ms, one of a page for all 20 ms."""

import asyncio
import hashlib
import os
import re
import signal
import socket
import struct

from backend import reply_bytes
from h2_wire import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, NO_ERROR, PING,
                     RST_STREAM, SETTINGS, WHOLE_BODY, WINDOW_UPDATE, Inflater, block, frame, number, setting)
from load import FORK

BIG = 200_000


def page_of(path, user, body=b""):
    """The body of a good response."""
    kind = path.rsplit("/", 2)[-2]
    if kind in ("shared", "big"):
        return path.encode().ljust(BIG if kind == "big" else 0, b".")
    return f"{path} {user} {hashlib.md5(body).hexdigest()}".encode()


def delay_of(path):
    return 0.02 if path.rsplit("/", 2)[-2] in ("shared", "big", "vary") else 0.01


def response_to(path, fields, body):
    """(status, fields, body)"""
    evil = fields.get("x-evil") or (re.search(r"\bevil=(\d+)", fields.get("cookie", "")) or ("", ""))[1]
    if evil.isdigit():
        return int(evil), [("Cache-Control", "no-store")], f"evil of {fields.get('x-user')}".encode()
    kind = path.rsplit("/", 2)[-2]
    told = {"shared": [("Cache-Control", "max-age=1")], "big": [("Cache-Control", "max-age=1")],
            "vary": [("Cache-Control", "max-age=1"), ("Vary", "X-User")]}.get(kind, [("Cache-Control", "private")])
    return 200, told, page_of(path, fields.get("x-user", ""), body)


class BothProtocols:
    """One process, which listens on `count` ports: `addresses`."""

    def __init__(self, count=1, port=0):
        sockets = [socket.create_server(("127.0.0.1", port), backlog=4096) for _ in range(count)]
        self.addresses = ["127.0.0.1:%d" % sock.getsockname()[1] for sock in sockets]
        self.taken, self.answered = FORK.Value("q"), FORK.Value("q")
        self.process = FORK.Process(target=lambda: asyncio.run(Serving(self.taken, self.answered).run(sockets)), daemon=True)
        self.process.start()
        for sock in sockets:
            sock.close()                             # the process has them

    def __str__(self):
        return self.addresses[0]

    @property
    def port(self):
        return int(self.addresses[0].rpartition(":")[2])

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop_gracefully(self):
        """Takes no connection any more, gives the responses under way, then ends."""
        self.signal(signal.SIGTERM)
        self.process.join(20)

    def stop(self):
        self.process.kill()
        self.process.join()


class Serving:
    """What the process does."""

    def __init__(self, taken, answered):
        self.taken, self.answered = taken, answered
        self.is_stopping, self.connections, self.http2, self.idle = False, 0, set(), set()

    async def run(self, sockets):
        self.servers = [await asyncio.start_server(self.connection, sock=sock) for sock in sockets]
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.begin_to_stop)
        while not self.is_stopping or self.connections:
            await asyncio.sleep(0.01)

    def begin_to_stop(self):
        self.is_stopping = True
        for server in self.servers:
            server.close()
        for writer in list(self.idle):
            writer.close()
        for connection in list(self.http2):
            connection.begin_to_stop()

    async def connection(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        try:
            while not self.is_stopping:
                self.idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self.idle.discard(writer)
                if head.startswith(b"PRI "):
                    return await Http2(self, reader, writer).serve()
                await self.serve_http1(reader, writer, head)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            self.idle.discard(writer)
            self.connections -= 1
            writer.close()

    async def serve_http1(self, reader, writer, head):
        start, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, path, _ = start.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.taken.value += 1
        body = await read_body(reader, fields)
        await asyncio.sleep(delay_of(path))
        status, told, page = response_to(path, fields, body)
        writer.write(reply_bytes(status, told + [("Connection", "close")] * self.is_stopping, page, method))
        self.answered.value += 1
        await writer.drain()


async def read_body(reader, fields):
    if "transfer-encoding" not in fields:
        return await reader.readexactly(int(fields.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


class Http2:
    """One connection: heads as literals, and flow control as the client asks for it."""

    def __init__(self, serving, reader, writer):
        self.serving, self.reader, self.writer, self.inflater = serving, reader, writer, Inflater()
        self.last = 0
        self.heads, self.bodies, self.tasks = {}, {}, {}
        self.room, self.rooms, self.initial, self.opened = 65535, {}, 65535, asyncio.Event()

    async def serve(self):
        self.serving.http2.add(self)
        try:
            await self.reader.readexactly(6)
            self.writer.write(frame(SETTINGS, setting((INITIAL_WINDOW_SIZE, WHOLE_BODY), (MAX_CONCURRENT_STREAMS, 1000))) +
                              frame(WINDOW_UPDATE, number(WHOLE_BODY)))
            fragments = b""
            while True:
                head = await self.reader.readexactly(9)
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                if kind in (HEADERS, 9):
                    fragments += payload
                    if kind == HEADERS:
                        ends = flags & END_STREAM
                    if flags & END_HEADERS:
                        self.take_head(stream, self.inflater.fields(fragments), ends)
                        fragments = b""
                else:
                    self.take(kind, flags, stream, payload)
        finally:
            self.serving.http2.discard(self)
            for task in self.tasks.values():
                task.cancel()

    def begin_to_stop(self):
        self.writer.write(frame(GOAWAY, number(self.last) + number(NO_ERROR)))
        asyncio.ensure_future(self.end_when_answered())

    async def end_when_answered(self):
        while self.heads:
            await asyncio.sleep(0.002)
        self.writer.close()

    def take_head(self, stream, fields, ends):
        if self.serving.is_stopping and stream > self.last:
            return
        if stream > self.last:                       # else trailers
            self.last, self.heads[stream], self.bodies[stream] = stream, dict(fields), b""
            self.serving.taken.value += 1
        if ends:
            self.begin(stream)

    def take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            told = dict(struct.iter_unpack("!HI", payload))
            change = told.get(INITIAL_WINDOW_SIZE, self.initial) - self.initial
            self.initial += change
            self.rooms = {at: room + change for at, room in self.rooms.items()}
            self.writer.write(frame(SETTINGS, b"", ACK))
        elif kind == PING and not flags & ACK:
            self.writer.write(frame(PING, payload, ACK))
        elif kind == WINDOW_UPDATE and stream:
            self.rooms[stream] = self.rooms.get(stream, self.initial) + int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE:
            self.room += int.from_bytes(payload, "big")
        elif kind == RST_STREAM:
            if stream in self.tasks:
                self.tasks[stream].cancel()
            self.forget(stream)
        elif kind == DATA and stream in self.bodies:
            self.bodies[stream] += payload
            if payload:
                self.writer.write(frame(WINDOW_UPDATE, number(len(payload)), 0, stream) + frame(WINDOW_UPDATE, number(len(payload))))
            if flags & END_STREAM:
                self.begin(stream)
        if kind in (SETTINGS, WINDOW_UPDATE):
            self.opened.set()

    def begin(self, stream):
        if stream in self.heads:
            self.tasks[stream] = asyncio.ensure_future(self.answer(stream))

    async def answer(self, stream):
        try:
            fields = self.heads[stream]
            await asyncio.sleep(delay_of(fields[":path"]))
            status, told, body = response_to(fields[":path"], fields, self.bodies[stream])
            told = [(":status", str(status)), ("content-length", str(len(body)))] + [(name.lower(), value) for name, value in told]
            ends = not body or fields[":method"] == "HEAD"
            self.writer.write(frame(HEADERS, block(told), END_HEADERS | (END_STREAM if ends else 0), stream))
            self.serving.answered.value += 1
            if not ends:
                await self.send_body(stream, body)
        finally:
            self.forget(stream)

    def forget(self, stream):
        for kept in (self.heads, self.bodies, self.tasks, self.rooms):
            kept.pop(stream, None)

    async def send_body(self, stream, body):
        while body:
            room = min(self.room, self.rooms.setdefault(stream, self.initial), 16384)
            if room <= 0:
                self.opened.clear()
                await self.opened.wait()
                continue
            piece, body = body[:room], body[room:]
            self.room -= len(piece)
            self.rooms[stream] -= len(piece)
            self.writer.write(frame(DATA, piece, 0 if body else END_STREAM, stream))
            await self.writer.drain()
