"""The agenda is never later than the work, and a lost entry heals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import RateLimit, Retention
from shared.embedded.fake import FakeEngine
from shared.jobs.claim import Claim
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import Owner, ids, jobs, make_exclusive, settle
from tests.support.values import Declare
from tests.support.world import World


async def test_the_last_turn_takes_an_idle_queue_off_the_agenda(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    await owner.turn(5, [settle(claim, "dead") for claim in await owner.claim()])

    assert await probe.read("q", "agenda") == {}


async def test_a_queue_with_completed_jobs_is_on_the_agenda_for_its_retention(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(completed=Retention(age=6000))
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    await owner.turn(5, [settle(claim) for claim in await owner.claim()])

    assert await probe.read("q", "agenda") == {"q": clock.epoch_ms() + 600_000}
    clock.advance(600)
    await Owner(store, queue, "o2").turn()
    assert await probe.read("q", "agenda") == {"q": clock.epoch_ms() + 600_000}


async def test_a_queue_is_due_while_a_suspect_waits_beside_a_claim(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(concurrency=2)
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)
    owner = Owner(store, queue)
    await store.enqueue(queue, jobs("b"))
    (other,) = await owner.claim(1, exclusive=False)
    (suspect,) = await owner.claim(1)
    assert (await Owner(store, queue, "o2").turn(1)).reason == "full"

    back = [settle(suspect, "release"), settle(other, "retry")]
    reply = await owner.turn(2, back, exclusive=False)

    assert (ids(reply.claims), reply.suspects) == (["b"], 1)
    assert await probe.read("q", "agenda") == {"q": 1}


async def test_queues_share_the_agenda_and_nothing_else(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    first, second = declare("one"), declare("two")
    await store.enqueue(first, jobs("a"))
    await store.enqueue(second, jobs("a", delay_ms=5000))
    owner = Owner(store, first)
    await owner.finish(*await owner.claim(), kind="dead")
    await owner.turn()

    assert await store.agenda() == {"two": clock.epoch_ms() + 5000}
    assert await probe.ids("one", "dead") == ["a"]
    assert await probe.ids("two", "delayed") == ["a"]


@pytest.mark.parametrize(
    ("hint", "lie"),
    [
        ("due", "9007199254740991"),
        ("expiry", "9007199254740991"),
        ("recheck", "9007199254740991"),
        ("mixed", "0"),
        ("waits", "0"),
        ("suspects", "0"),
        ("active", "7"),
    ],
)
async def test_a_resync_turn_corrects_a_wrong_hint(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock, hint: str, lie: str
) -> None:
    queue = declare(concurrency=7)
    await store.enqueue(queue, jobs("lost", "kept"))
    owner = Owner(store, queue)
    claims = await owner.claim()
    await store.enqueue(queue, [*jobs("high", priority="high"), *jobs("later", delay_ms=31_000)])
    await owner.turn(0, [settle(claims[1], "park", 31_000)])
    clock.advance(31)
    await probe.replace("q", f":{hint}", lie)
    await probe.run("DEL", probe.key("q", "agenda"))

    started = []
    for i in range(5):
        fresh = Owner(store, queue, f"new{i}")
        claims = await fresh.claim(resync=i == 0)
        started += ids(claims)
        await fresh.finish(*claims)

    assert set(started) == {"lost", "kept", "high", "later"}


async def test_a_final_turn_keeps_the_request_to_resync(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim(1)
    await probe.run("ZADD", probe.key("q", "agenda"), 0, "q")

    await owner.finish(claim)

    assert await probe.read("q", "agenda") == {"q": 0}


STEP = st.sampled_from(
    ["enqueue", "high", "delay", "claim", "claim_all", "done", "retry", "release", "snooze", "park",
     "die", "advance", "pause", "resume", "cancel", "redrive", "dead", "purge", "final", "revive"]
)  # fmt: skip


class Story:
    """A queue, its owners and the jobs they hold, moved by one word at a time."""

    def __init__(self, limit: RateLimit | None, concurrency: int | None, declare: Declare) -> None:
        self.clock = FakeClock()
        world = World(FakeEngine(), self.clock)
        self.store, self.probe = world.store, world.probe
        self.queue = declare(limit=limit, concurrency=concurrency)
        self.owner, self.held, self.made = Owner(self.store, self.queue), list[Claim](), 0

    async def step(self, word: str) -> None:
        self.made += 1
        if word in ("enqueue", "high", "delay"):
            await self._produce(word, f"j{self.made}")
        elif word in ("pause", "resume", "cancel", "redrive", "purge", "advance"):
            await self._operate(word)
        else:
            await self._work(word)

    async def _produce(self, word: str, name: str) -> None:
        delay = self.made * 700 if word == "delay" else 0
        priority = "high" if word == "high" else "normal"
        await self.store.enqueue(self.queue, jobs(name, priority=priority, delay_ms=delay))

    async def _operate(self, word: str) -> None:
        match word:
            case "advance":
                self.clock.advance(self.made % 7 + 0.5)
            case "cancel":
                for job_id in list((await self.probe.snapshot()).get("records", []))[:1]:
                    await self.store.cancel(self.queue, job_id)
            case "redrive":
                await self.store.redrive(self.queue, await self.probe.ids("q", "dead"))
            case "purge":
                await self.store.purge(self.queue)
            case _:
                await self.store.pause(self.queue, paused=word == "pause")

    async def _work(self, word: str) -> None:
        match word:
            case "claim" | "claim_all":
                self.held += await self.owner.claim(1 if word == "claim" else 10)
            case "final":
                await self.owner.turn(0)
            case "die" | "revive":
                self.owner = Owner(self.store, self.queue, f"o{self.made}", 5_000 + self.made)
                self.held = [] if word == "die" else self.held
            case _ if self.held:
                delay = self.made * 300 if word != "release" else 0
                closing = settle(self.held.pop(), word, delay)  # type: ignore[arg-type]
                self.held += (await self.owner.turn(self.made % 3, [closing])).claims

    async def earliest_work(self) -> Any:
        """The first instant at which a turn could claim, recover, promote or look again."""
        state, inf = await self.probe.snapshot(), float("inf")
        scalars = await self.probe.scalars()
        active = state.get("active", {})
        timers = [
            min(state.get(part, {}).values(), default=inf)
            for part in ("delayed", "active", "parked")
        ]
        waiting = any(part in state for part in ("high", "normal", "low", "suspects"))
        limit, now = self.queue.limit, self.clock.epoch_ms()
        slots = self.queue.concurrency is None or len(active) < self.queue.concurrency
        if scalars.get("paused") == "1" or not slots:
            return timers[1]
        if waiting and limit is not None and scalars.get("per", "0") != "0":
            have = int(scalars["level"]) + (now - int(scalars["at"])) * limit.rate
            waits = max(0, -((have - limit.per_ms) // limit.rate))
            return min(*timers, now + waits)
        return 0 if waiting else min(timers)


@given(
    words=st.lists(STEP, max_size=40),
    limit=st.sampled_from([None, RateLimit(2, per=1, burst=2)]),
    concurrency=st.sampled_from([None, 2]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_whenever_there_is_work_the_agenda_says_so_in_time(
    declare: Declare, words: list[str], limit: RateLimit | None, concurrency: int | None
) -> None:
    story = Story(limit, concurrency, declare)
    for i, word in enumerate(words):
        await story.step(word)
        work = await story.earliest_work()
        entry = (await story.store.agenda()).get("q", float("inf"))
        now = story.clock.epoch_ms()
        # A held entry is half a millisecond late, which only says that it is held (decision 14).
        assert max(entry - 0.5, now) <= max(work, now), f"after {words[: i + 1]}"
    await story.store.close()
