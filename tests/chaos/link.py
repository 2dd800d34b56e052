"""One end of a connection, in asyncio, with full control: fragments, stalls, half-closes and resets, with TLS or without."""

import asyncio
import socket
import ssl
import struct
import time

TRACED = 160                                        # lines of a trace; the first and the last ones are kept
LONGEST = 240                                       # of a line
FRAGMENTS = 30                                      # of one write
BEGAN = time.monotonic()


class Gone(Exception):
    """The connection has ended; nothing more can be sent or received."""


class Trace:
    def __init__(self, title):
        self.title, self.lines, self.dropped = title, [], 0

    def say(self, *words):
        text = " ".join(map(str, words))
        if self.lines and self.lines[-1][1] == text:
            self.lines[-1][2] += 1
            return
        if len(self.lines) >= TRACED:
            del self.lines[TRACED // 2]
            self.dropped += 1
        self.lines.append([time.monotonic() - BEGAN, text, 1])

    def __str__(self):
        lines = [f"    {at:9.3f}  {text[:LONGEST]}" + (f"  ({times} times)" if times > 1 else "") for at, text, times in self.lines]
        if self.dropped:
            lines.insert(TRACED // 2, f"    ... {self.dropped} lines ...")
        return "\n".join([f"  {self.title}", *lines])


class Link:
    def __init__(self, sock, trace, context=None, server_side=False):
        self.sock, self.trace, self.loop = sock, trace, asyncio.get_running_loop()
        sock.setblocking(False)
        self.sending, self.receiving, self.waiters = asyncio.Lock(), asyncio.Lock(), set()
        self.is_closed, self.has_ended = False, False
        self.reads = 0                                    # how often something came
        self.tls = None
        if context:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side,
                                        server_hostname=None if server_side else "weir.test")

    @classmethod
    async def to(cls, address, trace, context=None, receive_buffer=None):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)    # the other side's send buffer is small, too
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        host, _, port = address.rpartition(":")
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        except BaseException:
            sock.close()
            raise
        return cls(sock, trace, context)

    async def handshake(self):
        if not self.tls:
            return
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError as error:
                raise Gone(f"handshake: {error}") from None
        await self._flush()

    async def _ready(self, add, remove):
        """Waits for the socket, or for its close by another task."""
        waiter = self.loop.create_future()
        self.waiters.add(waiter)
        add(self.sock, lambda: waiter.done() or waiter.set_result(None))
        try:
            await waiter
        finally:
            self.waiters.discard(waiter)
            if not self.is_closed:
                remove(self.sock)

    async def _raw_send(self, data):
        data = memoryview(data)
        while data:
            if self.is_closed:
                raise Gone("closed by us")
            try:
                data = data[self.sock.send(data):]
            except BlockingIOError:
                await self._ready(self.loop.add_writer, self.loop.remove_writer)
            except OSError as error:
                raise Gone(str(error)) from None

    async def _flush(self):
        if self.outgoing.pending:
            await self._raw_send(self.outgoing.read())

    async def _fill(self):
        piece = await self._raw_receive(1 << 16)
        if not piece:
            raise Gone("ended")
        self.incoming.write(piece)

    async def _raw_receive(self, limit):
        while True:
            if self.is_closed:
                raise Gone("closed by us")
            try:
                piece = self.sock.recv(limit)
                self.reads += 1
                return piece
            except BlockingIOError:
                await self._ready(self.loop.add_reader, self.loop.remove_reader)
            except OSError as error:
                self.has_ended = True
                raise Gone(str(error)) from None

    @staticmethod
    def pieces(data, fragment):
        """FRAGMENTS of them are so small, the rest is one."""
        small = fragment * FRAGMENTS if fragment else 0
        yield from (data[at:at + fragment] for at in range(0, min(small, len(data)), fragment or 1))
        if small < len(data) or not data:
            yield data[small:]

    async def send(self, data, fragment=None):
        async with self.sending:
            for piece in self.pieces(data, fragment):
                if self.tls:
                    try:
                        self.tls.write(piece)
                    except ssl.SSLError as error:
                        raise Gone(str(error)) from None
                    await self._flush()
                else:
                    await self._raw_send(piece)
                if fragment:
                    await asyncio.sleep(0)

    async def receive(self, limit=1 << 16):
        """b"" at the end of the stream."""
        if self.receiving.locked():                  # each of two readers would lack what the other got
            raise RuntimeError("the connection is being read already")
        async with self.receiving:
            return await self._receive(limit)

    async def _receive(self, limit):
        while True:
            if not self.tls:
                piece = await self._raw_receive(limit)
            else:
                try:
                    piece = self.tls.read(limit)
                except ssl.SSLWantReadError:
                    try:
                        await self._fill()
                        continue
                    except Gone:
                        piece = b""
                except ssl.SSLError:                 # close_notify, too
                    piece = b""
            self.has_ended = self.has_ended or not piece
            return piece

    async def finish(self):
        """Says that all is sent: without TLS's own end, what is delimited by the connection's end counts as cut."""
        if self.tls:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            await self._flush()
        self.half_close()

    def has_pending(self):
        """Whether something has come that nobody has read."""
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    async def until_closed(self):
        """Drops what comes until the peer has ended the connection."""
        try:
            while await self.receive():
                pass
        except Gone:
            pass

    def half_close(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        if not self.is_closed:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        if not self.is_closed:
            self.is_closed = True
            self.loop.remove_reader(self.sock)
            self.loop.remove_writer(self.sock)
            self.sock.close()
            for waiter in self.waiters:
                waiter.done() or waiter.set_result(None)
