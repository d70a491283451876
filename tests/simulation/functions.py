"""Real drains in virtual time: `shared.drain.Drain` over a transport that executes in the audited
world. A function that dies sends nothing more and hears nothing more; its handlers stop counting.
"""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from random import Random
from typing import Any

import httpx
from pydantic import BaseModel

from shared import JobContext
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.errors import RetryLater, Snooze
from shared.jobs.body import FOLLOW_UPS
from shared.jobs.follow_ups import FollowUp, FollowUps
from shared.jobs.job import Job
from shared.store import TurnRequest
from shared.store.client.rest import Rest
from shared.store.codec import KIND_CODES
from shared.store.compose import verbs
from shared.store.scripts import script
from shared.store.turn import ISOLATED, Settle
from shared.testing import FakeClock

from .audit import ViolationError, require
from .ledger import FOLLOW_UP
from .requests import KEYS
from .schedules import OFFSETS, Occurrences, ToldStore, WrongClock, declare
from .server import Reply, ReplyError
from .world import EPOCH, PREFIX, AuditedStore, Call, enqueue_call

KINDS = {letter: kind for kind, letter in KIND_CODES.items()}
SHAS = {script(name, key_locking=False).sha: name for name in verbs()}
TEXTS = {script(name, key_locking=False).body: name for name in verbs()}
FATES = {
    "delivered": 80, "lost before": 3, "lost after": 4, "twice": 3, "late": 3, "throttled": 2,
    "bad gateway": 2, "truncated": 1, "garbage": 1, "flushed": 1,
}  # fmt: skip


class Deed(BaseModel):
    """What the handler shall do."""

    do: str = "work"


@dataclass(eq=False)
class Function:
    """One invocation. `owners` are the lanes that were seen to speak for it; `running` holds the
    leases whose handlers run."""

    number: int
    dead: bool = False
    owners: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    drain: Drain | None = None


async def forever() -> None:
    while True:
        await asyncio.Event().wait()


class Town:
    """Functions that come and go over one world, in one virtual loop."""

    def __init__(self, seed: int, world: AuditedStore, clock: FakeClock) -> None:
        self.rng, self.world, self.clock = Random(seed), world, clock
        self.fates: Counter[str] = Counter()  # before peace, when there are faults
        self.began: set[tuple[str, int]] = set()
        self.not_before: dict[str, float] = {}
        self.started: Counter[tuple[str, int]] = Counter()
        self.functions: list[Function] = []
        self.peace = False
        self.occurrences = Occurrences()
        self.echoes: set[asyncio.Task[None]] = set()
        self.violations: list[ViolationError] = []
        """Those met inside a handler or a request, which the drain contains."""

    def transport(self, function: Function) -> httpx.AsyncBaseTransport:
        return _Wire(self, function)

    def execute(self, function: Function, command: list[Any], *, late: bool = False) -> Reply:
        """One command, as the store would answer it now."""
        try:
            return self._execute(function, command, late=late)
        except ViolationError as violation:  # else the drain would take it for a bug of its own
            self.violations.append(violation)
            raise

    def _execute(self, function: Function, command: list[Any], *, late: bool) -> Reply:
        self.world.wall = max(EPOCH, self.clock.epoch_ms())
        name = str(command[0])
        if name not in ("EVALSHA", "EVAL"):
            self.occurrences.note_command(command)
            return self.world.server.run(*command)
        known = SHAS if name == "EVALSHA" else TEXTS
        verb, count = known[command[1]], int(command[2])
        args = command[3 + count :]
        if verb == "find":  # a script of no queue, which only reads
            body = script(verb, key_locking=False).body
            return self.world.server.run("EVAL", body, count, *command[3:])
        queue = next(queue for queue in self.world.queues if queue.name == args[0])
        if verb == "enqueue":
            jobs = self.occurrences.jobs_of(args)
            reply = self.world.execute(Call(verb, queue, tuple(args), jobs))
            if not jobs[0].id.startswith(FOLLOW_UP):
                self.occurrences.note_stored(jobs, reply[1], self.world.wall, late=late)
            return reply
        ask = read_ask(args) if verb == "turn" else None
        if ask is not None:
            function.owners.add(ask.owner)
        reply = self.world.execute(Call(verb, queue, tuple(args), ask))
        if ask and not late and not function.dead and not isinstance(reply, ReplyError):
            require("0" not in reply[5], "B4 a living function lost its lease", ask, reply[5])
        return reply

    def dies(self, function: Function, poison: str = "") -> None:
        """kill -9. Only a poison job that ran by itself may be blamed, no other exclusive lease."""
        function.dead = True
        if not poison:
            return
        for book in self.world.books.values():
            for lease in book.sets["active"]:
                job, _fence, owner, _seq, *_key, exclusive = lease.split(" ")
                innocent = exclusive == "1" and owner in function.owners and job != poison
                require(not innocent, "I10 an innocent suspect will be blamed", lease, poison)


class _Wire(httpx.AsyncBaseTransport):
    def __init__(self, town: Town, function: Function) -> None:
        self._town, self._function = town, function

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        town, function = self._town, self._function
        command = json.loads(request.read())
        weights = [80] if town.peace else list(FATES.values())
        fate = town.rng.choices(list(FATES)[: len(weights)], weights)[0]
        town.fates[fate] += not town.peace
        await asyncio.sleep(town.rng.choice((0.001, 0.02, 0.3)))
        if function.dead:
            await forever()
        if fate == "lost before":
            raise httpx.ConnectError("lost before", request=request)
        if fate == "throttled":
            return httpx.Response(429, headers={"retry-after": "1"}, json={"error": "rate limit"})
        if fate == "flushed" and command[0] == "EVALSHA":
            return httpx.Response(400, json={"error": "NOSCRIPT No matching script"})
        if fate == "late":
            town.echoes.add(asyncio.ensure_future(self._later(command)))
            raise httpx.ReadError("late", request=request)
        reply = town.execute(function, command)
        if fate == "twice":
            town.execute(function, command)
        await asyncio.sleep(town.rng.choice((0.001, 0.02, 0.3)))
        if function.dead:
            await forever()
        return self._answer(fate, request, reply)

    async def _later(self, command: list[Any]) -> None:
        await asyncio.sleep(self._town.rng.choice((0.05, 2.0, 40.0)))
        self._town.execute(self._function, command, late=True)

    def _answer(self, fate: str, request: httpx.Request, reply: Reply) -> httpx.Response:
        if fate == "lost after":
            raise httpx.ReadError("lost after", request=request)
        if fate == "bad gateway":
            return httpx.Response(502, html="<html>502</html>")
        body = {"error": str(reply)} if isinstance(reply, ReplyError) else {"result": coded(reply)}
        raw = json.dumps(body).encode()
        if fate == "truncated":
            raw = raw[: len(raw) // 2]
        if fate == "garbage":
            raw = b"\x00\xff"
        date = formatdate(self._town.clock.epoch_ms() / 1000, usegmt=True)
        return httpx.Response(400 if "error" in body else 200, content=raw, headers={"date": date})


def coded(reply: Reply) -> Any:
    """As Upstash sends it: every string in base64."""
    if isinstance(reply, list):
        return [coded(element) for element in reply]
    if isinstance(reply, str):
        return b64encode(reply.encode("utf-8", "surrogateescape")).decode()
    return reply


def read_ask(args: list[Any]) -> TurnRequest:
    """The inverse of `TurnRequest.args`, for the auditor."""
    at, types, settles = 25, [], list[Settle]()
    for _ in range(int(args[14])):
        types.append((args[at - 0], args[at + 1]))
        at += 3
    for _ in range(int(args[15])):
        lease, letter, delay, started = args[at].rsplit(" ", 3)
        settles.append(Settle(lease, KINDS[letter], int(delay), args[at + 1], int(started)))
        at += 2
    return TurnRequest(
        args[1], int(args[2]), int(args[3]), int(args[4]), settles,
        exclusive=int(args[5]) == 1, isolated=int(args[5]) == ISOLATED, resync=int(args[13]) == 1,
        want_histograms=[name for name, ask in types if int(ask)],
        ahead_ms=int(args[16]), prolong=args[at : at + int(args[17])],
        prefetch=int(args[18]), repeat_ms=int(args[19]), settles_deaths=args[23] == "1",
    )  # fmt: skip


MOST_TICKS = 200
OVERTIME = 2.5
"""Seconds: a last request may be answered late."""
DEEDS = (
    *("work",) * 12,
    *("slow", "fail", "fail", "later", "snooze", "hang", "stubborn", "poison", "long"),
)
WINDOWS = (3.0, 10.0, 40.0, 100.0)
"""Only the last one has room for a long job, which needs a prolonged lease."""


def serve(town: Town) -> None:
    """Handlers on every queue of the world; they know which function they run in by its task."""

    async def handle(payload: Deed, job: JobContext) -> dict[str, int]:
        function, lease = _function_of(town, job)
        short = job.id.partition(".")[0]
        try:
            require((short, job.fence) not in town.began, "I3 a fence began twice", job)
            early = town.not_before.pop(short, 0.0) - town.clock.monotonic()
            require(early <= 0.0, "I6 a delay was cut short", short, early)
            decided = (job.queue, short) in town.world.ledger.open
            require(not decided or function.dead, "I18 runs although its end is decided", short)
            _runs_beside_no_suspect(function, lease)
            _waits_for_its_token(town, lease)
        except ViolationError as violation:
            town.violations.append(violation)
            raise
        town.began.add((short, job.fence))
        function.running.add(lease)
        try:
            await _do(town, function, payload.do if not town.peace else "work", short, job)
        finally:
            function.running.discard(lease)
        if function.dead:
            await forever()
        return {"fence": job.fence}

    for queue in town.world.queues:
        queue.types.clear()
        queue.job("t", timeout=5)(handle)
        queue.job("long", timeout=70)(handle)
    town.occurrences.schedules = declare(town.world.queues[0])


def _runs_beside_no_suspect(function: Function, lease: str) -> None:
    """A suspect runs with no other handler beside it: a crash must have one possible cause."""
    suspect = any(other.endswith(" 1") for other in (lease, *function.running))
    alone = not function.running or not suspect
    require(function.dead or alone, "I10 beside a suspect", lease, function.running)


def _waits_for_its_token(town: Town, lease: str) -> None:
    """The nth job of a claim to start does so at the time of its nth token, or later."""
    if not lease:
        return
    owner, seq = lease.split(" ")[2:4]
    claim = (owner, int(seq))
    starts = sorted(town.world.starts.get(claim, []))
    if town.started[claim] < len(starts):
        due, now = starts[town.started[claim]], town.clock.epoch_ms()
        require(now >= due - 1, "I9 started before its token", lease, due, now)
    town.started[claim] += 1


def _function_of(town: Town, job: JobContext) -> tuple[Function, str]:
    """The function that runs the job, and its lease. The auditor has seen each lane's turns."""
    book = town.world.books[job.queue]
    short = job.id.partition(".")[0]
    for lease in book.sets["active"]:
        name, fence, owner, *_rest = lease.split(" ")
        if (name, int(fence)) == (short, job.fence):
            return next(f for f in town.functions if owner in f.owners), lease
    return Function(-1, dead=True), ""  # the lease has ended on the way: what it does is late


def _wait(town: Town, job: str, seconds: float) -> float:
    """The delay that the handler wants. A lease whose turns arrive has more than this left, so
    it holds where the settle is lost as well."""
    town.not_before[job] = town.clock.monotonic() + seconds
    return seconds


async def _do(town: Town, function: Function, deed: str, job: str, context: JobContext) -> None:
    match deed:
        case "work" | "long":
            await asyncio.sleep(60.0 if deed == "long" else town.rng.choice((0.0, 0.001, 0.2)))
        case "slow":
            context.progress(50, "half")
            await asyncio.sleep(4.0)
        case "fail":
            raise ValueError(job)
        case "later":
            raise RetryLater(_wait(town, job, town.rng.choice((0.0, 3.0))))
        case "snooze":
            raise Snooze(_wait(town, job, 2.0))
        case "hang":
            await forever()
        case "stubborn":
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
        case _:
            if not function.dead:
                town.dies(function, poison=job)
            await forever()


async def invoke(town: Town, window: float) -> None:
    """One function from its cold start to its end."""
    function, began = Function(len(town.functions)), town.clock.monotonic()
    town.functions.append(function)
    clock = WrongClock(town.clock, 0 if town.peace else town.rng.choice(OFFSETS))
    rest = Rest("http://town", "t", transport=town.transport(function), clock=clock)
    store = ToldStore(rest, PREFIX, key_locking=False)
    store.occurrences = town.occurrences
    drain = Drain(
        store, _TownRegistry(town), Budget.of(window, clock=clock),
        batch=town.rng.choice((1, 3, 10)), patience=town.rng.choice((0.0, 5.0)),
    )  # fmt: skip
    function.drain = drain
    if town.peace or town.rng.random() < 0.7:
        report = await drain.tick()
    else:
        report = await drain.run(town.rng.sample(town.world.queues, 2))
    await store.close()
    used = town.clock.monotonic() - began
    require(function.dead or used <= window + OVERTIME, "B4 beyond the window", window, used)
    if not function.dead and not any(one.error for one in report.queues):
        _left_nothing(town, function)


def _left_nothing(town: Town, function: Function) -> None:
    """A function that ended well has given everything back."""
    for book in town.world.books.values():
        held = [lease for lease in book.sets["active"] if lease.split(" ")[2] in function.owners]
        require(not held, "B4 a function ended and left leases", held)


class _TownRegistry(Registry):
    def __init__(self, town: Town) -> None:
        super().__init__([])
        self._queues = {queue.name: queue for queue in town.world.queues}
        self.apps = [town.world.queues[0].app]
        self.schedules = town.occurrences.schedules


async def live(town: Town, seconds: float) -> None:
    """Jobs come, functions start, are stopped and killed; then peace, until nothing is left."""
    serve(town)
    random.seed(town.rng.random())
    tasks: list[asyncio.Task[None]] = []
    until = town.clock.monotonic() + seconds
    made = 0
    while town.clock.monotonic() < until:
        await asyncio.sleep(town.rng.choice((0.1, 0.5, 2.0, 6.0)))
        _raise(town, tasks)
        match town.rng.choices(("enqueue", "invoke", "kill", "stop"), (6, 4, 1, 1))[0]:
            case "enqueue":
                made += 1
                _enqueue(town, made)
            case "invoke" if sum(not task.done() for task in tasks) < 5:
                tasks.append(asyncio.create_task(invoke(town, town.rng.choice(WINDOWS))))
            case "kill" if town.functions:
                town.dies(town.rng.choice(town.functions))
            case "stop" if town.functions:
                stopped = town.rng.choice(town.functions)
                if stopped.drain and not stopped.dead:
                    stopped.drain.stop()
            case _:
                pass
    await _settle_down(town, tasks)


async def _settle_down(town: Town, tasks: list[asyncio.Task[None]]) -> None:
    town.peace = True
    for queue in town.world.queues:  # a deploy brings the handler that was missing
        queue.job("unknown", timeout=5)(queue.types["t"].handler)
    await asyncio.sleep(max(WINDOWS) + 20)
    _raise(town, tasks)
    for function in town.functions:
        town.dies(function)
    for _ in range(MOST_TICKS):
        if not any(_left(town)):
            break
        await invoke(town, max(WINDOWS))
        await asyncio.sleep(60)
    _raise(town, tasks)
    require(not any(_left(town)), "I8 it never ends", _left(town))
    began = town.clock.epoch_ms()
    await invoke(town, max(WINDOWS))
    town.occurrences.check_all(began)
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _raise(town: Town, tasks: list[asyncio.Task[None]]) -> None:
    for violation in town.violations:
        raise violation
    for task in [*tasks, *town.echoes]:
        if task.done() and (error := task.exception()) is not None:
            raise error


def _left(town: Town) -> list[int]:
    books = town.world.books.values()
    return [
        book.waiting() + sum(len(book.sets[name]) for name in ("delayed", "active", "parked"))
        for book in books
    ]


def _enqueue(town: Town, made: int) -> None:
    town.world.wall = max(EPOCH, town.clock.epoch_ms())
    queue = town.rng.choice(town.world.queues)
    deeds = [town.rng.choice(DEEDS) for _ in range(town.rng.randrange(1, 6))]
    jobs = [_job(town, f"j{made}x{n}", deed) for n, deed in enumerate(deeds)]
    town.world.execute(enqueue_call(queue, jobs))


def _job(town: Town, job_id: str, deed: str) -> Job:
    follow_ups = FollowUps(_followers(town), _followers(town))
    line = follow_ups.line() if town.rng.random() < 0.3 else ""
    payload = Deed(do=deed).model_dump_json()
    return Job(
        "long" if deed == "long" else "t" if town.rng.random() < 0.97 else "unknown",
        f"{payload}\n{line}" if line else payload,
        id=job_id,
        priority=town.rng.choice(("high", "normal", "low")),
        delay_ms=town.rng.choice((0, 0, 1_500)),
        key=town.rng.choice(KEYS),
        overrides={FOLLOW_UPS: True} if line else {},
        follows_death=bool(line and follow_ups.on_dead),
    )


def _followers(town: Town) -> list[FollowUp]:
    """Jobs for one end of another one."""
    some = town.rng.sample(town.world.queues, town.rng.randrange(3))
    key = town.rng.choice(KEYS)
    return [FollowUp(queue.name, "t", Deed().model_dump_json(), {}, key=key) for queue in some]
