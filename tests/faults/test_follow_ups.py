"""A follow-up exists exactly when the job that it follows has ended so, once, whatever dies."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from random import Random
from typing import Any, ClassVar, Literal

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from shared import Completed, Dead, Discard, JobContext, JobFailure, Queue, Retry
from shared.declare.ends import JobError
from shared.declare.queue import JobType
from shared.errors import InvalidOption
from shared.jobs.claim import Claim
from shared.jobs.ends import DecidedEnd
from shared.observe.explain import explain
from shared.store import Store
from shared.store.scripts import script
from shared.testing import FAULTS, Fate, LossyTransport, store_on
from tests.faults.conftest import Play
from tests.support.failing import failing
from tests.support.turns import Owner, make_exclusive, settle
from tests.support.values import Number
from tests.support.world import World

Outcome = Literal["done", "dead", "retry"]
Death = Literal["before", "after"]
TICKS = 12


class Note(BaseModel):
    """What a follow-up gets: the job that it follows, and how that ended."""

    of: int
    end: str


class Plan:
    """A deployment: jobs whose runs end as written down, with every kind of follow-up, and the
    ledger of the follow-ups that ran."""

    def __init__(self, world: World, outcomes: Sequence[Outcome], **options: Any) -> None:
        self.world, self.outcomes = world, outcomes
        self.runs = Counter[int]()
        self.follow_ups = defaultdict[tuple[int, str, str], set[str]](set)
        """The ids of those that ran, by the job that they follow, its end, and their kind. One may
        run twice, as any job."""
        self.queue: Queue = world.app.queue("q", retry=Retry.fixed(attempts=9, wait=1), **options)
        mail = world.app.queue("mail")

        async def work(payload: Number) -> str:
            self.runs[payload.n] += 1
            match self.outcomes[min(self.runs[payload.n], len(self.outcomes)) - 1]:
                case "dead":
                    raise Discard("as planned")
                case "retry":
                    raise ValueError("as planned")
            return f"run {self.runs[payload.n]}"

        self.work: JobType[Number] = self.queue.job("work")(work)

        @mail.job("note")
        async def note(payload: Note, job: JobContext) -> None:
            self.follow_ups[payload.of, payload.end, "enqueued"].add(job.id)

        self.note: JobType[Note] = note

        @self.work.on_completed(queue=mail)
        async def completed(end: Completed[Number], job: JobContext) -> None:
            self.follow_ups[end.payload.n, "completed", "handler"].add(job.id)

        @self.work.on_dead
        async def dead(end: Dead[Number], job: JobContext) -> None:
            assert end.payload is not None
            self.follow_ups[end.payload.n, "dead", "handler"].add(job.id)

    async def enqueue(self, jobs: int, key: str | None = None) -> None:
        await self.world.store.enqueue(
            self.queue,
            [
                self.work.job(
                    Number(n=n),
                    job_id=f"j{n}",
                    key=key,
                    then=[self.note.job(Note(of=n, end="completed"))],
                    on_dead=[self.note.job(Note(of=n, end="dead"))],
                )
                for n in range(jobs)
            ],
        )

    async def settle_down(self) -> None:
        """Healthy ticks, until nothing is left."""
        for _ in range(TICKS):
            await self.world.drain(self.world.client(), budget=50).tick()
            await self.world.clock.sleep(60)

    async def check(self, jobs: int) -> None:
        """Each job has ended, its follow-ups have run once, and no other has."""
        expected = set[tuple[int, str, str]]()
        for n in range(jobs):
            state = (await self.world.store.inspect(self.queue, f"j{n}")).state
            assert state in ("completed", "dead")
            expected |= {(n, state, "enqueued"), (n, state, "handler")}
        assert set(self.follow_ups) == expected
        assert [len(ids) for ids in self.follow_ups.values()] == [1] * len(expected)


class Grave(httpx.AsyncBaseTransport):
    """The function dies at its n-th request (the first is 1), before or after it reaches the
    store: nothing is heard or sent any more."""

    def __init__(self, inner: httpx.AsyncBaseTransport, n: int, death: Death) -> None:
        self._inner, self._left, self._death = inner, n, death
        self.died = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left > 0:
            return await self._inner.handle_async_request(request)
        if self._left == 0 and self._death == "after":
            await self._inner.handle_async_request(request)
        self.died.set()
        await asyncio.Event().wait()
        raise AssertionError


async def drain_until_death(world: World, n: int, death: Death, fates: Iterable[Fate] = ()) -> bool:
    """A tick whose function dies at its n-th request. False where it has fewer."""
    graves: list[Grave] = []

    def wrap(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        graves.append(Grave(LossyTransport(inner, fates), n, death))
        return graves[-1]

    store: Store = store_on(world.protocol, clock=world.clock, wrap=wrap)
    tick = asyncio.ensure_future(world.drain(store, budget=50).tick())
    dying = asyncio.ensure_future(graves[0].died.wait())
    await asyncio.wait({tick, dying}, return_when=asyncio.FIRST_COMPLETED)
    died = graves[0].died.is_set()
    for task in (tick, dying):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await store.close()
    return died


OUTCOMES: list[Sequence[Outcome]] = [
    ["done"],
    ["dead"],
    ["done", "dead"],
    ["dead", "done"],
    ["retry", "done", "dead"],
    ["retry", "dead", "done"],
]
every_outcome = pytest.mark.parametrize("outcomes", OUTCOMES, ids="-".join)


@every_outcome
@pytest.mark.parametrize("death", ["before", "after"])
def test_a_function_may_die_at_every_request(
    play: Play[bool], outcomes: Sequence[Outcome], death: Death
) -> None:
    async def story(world: World, n: int) -> bool:
        plan = Plan(world, outcomes)
        await plan.enqueue(2)
        died = await drain_until_death(world, n, death)
        await world.clock.sleep(60)
        await plan.settle_down()
        await plan.check(2)
        return died

    for n in count(1):
        if not play(partial(story, n=n)):
            assert n > 8  # agenda, find, claim, decide, two enqueues, settle, and the follow-ups
            return


@pytest.mark.parametrize("seed", range(12))
def test_any_number_of_deaths_and_lost_replies_change_nothing(play: Play[None], seed: int) -> None:
    """Functions overlap, die at any request, and lose requests and replies."""

    async def story(world: World) -> None:
        rng = Random(seed)
        outcomes: list[Outcome] = rng.choices(["done", "dead", "retry"], k=6)
        plan = Plan(world, [*outcomes, "done"])
        await plan.enqueue(3)
        functions: list[asyncio.Task[bool]] = []
        for _ in range(8):
            death: Death = rng.choice(["before", "after"])
            fates = LossyTransport.drawn(rng.randrange(2**32), dict.fromkeys(FAULTS, 0.02))
            dying = drain_until_death(world, rng.randrange(2, 16), death, fates)
            functions.append(asyncio.create_task(dying))
            await world.clock.sleep(rng.choice([0.1, 5, 50]))
        await asyncio.gather(*functions)
        await world.clock.sleep(60)
        await plan.settle_down()
        await plan.check(3)

    play(story)


class WriteFault(httpx.AsyncBaseTransport):
    """At the n-th request (the first is 1) the given write of its script fails."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: World, n: int, write: int) -> None:
        self._inner, self._world, self._left, self._write = inner, world, n, write
        self.struck = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left != 0:
            return await self._inner.handle_async_request(request)
        faults = [await failing(self._world, verb, self._write) for verb in ("turn", "enqueue")]
        response = await self._inner.handle_async_request(request)
        self.struck = bool(await faults[0].command())
        for verb in ("turn", "enqueue"):
            self._world.protocol.preface_next(script(verb).sha, "")
        return response


@pytest.mark.parametrize("n", range(2, 11))
def test_every_write_of_a_script_may_fail(play: Play[bool], n: int) -> None:
    """Of the drain's n-th request. The first is the plain read of the agenda."""

    async def story(world: World, write: int) -> bool:
        plan = Plan(world, ["done", "dead", "done"])
        await plan.enqueue(2)
        faults: list[WriteFault] = []

        def wrap(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            faults.append(WriteFault(inner, world, n, write))
            return faults[-1]

        store = store_on(world.protocol, clock=world.clock, wrap=wrap)
        await world.drain(store, budget=50).tick()
        await store.close()
        await plan.settle_down()
        await plan.check(2)
        return faults[0].struck

    for write in count(1):
        if not play(partial(story, write=write)):
            return


class Outage(httpx.AsyncBaseTransport):
    """The function claims, and then can't reach the store until its leases have ended."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: World) -> None:
        self._inner, self._world = inner, world
        self.claimed_at: float | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = self._world.clock.monotonic()
        if self.claimed_at is not None and now < self.claimed_at + 70:
            raise httpx.ConnectError("no route to the store", request=request)
        response = await self._inner.handle_async_request(request)
        if self.claimed_at is None and (await self._world.probe.totals()).get("claimed"):
            self.claimed_at = now
        return response


def test_a_function_that_lost_its_lease_makes_no_follow_ups(play: Play[None]) -> None:
    """Its own outcome was another one, and it settles that when the job has long ended."""

    async def story(world: World) -> None:
        plan = Plan(world, ["done", "dead"])
        await plan.enqueue(1)
        store = store_on(world.protocol, clock=world.clock, wrap=lambda inner: Outage(inner, world))
        silent = asyncio.create_task(world.drain(store, budget=200).run([plan.queue]))
        await world.clock.sleep(55)
        await world.drain(world.client(), budget=10).run([plan.queue])
        assert (await world.store.inspect(plan.queue, "j0")).state == "dead"

        report = await silent
        await store.close()

        assert report.queues[0].stale == 1
        await plan.settle_down()
        await plan.check(1)

    play(story)


async def test_a_lost_lease_leaves_the_end_to_the_function_that_holds_the_job(
    world: World,
) -> None:
    """A function that decides too late makes no follow-up."""
    plan = Plan(world, ["done"])
    await plan.enqueue(1)
    slow = Owner(world.store, plan.queue, "slow", lease_ms=1)
    (late,) = await slow.claim()
    world.clock.advance(1)
    await plan.settle_down()
    await plan.check(1)

    reply = await slow.turn(0, [settle(late, "decide", history='{"end":{}}')])

    assert reply.stale == {late.lease}
    view = await world.store.inspect(plan.queue, "j0")
    assert (view.state, "end" in view.history) == ("completed", False)


async def _decided(world: World, plan: Plan) -> None:
    """Job j0 has completed, and its function died before it stored the follow-ups."""
    await plan.enqueue(1)
    dead = Owner(world.store, plan.queue, "dead", lease_ms=1)
    (claim,) = await dead.claim()
    note = DecidedEnd("done", "m", world.clock.epoch_ms()).detail()
    history = json.dumps({"result": 7, **note})
    assert (await dead.turn(0, [settle(claim, "decide", history=history)])).stale == frozenset()
    world.clock.advance(1)


async def test_a_decided_end_is_finished_without_the_handler(world: World) -> None:
    plan = Plan(world, ["dead"])
    await _decided(world, plan)

    await plan.settle_down()

    await plan.check(1)
    assert plan.runs == {}
    view = await world.store.inspect(plan.queue, "j0")
    assert (view.state, view.result, view.attempts) == ("completed", 7, 1)


@pytest.mark.parametrize("when", ["leased", "waiting"])
async def test_a_decided_end_can_not_be_cancelled_any_more(world: World, when: str) -> None:
    plan = Plan(world, ["done"])
    await _decided(world, plan)
    if when == "waiting":
        await Owner(world.store, plan.queue, "recovers").turn(0)

    assert await world.store.cancel(plan.queue, "j0") == "cancel_requested"

    await plan.settle_down()
    await plan.check(1)
    assert (await world.store.inspect(plan.queue, "j0")).state == "completed"


async def test_functions_that_die_while_they_finish_an_end_are_not_held_against_the_job(
    world: World,
) -> None:
    plan = Plan(world, ["done"])
    await _decided(world, plan)
    for n in range(8):
        await Owner(world.store, plan.queue, f"dies{n}", lease_ms=1).claim()
        world.clock.advance(1)

    await plan.settle_down()
    await plan.check(1)
    assert (await world.store.inspect(plan.queue, "j0")).state == "completed"


async def _decided_exclusively(world: World, plan: Plan, owner: Owner) -> tuple[Claim, str]:
    """The claim and the history of job j0, which ran exclusively, and whose end is decided."""
    await plan.enqueue(1)
    await make_exclusive(world.store, plan.queue, world.clock)
    (claim,) = await owner.claim()
    history = json.dumps(dict(DecidedEnd("done", "m", world.clock.epoch_ms()).detail()))
    await owner.turn(0, [settle(claim, "decide", history=history)])
    return claim, history


async def test_an_end_of_a_job_that_ran_exclusively_can_be_put_off(world: World) -> None:
    plan = Plan(world, ["done"])
    owner = Owner(world.store, plan.queue)
    claim, history = await _decided_exclusively(world, plan, owner)

    reply = await owner.turn(10, [settle(claim, "release", 60_000, history)])

    assert reply.claims == []
    assert (await world.store.inspect(plan.queue, "j0")).state == "delayed"


async def test_an_end_of_a_job_that_ran_exclusively_waits_in_its_list_after_a_crash(
    world: World,
) -> None:
    plan = Plan(world, ["done"])
    await _decided_exclusively(world, plan, Owner(world.store, plan.queue, "dies", lease_ms=1))
    world.clock.advance(1)
    await Owner(world.store, plan.queue, "finds").turn(0)

    assert await world.store.reconcile(plan.queue, ["j0"], repair=False) == ["sound"]
    view = await world.store.inspect(plan.queue, "j0")
    assert (view.state, view.quarantined) == ("waiting", False)


@pytest.mark.parametrize("declared", ["enqueued", "handler"])
async def test_a_death_by_crashes_has_its_follow_ups(world: World, declared: str) -> None:
    queue, seen = world.queue(), list[str]()

    @queue.job("note")
    async def note(payload: Note) -> None:
        seen.append(payload.end)

    work: JobType[Number] = queue.types["t"]
    on_dead = [note.job(Note(of=0, end="enqueued"))] if declared == "enqueued" else None
    if declared == "handler":

        @work.on_dead
        async def dead(end: Dead[Number]) -> None:
            seen.append(f"{end.error.type} {end.attempts}")

    failures: list[JobFailure] = []
    world.app.on_failure(lambda _error, failure: failures.append(failure))
    await world.store.enqueue(queue, [work.job(Number(), job_id="poison", on_dead=on_dead)])
    await make_exclusive(world.store, queue, world.clock)
    for n in range(3):
        await Owner(world.store, queue, f"killed{n}", lease_ms=1).claim()
        world.clock.advance(1)
        assert (await world.store.inspect(queue, "poison")).state != "dead"

    await world.drained(queue)

    view = await world.store.inspect(queue, "poison")
    assert (view.state, view.reason, view.attempts, view.crashes) == ("dead", "crashed", 0, 3)
    assert view.errors[-1]["type"] == "Crashed"
    assert seen == ["enqueued" if declared == "enqueued" else "Crashed 0"]
    assert [failure.dead for failure in failures] == [True]
    assert world.ran == []


async def test_a_crash_that_was_none_saves_a_job_that_waits_for_its_death(world: World) -> None:
    plan = Plan(world, ["done"])
    await plan.enqueue(1)
    await make_exclusive(world.store, plan.queue, world.clock)
    for n in range(3):
        silent = Owner(world.store, plan.queue, f"silent{n}", lease_ms=1)
        (late,) = await silent.claim()
        world.clock.advance(1)
    await Owner(world.store, plan.queue, "finds").turn(0, settles_deaths=True)

    assert (await silent.turn(0, [settle(late)])).stale == {late.lease}

    await plan.settle_down()
    await plan.check(1)
    assert (await world.store.inspect(plan.queue, "j0")).state == "completed"


async def test_each_end_of_a_redriven_job_has_its_follow_ups(world: World) -> None:
    plan = Plan(world, ["dead", "dead", "done"])
    await plan.enqueue(1)
    for n in range(1, 4):
        await plan.settle_down()
        state = "completed" if n == 3 else "dead"
        assert (await world.store.inspect(plan.queue, "j0")).state == state
        ids = plan.follow_ups[0, state, "handler"]
        assert len(ids) == len(plan.follow_ups[0, state, "enqueued"]) == (1 if n == 3 else n)
        await world.store.redrive(plan.queue, ["j0"])


async def test_a_job_enqueued_again_under_its_id_has_follow_ups_of_its_own(world: World) -> None:
    plan = Plan(world, ["done"])
    for n in (1, 2):
        await plan.enqueue(1)
        await plan.settle_down()
        assert len(plan.follow_ups[0, "completed", "handler"]) == n
        await world.store.delete(plan.queue, ["j0"])


async def test_a_cancelled_job_has_no_follow_ups(world: World) -> None:
    plan = Plan(world, ["done"])
    await plan.enqueue(1)
    await world.store.cancel(plan.queue, "j0")

    await plan.settle_down()

    assert plan.follow_ups == {}


@pytest.mark.parametrize("why", ["full", "gone"])
async def test_a_job_whose_follow_ups_find_no_place_waits_and_tells_why(
    world: World, why: str
) -> None:
    queue, narrow, seen = world.app.queue("q"), world.app.queue("narrow", max_jobs=1), list[int]()

    @queue.job("work")
    async def work(payload: Number) -> None:
        seen.append(payload.n)

    @narrow.job("note")
    async def note(payload: Note) -> None:
        seen.append(payload.of)

    then = [note.job(Note(of=n, end="completed")) for n in (1, 2)]
    await world.store.enqueue(queue, [work.job(Number(), job_id="j0", then=then)])
    if why == "gone":
        del world.app.queues["narrow"]

    await world.drained(queue)

    view = await world.store.inspect(queue, "j0")
    explanation = explain(view)[0]
    assert view.state == "delayed"
    assert explanation.code == "follow_ups"
    assert "narrow" in explanation.detail
    world.app.queues["narrow"] = narrow
    for _ in range(6):
        await world.drain(budget=50).tick()
        world.clock.advance(70)
    assert (await world.store.inspect(queue, "j0")).state == "completed"
    assert seen == [0, 1, 2]


async def test_a_follow_up_may_have_options_and_follow_ups(world: World) -> None:
    plan, queue = Plan(world, ["done"]), world.app.queue("later")

    @queue.job("late")
    async def late(payload: Number, job: JobContext) -> None:
        plan.follow_ups[payload.n, str(job.attempt), job.key or ""].add(job.id)

    second = late.job(Number(n=2))
    first = late.job(Number(n=1), delay=90, key="kim", priority="high", then=[second])
    await world.store.enqueue(plan.queue, [plan.work.job(Number(), job_id="j0", then=[first])])
    await world.drain(budget=50).tick()

    assert (1, "1", "kim") not in plan.follow_ups
    world.clock.advance(91)
    await plan.settle_down()

    assert [(1, "1", "kim") in plan.follow_ups, (2, "1", "") in plan.follow_ups] == [True, True]


async def test_the_payload_of_a_dead_job_that_fits_no_model_is_left_out(world: World) -> None:
    queue, seen = world.queue(), list[Dead[Number]]()
    work: JobType[Number] = queue.types["t"]

    @work.on_dead
    async def dead(end: Dead[Number]) -> None:
        seen.append(end)

    await world.probe.run(
        "RPUSH", world.probe.key("q", "inbox"), '{"type": "t", "payload": {"n": "x"}}'
    )
    await world.drained(queue)

    (end,) = seen
    assert (end.payload, end.error.type) == (None, "InvalidPayload")


class Trap(BaseModel):
    """A payload whose validator ends the process where it runs, unless `armed` is empty."""

    at: datetime
    tags: tuple[int, ...]
    model_config = ConfigDict(strict=True)
    armed: ClassVar[list[type[BaseException]]] = []
    read: ClassVar[list[str]] = []

    @model_validator(mode="after")
    def _spring(self) -> Trap:
        self.read.append("")
        for error in self.armed:
            raise error
        return self


@pytest.mark.parametrize("error", [None, KeyError, SystemExit])
async def test_the_payload_of_a_dead_job_is_read_in_the_job_of_its_handler_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None
) -> None:
    queue, seen = world.app.queue("q"), list[Dead[Trap]]()
    later = world.app.queue("later")
    monkeypatch.setattr(Trap, "armed", [])
    monkeypatch.setattr(Trap, "read", [])

    @queue.job("t")
    async def work(payload: Trap) -> None:
        raise Discard("no")

    @work.on_dead(queue=later)
    async def dead(end: Dead[Trap]) -> None:
        seen.append(end)

    payload = Trap(at=datetime(2026, 1, 1, tzinfo=UTC), tags=(1,))
    await work.enqueue(payload)
    Trap.read.clear()
    await world.drain(budget=50).run([queue])
    assert (len(Trap.read), seen) == (1, [])  # by the job itself, not for its end

    Trap.armed.extend([error] if error else [])
    await world.drained(later)

    assert [end.payload for end in seen] == [None if error else payload]


def test_a_handler_of_deaths_may_be_tested_with_a_payload_of_its_own() -> None:
    error = JobError(type="Crashed", message="")
    end = Dead[Number](id="a.q", queue="q", type="t", attempts=0, payload=Number(n=1), error=error)

    assert end.payload == Number(n=1)


@pytest.mark.parametrize("payload", ['1, "id": "forged"', "{", "NaN", "[" * 300 + "]" * 300])
async def test_a_stored_payload_changes_nothing_else_of_a_death(world: World, payload: str) -> None:
    queue, seen = world.queue(), list[Dead[Number]]()
    work: JobType[Number] = queue.types["t"]

    @work.on_dead
    async def dead(end: Dead[Number]) -> None:
        seen.append(end)

    job = replace(work.job(Number(), job_id="one"), payload=payload)
    await world.store.enqueue(queue, [job])
    for _ in range(3):
        await world.drained(queue)
        world.clock.advance(86_400)

    assert [(end.id, end.payload) for end in seen] == [("one.q", None)]


def test_the_deepest_follow_ups_take_no_more_than_their_levels_allow(world: World) -> None:
    work: JobType[Number] = world.queue().types["t"]
    job = work.job(Number())
    for _ in range(5):
        job = work.job(Number(), then=[job])

    assert len(job.payload) < 6 * 2**5 * 100
    with pytest.raises(InvalidOption, match="then: follow-ups are nested at most 5") as refused:
        work.job(Number(), then=[job])
    assert refused.value.field == "then"
    with pytest.raises(InvalidOption, match="on_dead: follow-ups are nested at most 5"):
        work.job(Number(), then=[work.job(Number())], on_dead=[job])
