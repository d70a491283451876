"""The sections of the benchmark. Each adds samples; a system that fails is noted, not dropped."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.bench.field import FIELD, TIDEGATE, Peer
from tests.bench.runs import (
    PeerFailed,
    Where,
    answer,
    drained,
    enqueue,
    nudge_port,
    start,
    work,
    working,
)
from tests.bench.samples import Samples, await_quiet, watched
from tests.bench.servers import Proxy, Server


@dataclass(frozen=True)
class Plan:
    """How much is measured. `rounds` after the first look at every concurrency; `patience`: seconds
    to wait in all for a quiet machine."""

    seconds: float
    rounds: int
    every_concurrency: bool
    handlers: tuple[str, ...]
    delays: tuple[int, ...]
    jobs: int
    idle_seconds: float
    million: int
    patience: float


QUICK = Plan(0.8, 0, False, ("noop",), (0, 5), 500, 6.0, 0, 0.0)
FULL = Plan(1.5, 3, True, ("noop", "io"), (0, 5, 50), 2000, 60.0, 1_000_000, 600.0)


class Bench:
    """One session: the servers, the systems that take part, and the samples."""

    def __init__(self, samples: Samples, plan: Plan, peers: Sequence[Peer] = FIELD) -> None:
        self.samples, self.plan, self.peers = samples, plan, peers
        self.patience = plan.patience
        self.server = Server()
        self.direct = Where(self.server.port, self.server.rest_port)

    def close(self) -> None:
        self.server.close()

    @contextlib.contextmanager
    def delayed(self, milliseconds: int) -> Iterator[Where]:
        """The servers behind so many milliseconds a round trip."""
        if not milliseconds:
            yield self.direct
            return
        ports = (self.server.port, self.server.rest_port)
        proxies = [Proxy(port, round_trip_ms=milliseconds) for port in ports]
        try:
            yield Where(proxies[0].port, proxies[1].port)
        finally:
            for proxy in proxies:
                proxy.close()

    def sample(
        self,
        name: str,
        measure: Callable[[], tuple[float, dict[str, object]]],
        *,
        exact: bool = False,
    ) -> None:
        """One figure, or the error in its place. An `exact` one is a count: what else the machine
        does can't change it."""
        if not exact:
            self.patience -= await_quiet(min(self.patience, 30.0))
        try:
            with watched() as sample:
                sample.value, sample.more = measure()
        except (PeerFailed, OSError) as error:
            self.samples.errors.setdefault(name, str(error))
            print(f"  {name}: {error}", file=sys.stderr, flush=True)
        else:
            sample.others = 0.0 if exact else sample.others
            self.samples.add(name, sample)
            print(f"  {name}: {sample.value:.5g} (others {sample.others:.2f})", flush=True)

    def drains(self) -> None:
        """Jobs a second of one worker: every concurrency once, then the best again, interleaved."""
        for delay in self.plan.delays:
            for handler in self.plan.handlers:
                section = f"drain {handler} +{delay} ms"
                self.samples.drop(section)
                with self.delayed(delay) as where:
                    brief = handler == "io" and delay > 0  # once each, to see that nothing turns
                    for peer in self.peers:
                        every = (peer.usual,) if brief else self._concurrencies(peer, delay)
                        for concurrency in every:
                            self._drain(section, peer, where, handler, concurrency)
                    for _ in range(0 if brief else self.plan.rounds):
                        self._best_again(section, where, handler)
                self.samples.save()

    def again(self) -> None:
        """More runs of each peer's best with no-op jobs, beside those that are there."""
        for delay in self.plan.delays:
            with self.delayed(delay) as where:
                for _ in range(self.plan.rounds):
                    self._best_again(f"drain noop +{delay} ms", where, "noop")
            self.samples.save()

    def _best_again(self, section: str, where: Where, handler: str) -> None:
        for peer in self.peers:
            best = self.samples.best(section, peer.name)
            if best:
                self._drain(section, peer, where, handler, int(best[0]))

    def _concurrencies(self, peer: Peer, delay: int) -> tuple[int, ...]:
        if not self.plan.every_concurrency:
            return (peer.usual,)
        # Where a round trip costs milliseconds, no peer is at its best below 50.
        return tuple(c for c in peer.concurrencies if not delay or c >= 50 or peer.processes)

    def _drain(
        self, section: str, peer: Peer, where: Where, handler: str, concurrency: int
    ) -> None:
        name = f"{section}/{peer.name}/{concurrency}"
        known = self.samples.figure(name)
        guess = known.median if known else peer.per_second * min(1.0, concurrency / 50)
        seconds = self.plan.seconds * (2 if known else 1)
        n = int(min(120_000, max(200, guess * seconds * 1.3)))

        def measure() -> tuple[float, dict[str, object]]:
            done = drained(
                peer, self.server, where, concurrency, n, seconds=seconds, handler=handler
            )
            return done.rate, {"n": done.n}

        self.sample(name, measure)

    def enqueues(self) -> None:
        """Jobs a second of one producer, one after the other and in bulk."""
        for delay in self.plan.delays:
            section = f"enqueue +{delay} ms"
            self.samples.drop(section)
            with self.delayed(delay) as where:
                for _ in range(1 + self.plan.rounds // 2):
                    for peer in self.peers:
                        singles = self.plan.jobs if delay < 50 else self.plan.jobs // 20
                        self._enqueue(section, peer, where, singles // (1 + delay // 5), bulk=False)
                        if peer.bulk:
                            self._enqueue(section, peer, where, self.plan.jobs * 10, bulk=True)

    def _enqueue(self, section: str, peer: Peer, where: Where, n: int, *, bulk: bool) -> None:
        def measure() -> tuple[float, dict[str, object]]:
            self.server.flush()
            return enqueue(peer, where, n, bulk=bulk).rate, {"n": n}

        self.sample(f"{section}/{peer.name}/{'bulk' if bulk else 'single'}", measure)

    def commands(self) -> None:
        """Commands and round trips a job, for storing it and for working it off."""
        self.samples.drop("commands")
        jobs = max(500, self.plan.jobs // 2)
        for peer in self.peers:
            modes = [("single", False), ("bulk", True)] if peer.bulk else [("single", False)]
            for mode, bulk in modes:
                self._count(
                    f"commands/{peer.name}/enqueue {mode}",
                    partial(_enqueued, peer, jobs, bulk=bulk),
                )
            for concurrency in sorted({10, peer.usual}):
                if peer.processes and concurrency > 1:
                    continue
                self.server.flush()
                n = 100 if concurrency == 1 else jobs
                with contextlib.suppress(PeerFailed):
                    enqueue(peer, self.direct, n, bulk=peer.bulk)
                self._count(
                    f"commands/{peer.name}/work {concurrency}",
                    partial(_worked, peer, n, concurrency),
                    flush=False,
                )

    def _count(self, name: str, act: Callable[[Where], int], *, flush: bool = True) -> None:
        def measure() -> tuple[float, dict[str, object]]:
            if flush:
                self.server.flush()
            self.server.redis.config_resetstat()
            proxy, before = Proxy(self.server.port, count=True), self.server.billed()
            try:
                n = act(Where(proxy.port, self.server.rest_port))
                counts, after = proxy.counts(), self.server.billed()
            finally:
                proxy.close()
            if TIDEGATE.name == name.split("/")[1]:
                top = trips = after["requests"] - before["requests"] - 1  # the meter's own
                total = after["commands"] - before["commands"]
            else:
                top, trips = counts["commands"], counts["round_trips"]
                total = max(top, self.server.ran())
            return total / n, {"top": top / n, "inner": (total - top) / n, "trips": trips / n}

        self.sample(name, measure, exact=True)

    def memory(self) -> None:
        """Bytes of Redis memory that a waiting job with a 200-byte payload takes."""
        self.samples.drop("memory")
        n = self.plan.jobs * 5
        enqueue(TIDEGATE, self.direct, 1)  # scripts and connections are not jobs' memory
        for peer in self.peers:

            def measure(peer: Peer = peer) -> tuple[float, dict[str, object]]:
                self.server.flush()
                time.sleep(0.2)  # freed in the background
                before = self.server.memory()
                enqueue(peer, self.direct, n, bulk=peer.bulk)
                return (self.server.memory() - before) / n, {"n": n}

            self.sample(f"memory/{peer.name}/waiting", measure, exact=True)

    def latency(self) -> None:
        """Milliseconds from the call that stores a job to its handler's begin, with nothing else to
        do."""
        self.samples.drop("latency")
        for peer in self.peers:
            self.sample(f"latency/{peer.name}/p50", partial(self._latency, peer))

    def _latency(self, peer: Peer) -> tuple[float, dict[str, object]]:
        self.server.flush()
        n, nudge = max(30, self.plan.jobs // 10), nudge_port(peer)
        with working(peer, self.direct, n=n, concurrency=10, seconds=60, nudge=nudge) as process:
            time.sleep(2.0)  # started and waiting
            enqueue(peer, self.direct, n, gap=0.02, nudge=nudge)
            waits = sorted(1000 * wait for wait in answer(process, 10.0)["waits"])
        high = waits[int(len(waits) * 0.95)]
        return statistics.median(waits), {"p95": high, "worst": waits[-1], "n": len(waits)}

    def idle(self) -> None:
        """Commands a minute of one worker with one empty queue, each on a server of its own, all at
        the same time."""
        self.samples.drop("idle")
        self.sample(f"idle/{TIDEGATE.name}/per minute", self._tick, exact=True)
        others = [peer for peer in self.peers if peer is not TIDEGATE]
        with contextlib.ExitStack() as stack:
            servers = [Server(rest=False) for _ in others]
            for server in servers:
                stack.callback(server.close)
            proxies = [Proxy(server.port, count=True) for server in servers]
            for peer, proxy in zip(others, proxies, strict=True):
                stack.callback(proxy.close)
                stack.enter_context(working(peer, Where(proxy.port, 0), n=0))
            time.sleep(15.0 if self.plan.idle_seconds > 30 else 5.0)  # started and at rest
            for server in servers:
                server.redis.config_resetstat()
            began, before = time.monotonic(), [proxy.counts()["commands"] for proxy in proxies]
            time.sleep(self.plan.idle_seconds)
            minutes = (time.monotonic() - began) / 60
            sent = [
                proxy.counts()["commands"] - old for proxy, old in zip(proxies, before, strict=True)
            ]
            ran = [server.ran() for server in servers]
        for peer, top, total in zip(others, sent, ran, strict=True):
            figure = partial(_per_minute, top, total, minutes)
            self.sample(f"idle/{peer.name}/per minute", figure, exact=True)

    def _tick(self) -> tuple[float, dict[str, object]]:
        self.server.flush()
        said = answer(start(TIDEGATE, "work", self.direct, n=0), 30)
        return said["commands"] / said["n"], {"top": said["requests"] / said["n"], "inner": 0.0}


def _enqueued(peer: Peer, n: int, where: Where, *, bulk: bool) -> int:
    return enqueue(peer, where, n, bulk=bulk).n


def _worked(peer: Peer, n: int, concurrency: int, where: Where) -> int:
    return work(peer, where, n, concurrency).n


def _per_minute(top: int, ran: int, minutes: float) -> tuple[float, dict[str, object]]:
    return max(top, ran) / minutes, {"top": top / minutes, "inner": max(0, ran - top) / minutes}
