"""Many drains, killed at random instants, over one queue; in the end the ledger that the handlers
wrote is held against the census: nothing lost, nothing doubled without a reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

from shared.embedded.local import LocalRedis
from shared.store import keys
from tests.simulation.server import connect, exchange

from .function import LONGEST_MS, Step, open_store, queue, step

ROOT = Path(__file__).parents[2]
BUDGET = 8.0
BEYOND_A_LEASE_MS = 14_000
PATIENCE = 20.0
JOBS_A_RUN = 6


@dataclass(slots=True)
class Campaign:
    """One server, one ledger, one zygote. `killed` are the pids that were, by SIGKILL."""

    local: LocalRedis
    folder: Path
    rng: Random
    killed: set[int] = field(default_factory=set)
    enqueued: list[str] = field(default_factory=list)
    _zygote: subprocess.Popen[str] | None = None

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    def __enter__(self) -> Self:
        self.clock.write_text("0")
        self.ledger.write_text("")
        paths = (str(self.local.ensure()), str(self.ledger), str(self.clock))
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.function", *paths],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._zygote is not None
        self._zygote.communicate()

    async def enqueue(self, count: int) -> None:
        names = [f"j{len(self.enqueued) + i}" for i in range(count)]
        steps = [Step(ms=self.rng.choice((0.0, 0.0, LONGEST_MS))) for _ in names]
        jobs = [step.job(payload, job_id=name) for name, payload in zip(names, steps, strict=True)]
        async with open_store(self.local.ensure, self.clock) as store:
            await store.enqueue(queue, jobs)
        self.enqueued += names

    def start(self) -> int:
        """A drain under way; its pid."""
        return int(self._ask(f"drain {BUDGET}"))

    def end(self, pid: int) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        return int(self._ask(f"wait {pid}"))

    def kill_somewhere(self, pid: int, sign: signal.Signals = signal.SIGKILL) -> int:
        """Send it a signal after a few lines of its ledger and a moment; how it ended."""
        lines = self.rng.randrange(0, 2 * JOBS_A_RUN)
        began, size = time.monotonic(), self.lines()
        quiet = self.rng.uniform(0.0, 0.06)
        while self.lines() < size + lines and time.monotonic() - began < quiet + 0.1:
            time.sleep(0.0005)
        until = time.monotonic() + self.rng.uniform(0.0, 0.004)
        while time.monotonic() < until:
            pass
        os.kill(pid, sign)  # a child that has ended is still there until it is waited for
        if sign is signal.SIGKILL:
            self.killed.add(pid)
        return self.end(pid)

    def lines(self) -> int:
        return self.ledger.read_bytes().count(b"\n")

    def let_leases_end(self) -> None:
        self.clock.write_text(str(int(self.clock.read_text()) + BEYOND_A_LEASE_MS))

    def drain_to_the_end(self) -> None:
        """Healthy drains until nothing waits, is active or delayed."""
        deadline = time.monotonic() + PATIENCE + len(self.enqueued) / 20
        while any(self.census(part) for part in keys.WORK):
            assert time.monotonic() < deadline, "the backlog does not drain"
            self.let_leases_end()
            assert self.end(self.start()) == 0

    def census(self, part: str) -> list[str]:
        """The ids (or leases) in one key."""
        reading = {"LIST": ("LRANGE", "0", "-1"), "ZSET": ("ZRANGE", "0", "-1")}
        kind = "LIST" if part in ("high", "normal", "low", "suspects", "inbox") else "ZSET"
        command, *rest = reading[kind]
        return self._redis(command, keys.part("crash", "q", part), *rest)

    def records(self) -> dict[str, str]:
        flat = self._redis("HGETALL", keys.part("crash", "q", "records"))
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {name: record for name, record in pairs if name[0] != ":"}

    def verdict(self) -> list[str]:
        """Whatever cannot be explained, in sentences."""
        return [*_lost(self), *_doubled(self)]

    def _ask(self, line: str) -> str:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(f"{line}\n")
        self._zygote.stdin.flush()
        return self._zygote.stdout.readline()

    def _redis(self, *words: str) -> list[str]:
        with connect(self.local.ensure()) as socket:
            return [str(value) for value in exchange(socket, *words)]


def _lost(campaign: Campaign) -> list[str]:
    """Every job ended; a dead one ran by itself in three processes that were killed."""
    records, problems = campaign.records(), []
    for job in campaign.enqueued:
        state, fence, attempts, crashes = records.get(job, "? 0 0 0").split(" ")[:4]
        if state == "c" and attempts == "1" and int(crashes) < 3:
            continue
        if state == "x" and crashes == "3" and attempts == "0":
            continue
        problems.append(
            f"{job} is {state!r} with fence {fence}, {attempts} attempts, {crashes} crashes"
        )
    return problems


def _doubled(campaign: Campaign) -> list[str]:
    """A fence runs once; it runs under a new one only because its process was killed."""
    began: dict[str, list[tuple[int, int]]] = defaultdict(list)
    done: dict[str, list[int]] = defaultdict(list)
    for line in campaign.ledger.read_text().splitlines():
        word, job, fence, pid, attempt = line.split(" ")
        if attempt != "1":
            return [f"{job} ran as attempt {attempt} though none failed"]
        if word == "began":
            began[job].append((int(fence), int(pid)))
        else:
            done[job].append(int(fence))
    problems = []
    for job, deliveries in began.items():
        fences = [fence for fence, _pid in deliveries]
        if len(set(fences)) != len(fences):
            problems.append(f"{job} began twice under one fence: {deliveries}")
        without = [pid for _fence, pid in deliveries[:-1] if pid not in campaign.killed]
        if without:
            problems.append(f"{job} ran again though {without} were not killed: {deliveries}")
    for job, record in campaign.records().items():
        state, fence = record.split(" ")[:2]
        if state == "c" and (not done[job] or done[job][-1] != int(fence)):
            problems.append(
                f"{job} is completed with fence {fence}, but its handler ended {done[job]}"
            )
    return problems
