"""Random conversations through Weir, as client and as endpoint at once, until something must not be."""

import argparse
import asyncio
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

import bench  # noqa: E402
import plan  # noqa: E402
import rounds  # noqa: E402

COUNT, FEWEST, MOST = 450, 150, 1500                # conversations of a round


def say(*words):
    print(*words, flush=True)


class Search:
    def __init__(self, count, kinds):
        self.bench, self.count, self.kinds = bench.Bench(), count, kinds

    @property
    def again(self):
        return f"--count {self.count}" + (f" --kinds {','.join(self.kinds)}" if self.kinds else "")

    def adapt(self, one):
        """As many conversations as the machine bears while times still mean something."""
        if one.lag > rounds.BUSY / 2:
            self.count = max(self.count * 2 // 3, FEWEST)
        elif one.lag < rounds.BUSY / 5:
            self.count = min(self.count * 4 // 3, MOST)

    async def round(self, seed, only=None):
        """One round, and the end of Weir, if it comes to that."""
        begun = time.monotonic()
        one = await rounds.play(self.bench, seed, self.count, only=only, kinds=self.kinds)
        if one.findings:
            await self.bench.kill_weir()
        say(f"chaos: round --seed {seed}: {len(one.conversations)} conversations, {len(one.reloads)} reloads, "
            f"{time.monotonic() - begun:.1f} s, slowest answer {one.lag * 1000:.0f} ms, longest turn {one.longest * 1000:.0f} ms"
            + (", drained" if one.drain_at is not None else ""))
        return one

    async def shows(self, seed, kind, some):
        """Whether these conversations of the round show such a finding, too."""
        await self.bench.kill_weir()
        one = await self.round(seed, only=set(some))
        return next((finding for finding in one.findings if finding.kind == kind), None)

    async def shrink(self, seed, kind, suspects, patience):
        """The fewest conversations of the round that show such a finding, as far as time allows, and what they show."""
        until, fewest, shown, parts = time.monotonic() + patience, sorted(suspects), None, 2
        while len(fewest) > 1 and time.monotonic() < until:
            size = max(len(fewest) // parts, 1)
            pieces = [fewest[at:at + size] for at in range(0, len(fewest), size)]
            if parts > 2:                            # neither half alone: leave out one piece
                pieces = [[index for index in fewest if index not in piece] for piece in pieces]
            for piece in pieces:
                if time.monotonic() < until and (finding := await self.shows(seed, kind, piece)):
                    fewest, shown, parts = piece, finding, 2
                    break
            else:
                if size == 1:
                    break
                parts = min(parts * 2, len(fewest))
        return fewest, shown

    async def explain(self, seed, one, patience):
        """Prints what was found, and the fewest conversations that it takes."""
        for finding in one.findings[1:]:
            say(str(finding).splitlines()[0])
        finding = one.findings[0]
        say(finding)
        if not patience:
            return
        suspects, shown = [other.index for other in one.conversations], None
        if finding.conversation is not None:         # alone first: most findings need nobody else
            if shown := await self.shows(seed, finding.kind, [finding.conversation]):
                suspects = [finding.conversation]
        if not shown:
            suspects, shown = await self.shrink(seed, finding.kind, suspects, patience)
        say(f"chaos: the fewest conversations that show it: {len(suspects)}")
        for other in [other for other in one.conversations if other.index in suspects][:5]:
            say(other, other.requests, other.steps, getattr(other, "prefix", ""))
        for trace in shown.all_traces[:6] if shown else []:
            say(trace)
        if len(suspects) < 40:
            say(f"chaos: play them again: tools/chaos --seed {seed} {self.again} --only {','.join(map(str, suspects))}")


async def search(seconds=None, seed=None, count=COUNT, only=None, repeat=1, patience=0, kinds=None):
    """Plays rounds for so long, or the one of `seed`. True when nothing was found."""
    search, begun, played, conversations = Search(count, kinds), time.monotonic(), 0, 0
    first = seed if seed is not None else int.from_bytes(os.urandom(4), "big")
    await search.bench.start_endpoints()
    try:
        while True:
            this = first if seed is not None else first + played
            one = await search.round(this, only)
            played, conversations = played + 1, conversations + len(one.conversations)
            if one.findings or (seed is not None and played >= repeat) or (seed is None and time.monotonic() - begun > seconds):
                break
            if seed is None:
                search.adapt(one)
        if one.findings:
            await search.explain(this, one, patience)
        elif told := await search.bench.stop_weir():
            say(f"FOUND: a bad end: {told}")
            return False
    finally:
        await search.bench.kill_weir()
        await search.bench.stop()
    if one.findings:
        say(f"chaos: the whole round again: tools/chaos --seed {this} {search.again}")
        return False
    say(f"chaos: {conversations} conversations in {played} rounds, nothing found")
    return True


def main():
    parser = argparse.ArgumentParser(prog="tools/chaos", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=20, help="how long to play; %(default)s")
    parser.add_argument("--seed", type=int, help="play this round alone")
    parser.add_argument("--count", type=int, default=COUNT, help="conversations of a round; %(default)s")
    parser.add_argument("--kinds", help=f"of conversations only these: {','.join(plan.KINDS)}")
    parser.add_argument("--only", help="of the round's conversations only these: 3,17")
    parser.add_argument("--repeat", type=int, default=1, help="how often, with --seed; ends at the first finding")
    parser.add_argument("--shrink", type=float, default=120, metavar="SECONDS",
                        help="how long to look for the fewest conversations that show a finding; %(default)s")
    options = parser.parse_args()
    kinds = options.kinds.split(",") if options.kinds else None
    only = {int(index) for index in options.only.split(",")} if options.only else None
    if not asyncio.run(search(options.seconds, options.seed, options.count, only, options.repeat, options.shrink, kinds)):
        sys.exit(1)


if __name__ == "__main__":
    main()
