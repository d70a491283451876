"""The bounds of a queue: counted where jobs grow and go, and refused before anything is written."""

from __future__ import annotations

from random import Random

import pytest

from shared import Queue, Retention
from shared.cli.diagnosis.queues import check_names
from shared.errors import QueueFull
from shared.jobs.claim import Claim
from shared.jobs.job import Guard, Job
from shared.store import Store
from shared.store.repair import repair
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import Owner, jobs, numbered, settle
from tests.support.values import Declare, Number
from tests.support.world import World

ONE = len("a") + len(record())
"""Bytes that the store counts for one of these jobs with an id of one letter."""


@pytest.mark.one_shard
async def test_a_bulk_fills_the_queue_to_its_bound_and_each_other_job_is_refused_by_itself(
    store: Store, probe: Probe, declare: Declare
) -> None:
    answers = await store.enqueue(declare(max_jobs=3), jobs("a", "b", "c", "d", "e"))

    assert [answer.stored for answer in answers] == [True, True, True, False, False]
    assert await probe.ids("q", "normal") == ["a", "b", "c"]
    stats = await store.stats(declare())
    assert (stats.jobs, stats.bytes) == (3, 3 * ONE)


@pytest.mark.one_shard
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"priority": "high"}, {"delay_ms": 5}, {"dedup": Guard("dedup:x")}),
        {"idempotency": Guard("key:x", 1000, "print")},
    ],
)
@pytest.mark.parametrize("bounds", [{"max_jobs": 2}, {"max_bytes": 2 * ONE}])
async def test_a_full_queue_refuses_every_kind_of_job_and_writes_nothing(
    store: Store,
    probe: Probe,
    declare: Declare,
    bounds: dict[str, int],
    options: dict[str, object],
) -> None:
    queue = declare(**bounds)
    await store.enqueue(queue, jobs("a", "b"))
    before = await probe.snapshot()

    with pytest.raises(QueueFull):
        await store.enqueue_one(queue, jobs("c", **options)[0])

    assert await probe.snapshot() == before


@pytest.mark.one_shard
async def test_a_job_to_the_last_byte_fits_and_a_smaller_one_fits_after_a_larger_was_refused(
    store: Store, declare: Declare
) -> None:
    queue = declare(max_bytes=2 * ONE)
    large = Job("t", '{"note":"larger"}', id="b")

    answers = await store.enqueue(queue, [*jobs("a"), large, *jobs("c")])

    assert [answer.stored for answer in answers] == [True, False, True]


@pytest.mark.one_shard
async def test_a_full_queue_still_answers_for_the_jobs_that_it_holds(
    store: Store, declare: Declare
) -> None:
    queue, same = declare(max_jobs=3), Guard("key:x", 1000, "print")
    await store.enqueue(queue, jobs("a"))
    await store.enqueue(queue, jobs("b", dedup=Guard("dedup:x")))
    await store.enqueue(queue, jobs("c", idempotency=same))

    repeats = [
        *jobs("a"),
        *jobs("b2", dedup=Guard("dedup:x")),
        *jobs("c2", idempotency=same),
    ]
    answers = await store.enqueue(queue, repeats)

    assert [answer.id for answer in answers] == ["a.q", "b.q", "c.q"]
    assert all(answer.stored for answer in answers)


@pytest.mark.one_shard
async def test_a_queue_that_was_full_accepts_again_as_its_jobs_go(
    store: Store, declare: Declare
) -> None:
    queue = declare(max_jobs=5, completed=Retention(count=0))
    owner = Owner(store, queue)
    for round_ in range(4):
        stored = await store.enqueue(queue, numbered(7, f"r{round_}-"))
        assert [answer.stored for answer in stored] == [True] * 5 + [False] * 2
        await owner.finish(*await owner.claim())

    stats = await store.stats(queue)
    assert (stats.jobs, stats.bytes) == (0, 0)


@pytest.mark.one_shard
@pytest.mark.parametrize("bounds", [{"max_jobs": 6}, {"max_bytes": 6 * (ONE + 3)}])
async def test_completed_jobs_give_way_to_new_ones_the_oldest_first(
    store: Store, probe: Probe, declare: Declare, bounds: dict[str, int]
) -> None:
    queue = declare(**bounds)
    owner, answers = Owner(store, queue), list[bool]()
    for job in numbered(20):
        answers += [answer.stored for answer in await store.enqueue(queue, [job])]
        await owner.finish(*await owner.claim())

    assert all(answers)
    kept = await probe.ids("q", "completed")
    assert "j019" in kept
    assert int((await probe.scalars())["completed"]) == len(kept)
    assert (await repair(store, queue, dry_run=True)).is_sound


@pytest.mark.one_shard
async def test_dead_letters_and_waiting_jobs_do_not_give_way(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare(max_jobs=4)
    await store.enqueue(queue, jobs("a", "b", "c", "d"))
    owner = Owner(store, queue)
    claims = await owner.claim(3)
    kinds = ("dead", "done", "cancelled")
    await owner.turn(0, [settle(c, k) for c, k in zip(claims, kinds, strict=True)])  # type: ignore[arg-type]

    answers = await store.enqueue(queue, jobs("e", "f", "g"))

    assert [answer.stored for answer in answers] == [True, True, False]
    left = {name for name in await probe.read("q", "records") if not name.startswith(":")}
    assert left == {"a", "d", "e", "f"}


@pytest.mark.one_shard
async def test_python_raises_for_refused_jobs_and_tells_which_were_stored(world: World) -> None:
    queue = world.app.queue("q", max_jobs=2)

    @queue.job("t")
    async def handle(payload: Number) -> None:
        return None

    batch = [handle.job(Number(n=n)) for n in range(3)]
    with pytest.raises(QueueFull, match="1 of 3 jobs not stored") as caught:
        await handle.enqueue_many(batch)
    assert [answer.stored for answer in caught.value.answers] == [True, True, False]
    with pytest.raises(QueueFull):
        await handle.enqueue(Number(n=4))


@pytest.mark.parametrize(
    "bounds", [{"max_jobs": 0}, {"max_jobs": 10**9}, {"max_bytes": 0}, {"max_bytes": 2**41}]
)
def test_a_bound_without_a_meaning_is_refused_at_the_declaration(
    declare: Declare, bounds: dict[str, int]
) -> None:
    with pytest.raises(Exception, match="max_"):
        declare(**bounds)


class _Life:
    """Random verbs on one queue, whose jobs have payloads and histories of random lengths."""

    def __init__(self, store: Store, queue: Queue, clock: FakeClock, seed: int) -> None:
        self.store, self.queue, self.clock, self.rng = store, queue, clock, Random(seed)
        self.owner, self.held, self.made = Owner(store, queue), list[Claim](), 0

    async def step(self) -> None:
        verbs = [self._enqueue, self._turn, self._turn, self._cancel, self._clean, self._crash]
        await self.rng.choice(verbs)()
        self.clock.advance(self.rng.choice((0.001, 1, 20)))

    async def _enqueue(self) -> None:
        batch = [
            Job("t", f'"{"ä" * self.rng.randrange(50)}"', id=f"j{self.made + i}")
            for i in range(self.rng.randrange(1, 12))
        ]
        self.made += len(batch)
        await self.store.enqueue(self.queue, [*batch, *jobs("same")])

    async def _turn(self) -> None:
        kinds = ("done", "dead", "retry", "keep", "park", "cancelled", "release")
        settles = [
            settle(claim, self.rng.choice(kinds), 100, "x" * self.rng.randrange(80))  # type: ignore[arg-type]
            for claim in self.held
        ]
        self.held = (await self.owner.turn(8, settles, exclusive=False)).claims

    async def _cancel(self) -> None:
        if self.made:
            view = f"j{self.rng.randrange(self.made)}"
            if any(answer.duplicate for answer in await self.store.enqueue(self.queue, jobs(view))):
                await self.store.cancel(self.queue, view)

    async def _clean(self) -> None:
        names = [f"j{self.rng.randrange(self.made + 1)}" for _ in range(5)]
        if self.rng.random() < 0.5:
            await self.store.delete(self.queue, names)
        elif self.rng.random() < 0.5:
            await self.store.redrive(self.queue, names)
        else:
            await self.store.purge(self.queue)

    async def _crash(self) -> None:
        self.owner, self.held = Owner(self.store, self.queue, f"o{self.rng.random()}"), []
        self.clock.advance(31)


@pytest.mark.parametrize("seed", range(8))
async def test_the_counts_are_those_of_the_records_after_any_verbs(
    store: Store, declare: Declare, clock: FakeClock, seed: int
) -> None:
    queue = declare(completed=Retention(count=5, age=300))
    life = _Life(store, queue, clock, seed)
    for _ in range(25):
        await life.step()

    assert (await repair(store, queue, dry_run=True)).is_sound


async def test_many_expired_names_go_also_when_few_new_ones_come(
    store: Store, probe: Probe, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    guards = [Guard(f"key:{i}", 1000, "print") for i in range(2000)]
    await store.enqueue(queue, [Job("t", "{}", idempotency=guard) for guard in guards])
    clock.advance(2)

    for i in range(200):
        await store.enqueue(queue, jobs(f"n{i}", idempotency=Guard(f"key:n{i}", 1000, "print")))

    assert int(await probe.run("HLEN", probe.key("q", "dedup"))) <= 2 * 200 + 32


@pytest.mark.best_server  # 66 MB
async def test_a_queue_full_of_names_refuses_jobs_that_bring_more_and_takes_others(
    world: World,
) -> None:
    queue, key = world.app.queue("q"), world.probe.key("q", "dedup")
    named = jobs("named", idempotency=Guard("key:named", 5000, "print"))
    guard = f"9999999999999 {'p' * 2**13} other w"
    for first in range(0, 8400, 400):
        names = [f"key:{n}" for n in range(first, first + 400)]
        await world.probe.run("HSET", key, *(word for name in names for word in (name, guard)))

    (answer,) = await world.store.enqueue(queue, named)
    assert isinstance(answer.refusal, QueueFull)
    with pytest.raises(QueueFull, match="names"):
        await world.store.enqueue_one(queue, named[0])
    (plain,) = await world.store.enqueue(queue, jobs("plain"))
    assert plain.stored
    (same,) = await world.store.enqueue(
        queue, jobs("plain", idempotency=Guard("key:other", 5000, "print"))
    )
    assert same.duplicate
    finding = await check_names(world.store, [await world.store.stats(queue)])
    assert (finding.verdict, "q 10" in finding.detail) == ("WARN", True)
    await world.probe.run("HDEL", key, *(f"key:{n}" for n in range(2500)))
    (answer,) = await world.store.enqueue(queue, named)
    assert answer.stored
    finding = await check_names(world.store, [await world.store.stats(queue)])
    assert finding.verdict == "OK"
