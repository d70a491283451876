"""What producers and operators ask of the store, at random."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from shared import Queue
from shared.jobs.body import FOLLOW_UPS
from shared.jobs.follow_ups import NO_FOLLOW_UPS, FollowUp, FollowUps
from shared.jobs.job import Guard, Job

from .server import Word
from .world import Call, enqueue_call

KEYS = ("-", "-", "-", "user-1", "user-1", "user-1", "user-2")
WINDOWS = (1_000, 1_000, 0, 30_000)
"""Of nudges, in ms."""


def produce(rng: Random, queue: Queue, name: str, now: int, others: Sequence[str] = ()) -> Call:
    """Single, bulk, delayed, by priority, under a guard, with follow-ups on the `others`, and now
    and then an id once more."""
    count = 1 if rng.random() < 0.6 else rng.randrange(2, 7)
    jobs = [_job(rng, f"{name}x{n}", now, others) for n in range(count)]
    return enqueue_call(queue, jobs, rng.choice(WINDOWS))


def _job(rng: Random, name: str, now: int, others: Sequence[str]) -> Job:
    simple = rng.random() < 0.4
    dedup = idempotency = None
    if not simple and rng.random() < 0.3:
        dedup = Guard(f"dedup:{rng.randrange(6)}", rng.choice((0, 0, 5_000, 60_000)))
    if not simple and rng.random() < 0.3:
        ttl = rng.choice((10_000, 120_000))
        idempotency = Guard(f"idem:{rng.randrange(6)}", ttl, f"f{rng.randrange(2)}")
    character = "poison" if rng.random() < 0.02 else "t"
    job_id = f"same{rng.randrange(5)}" if rng.random() < 0.06 else name
    follow_ups = _follow_ups(rng, others) if others and rng.random() < 0.12 else NO_FOLLOW_UPS
    line = follow_ups.line()
    return Job(
        character,
        '"' + "é" * rng.randrange(5) + '"' + (f"\n{line}" if line else ""),
        id=job_id,
        priority=rng.choice(("high", "normal", "low")) if not simple else "normal",
        delay_ms=0 if simple else rng.choice((0, 0, 0, 1, 900, 30_000)),
        run_at_ms=0 if simple or rng.random() < 0.9 else now + rng.randrange(-5_000, 20_000),
        key=rng.choice(KEYS),
        dedup=dedup,
        idempotency=idempotency,
        overrides={FOLLOW_UPS: True} if line else {},
        follows_death=bool(follow_ups.on_dead),
    )


def _follow_ups(rng: Random, queues: Sequence[str]) -> FollowUps:
    def some() -> list[FollowUp]:
        return [
            FollowUp(
                rng.choice(queues), "t", '"child"', {}, key=rng.choice(KEYS),
                priority=rng.choice(("high", "normal", "normal")),
                delay_ms=rng.choice((0, 0, 2_000)),
            )
            for _ in range(rng.randrange(3))
        ]  # fmt: skip

    return FollowUps(then=some(), on_dead=some())


def operate(
    rng: Random, queue: Queue, known: list[str], ended: list[str], active: list[str]
) -> Call:
    """Cancel, pause, resume, redrive, delete, purge, or only look."""
    if active and rng.random() < 0.4:
        known = active
    some = rng.sample(known, min(len(known), rng.randrange(1, 4))) or ["nobody"]
    dead = rng.sample(ended, min(len(ended), rng.randrange(1, 5))) or some
    verb = rng.choices(
        ("cancel", "pause", "redrive", "delete", "purge", "inspect", "stats", "browse"),
        (30, 20, 20, 15, 5, 4, 4, 4),
    )[0]
    name = queue.name
    args: tuple[Word, ...]
    told: object = None
    match verb:
        case "cancel":
            args, told = (name, some[0], queue.completed.age_ms), some[0]
        case "inspect":
            args, told = (name, some[0]), some[0]
        case "pause":
            told = rng.random() < 0.35
            args = (name, int(told))
        case "redrive":
            args, told = (name, *dead), dead
        case "delete":
            state = rng.choice(("-", "x", "c"))
            args, told = (name, state, *dead), (state, dead)
        case "purge":
            told = 200 if queue.per_key else rng.randrange(1, 8)  # of backlogs in no order
            args = (name, told, f"p{rng.getrandbits(48):x}")
        case "stats":
            args = (name, "t")
        case _:
            args = (name, rng.choice(("dead", "completed")), "+inf", 0, 10)
    return Call(verb, queue, args, told)
