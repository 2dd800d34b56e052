"""A round: many conversations at once, then silence, then what must hold of every round."""

import asyncio
import re
import signal
import time
import traceback

import plan
from clients import Judge, client_of
from harness import REPORT
from link import Gone, Link, Trace

SPREAD = 4.0                                        # seconds over which the conversations of a round begin
DEADLINE = 12.0                                     # seconds in which Weir ends whatever a client leaves open
QUIET = 10.0                                        # seconds in which everything is back at zero after the last conversation
BUSY = 0.3                                          # seconds: when an answer takes longer, promises about time don't count
AT_REST = re.compile(r"_in_flight$|_queued$|_waiting$|connections_open$|active_requests$|endpoint_connections$")
UNASKED_ANYWAY = 0.008                              # share of responses without a request that may cross with one
MOST = 40                                           # findings that a round keeps
FATAL = ("the process ended", "a worker hangs", "a sanitizer's report")   # which explain all others
IDLE = 0.2                                          # share of a core
LISTENING = 8                                       # more sockets that a reload with more workers opens for them
HUNG = 2.0                                          # seconds of CPU without a wait, while a trifle isn't answered
PROBES = 40                                         # at a time
BLOCKS, BLOCKS_AT_REST = "weir_worker_blocks_in_use", 1     # of each worker: the one that it reads into
LONGEST_TURN, TURN = "weir_worker_longest_turn_seconds", 0.05


class Finding:
    def __init__(self, kind, detail, traces=(), conversation=None):
        self.kind, self.detail, self.traces, self.conversation = kind, detail, list(traces), conversation
        self.is_timed = False
        self.all_traces = self.traces                # of the round, where it has few conversations

    def __str__(self):
        return "\n".join([f"FOUND: {self.kind}: {self.detail}", *map(str, self.traces)])


class Round:
    def __init__(self, bench, seed, count, spread=SPREAD, only=None, kinds=None):
        self.bench, self.seed, self.spread = bench, seed, spread
        self.conversations, self.reloads, self.drain_at = plan.draw_round(seed, count, spread, kinds)
        if only is not None:
            self.conversations = [one for one in self.conversations if one.index in only]
            first = min((one.begins for one in self.conversations), default=0)
            for one in self.conversations:
                one.begins -= first
        self.findings, self.lag, self.traces, self.is_over, self.unasked, self.is_draining, self.longest, self.pending = [], 0.0, {}, False, 0, False, 0.0, set()
        bench.round = self

    def found(self, kind, detail, traces, conversation=None):
        finding = Finding(kind, detail, traces, conversation)
        if len(self.findings) < MOST and not self.is_over:
            self.findings.append(finding)
        return finding

    def timed(self, kind, detail, traces, conversation=None):
        """A finding that counts only if neither Weir nor the generator had to wait for the machine."""
        self.found(kind, detail, traces, conversation).is_timed = True

    def is_busy(self):
        """The machine was too busy for promises about time."""
        return self.lag > BUSY

    async def run(self):
        """Plays all conversations; stops at once when a worker hangs or the process ends."""
        watch, hang = asyncio.ensure_future(self.watch_lag()), asyncio.ensure_future(self.watch_process())
        probe = asyncio.ensure_future(self.probe())
        play = asyncio.ensure_future(self.play())
        try:
            await asyncio.wait([hang, play], return_when=asyncio.FIRST_COMPLETED)
            if play.done():
                await play
                probe.cancel()
                await (self.check_rest() if self.drain_at is None else self.check_end())
        finally:
            self.is_over = True
            for task in (watch, probe, hang, play):
                task.cancel()
            await asyncio.gather(watch, probe, hang, play, return_exceptions=True)
        if self.is_busy() or self.drain_at is not None or any(finding.kind in FATAL for finding in self.findings):
            self.findings = [finding for finding in self.findings if not finding.is_timed]
        self.findings.sort(key=lambda finding: finding.kind not in FATAL)
        if len(self.conversations) < 6:
            behind = [trace for endpoint in self.endpoints() for traces in endpoint.traces.values() for trace in traces]
            for finding in self.findings:
                finding.all_traces = [*self.traces.values(), *behind]
        return self.findings

    async def play(self):
        await asyncio.gather(self.reload(), self.drain(), *(self.converse(one) for one in self.conversations))

    async def watch_process(self):
        """Returns when there is no point in going on."""
        seen = {}                                    # thread: (time, CPU, waits) of the latest wait
        while True:
            await asyncio.sleep(0.25)
            if self.is_draining:
                await asyncio.sleep(3600)            # check_end looks at it
            if self.bench.weir.process.poll() is not None:
                return self.found("the process ended", self.bench.weir.stderr()[-6000:], [])
            now = time.monotonic()
            for thread, (cpu, waits) in self.bench.threads().items():
                at, before, known = seen.get(thread, (now, cpu, None))
                if waits != known:
                    seen[thread] = (now, cpu, waits)
                elif cpu - before > HUNG and min(self.pending, default=now) < now - HUNG:
                    return self.found("a worker hangs", f"{cpu - before:.1f} s of CPU without a wait", [])


    def got_unasked(self):
        self.unasked += 1

    async def watch_lag(self):
        """How late the generator is, and how long Weir takes for a trifle."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.lag = max(self.lag, time.monotonic() - before - 0.05)

    async def probe(self):
        """Asks for a trifle again and again, over connections of its own, so that each worker gets some of them."""
        tasks = set()
        try:
            while True:
                await asyncio.sleep(0.1)
                if len(tasks) < PROBES:
                    task = asyncio.ensure_future(self.ask_trifle())
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()

    async def ask_trifle(self):
        before = time.monotonic()
        self.pending.add(before)
        try:
            link = await Link.to(self.bench.places.listeners["plain"], Trace("probe"))
            try:
                await link.send(b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                await link.until_closed()
            finally:
                link.close()
        except (OSError, Gone):
            pass
        finally:
            self.pending.discard(before)
            self.lag = max(self.lag, time.monotonic() - before)

    async def reload(self):
        begun = time.monotonic()
        for at, variant in [*self.reloads, (self.spread + 0.5, 0)] if self.reloads else []:
            await asyncio.sleep(max(0, begun + at - time.monotonic()))
            if self.is_draining or self.bench.weir.process.poll() is not None:
                return
            self.bench.weir.configure(self.bench.configuration(variant))
            self.bench.weir.signal(signal.SIGHUP)

    async def drain(self):
        if self.drain_at is not None:
            await asyncio.sleep(self.drain_at)
            self.is_draining = True
            self.bench.weir.signal(signal.SIGTERM)
            self.drained_at = time.monotonic()

    async def converse(self, one):
        await asyncio.sleep(one.begins)
        trace = self.traces[one.index] = Trace(repr(one))

        def found(kind, detail, is_timed=False):
            tags = {request.path.split("/")[3] for request in one.requests}
            behind = [other for endpoint in self.endpoints() for tag in tags for other in endpoint.traces.get(tag, ())]
            (self.timed if is_timed else self.found)(kind, detail, [trace, *behind], one.index)
        judge = Judge(found, self.got_unasked)
        client = client_of(one, self.bench.places.listeners, self.bench.contexts, judge, trace, DEADLINE)
        try:
            await asyncio.wait_for(client.play(), 3 * DEADLINE)
        except asyncio.TimeoutError:
            found("a conversation did not end", repr(one))
        except Exception:
            found("the generator failed", traceback.format_exc())

    # -- what must hold

    async def check_end(self):
        """After SIGTERM in the midst of it all."""
        if told := await self.bench.stop_weir(self.drained_at):
            self.found("a bad end", told, [])

    async def check_rest(self):
        until, open_gauges = time.monotonic() + QUIET, None
        while time.monotonic() < until:
            if self.bench.weir.process.poll() is not None:
                errors = self.bench.weir.stderr()
                return self.found("the process ended", errors[-6000:], [])
            metrics = await asyncio.to_thread(self.bench.metrics)
            if metrics is not None:
                self.longest = max([self.longest, *(value for name, _, value in metrics if name == LONGEST_TURN)])
                open_gauges = [sample for sample in metrics if AT_REST.search(sample[0]) and sample[2] != 0]
                if not open_gauges and not self.links():
                    break
            await asyncio.sleep(0.1)
        else:
            if open_gauges is None:
                self.found("a worker hangs", "the admin API answers no scrape", [])
            elif open_gauges:
                self.found("gauges are not back at 0", f"{open_gauges}", [])
            if self.links():
                self.found("upstream connections were left open", f"{len(self.links())}", [link.trace for link in self.links()][:3])
        await self.check_process()

    def links(self):
        return [link for endpoint in self.endpoints() for link in endpoint.links]

    def check_unasked(self):
        """A response that nobody asked for may cross with the next request; most come to a connection that waits."""
        sent = sum(endpoint.unasked for endpoint in self.endpoints())
        if self.unasked > max(UNASKED_ANYWAY * sent, 3):
            self.found("responses that nobody asked for reach requests", f"{self.unasked} of {sent}", [])

    def endpoints(self):
        return [endpoint for endpoints in self.bench.endpoints.values() for endpoint in endpoints]

    async def idle_cpu(self):
        """The share of a core that is used at rest; a reload or a search for free memory may still be under way."""
        for _ in range(10):
            before, begun = self.bench.cpu(), time.monotonic()
            await asyncio.sleep(0.4)
            if (used := (self.bench.cpu() - before) / (time.monotonic() - begun)) <= IDLE:
                break
        return used

    async def check_memory(self):
        """No request's memory is left: Weir counts it every two seconds."""
        until, held = time.monotonic() + QUIET, None
        while time.monotonic() < until:
            held = [value for name, _, value in await asyncio.to_thread(self.bench.metrics) or () if name == BLOCKS]
            if held and max(held) <= BLOCKS_AT_REST:
                return
            await asyncio.sleep(0.5)
        self.found("memory of requests is left", f"blocks in use: {held}", [])

    async def check_process(self):
        self.check_unasked()
        if self.longest > TURN * self.bench.slow:
            self.timed("a worker's turn took too long", f"{self.longest * 1000:.0f} ms", [])
        await self.check_memory()
        if (used := await self.idle_cpu()) > IDLE:
            self.found("the process is busy with nothing", f"{used:.0%} of a core", [])
        if REPORT.search(errors := self.bench.weir.stderr()):
            self.found("a sanitizer's report", errors[-6000:], [])
        if told := re.findall(r".*(?:exchange_failed|answer_failed|reload_failed|worker_stuck).*", errors):
            self.found("an event that must not be", "\n".join(told[:5]), [])
        if (sockets := self.bench.sockets()) > self.bench.sockets_at_rest + LISTENING:
            self.found("sockets were left open", f"{sockets}, at first {self.bench.sockets_at_rest}", [])


async def play(bench, seed, count, spread=SPREAD, only=None, kinds=None):
    """One round; its findings."""
    if bench.weir is None:
        bench.start_weir()
    one = Round(bench, seed, count, spread, only, kinds)
    findings = await one.run()
    for endpoint in one.endpoints():
        endpoint.traces.clear()
        endpoint.unasked = 0
    bench.forget_log()
    return one
