"""Checks of what the queues hold: whether drains come, limits let work through, jobs have room and
their lists agree with their records."""

from __future__ import annotations

from collections.abc import Sequence

from ...observe.explain import TICK_LATE
from ...store import Store
from ...store.keys import part
from ...store.queue_stats import QueueStats
from ...store.repair import repair
from ...store.usage import MOST_BYTES_OF_NAMES, OVERHEAD_OF_NAME, fullness
from .finding import Finding

NEARLY_FULL = 0.8
MOST_COMPARED = 2000
"""Jobs of a queue that are compared with their lists; more would cost too many commands."""
SAMPLE = 32
"""Names that are read of a queue; fewer fill no entry."""
LONG_BACKLOG = 86_400.0
"""Seconds that a limit may need for its backlog before that is a fault."""
LASTING = 600.0
"""Seconds from which on a backlog tells at what rate jobs come; a burst tells nothing."""


def check_ticks(queues: Sequence[QueueStats]) -> Finding:
    """Whether a drain comes for what waits."""
    late = [one.queue.name for one in queues if _is_late(one)]
    if not late:
        return Finding("ticks", "OK", "no job waits for a drain")
    detail = f"jobs wait and no drain comes: {', '.join(late)}"
    return Finding("ticks", "WARN", detail, "is the schedule on, and does it send CRON_SECRET?")


def _is_late(stats: QueueStats) -> bool:
    """True if a drain should have come for the waiting jobs and has not."""
    seen = max(stats.turn_ms, stats.oldest_ms or stats.now_ms)
    return not stats.paused and stats.now_ms - seen > TICK_LATE * 1000


def check_backlogs(queues: Sequence[QueueStats]) -> Finding:
    """Whether each rate limit can clear the jobs that wait for it. The jobs that wait came since
    the oldest of them began to wait: so fast they come at least."""
    stuck = list(filter(None, map(_stuck, queues)))
    if not stuck:
        return Finding("backlogs", "OK", "every limit lets more jobs start than come")
    advice = "raise the limit, or enqueue less: this backlog does not end by itself"
    return Finding("backlogs", "WARN", "; ".join(stuck), advice)


def _stuck(stats: QueueStats) -> str | None:
    limit = stats.queue.limit
    if limit is None or not stats.waiting or stats.oldest_ms is None or stats.paused:
        return None
    starts = limit.rate / limit.per
    age = (stats.now_ms - stats.oldest_ms) / 1000
    grows = age >= LASTING and stats.waiting / age > starts
    if not grows and stats.waiting / starts <= LONG_BACKLOG:
        return None
    return (
        f"{stats.queue.name}: {stats.waiting:,} jobs have come within {age / 60:,.0f} min, and its "
        f"limit needs {stats.waiting / starts / 60:,.0f} min for them"
    )


def check_parked(queues: Sequence[QueueStats]) -> Finding:
    """Whether jobs wait for another version of the function."""
    parked = [f"{one.queue.name} {one.sizes['parked']:,}" for one in queues if one.sizes["parked"]]
    if not parked:
        return Finding("parked", "OK", "no job waits for another version of its function")
    advice = "`tidegate jobs list QUEUE --state parked` and `tidegate jobs show ID` tell the reason"
    return Finding("parked", "WARN", f"parked jobs: {', '.join(parked)}", advice)


def check_room(queues: Sequence[QueueStats]) -> Finding:
    """Whether a queue, or one of its shards, soon refuses jobs."""
    levels = [(one, fullness(one.usage, one.queue.max_jobs, one.queue.max_bytes)) for one in queues]
    full = [f"{one.queue.name} {level:.0%}" for one, level in levels if level > NEARLY_FULL]
    if full:
        advice = "drain, delete dead letters, or raise max_jobs, max_bytes"
        return Finding("room", "WARN", f"nearly full: {', '.join(full)}", advice)
    fewer = [
        f"{one.queue.name} ({len(one.usage)})"
        for one in queues
        if len(one.usage) > one.queue.shards
    ]
    if fewer:
        detail = f"declared with fewer shards than stored: {', '.join(fewer)}"
        return Finding("room", "WARN", detail, "declare as many; a queue's shards can only grow")
    return Finding("room", "OK", "all queues have room")


async def check_names(store: Store, queues: Sequence[QueueStats]) -> Finding:
    """Whether the names of a queue (idempotency keys, deduplication) soon fill their entry."""
    full = []
    for stats in queues:
        level = await _bytes_of_names(store, stats.queue.name) / MOST_BYTES_OF_NAMES
        if level > NEARLY_FULL:
            full.append(f"{stats.queue.name} {level:.0%}")
    if not full:
        return Finding("names", "OK", "all queues have room for idempotency keys and names")
    advice = (
        "tidegate queues purge-names deletes them; then allow a shorter ttl "
        "(Overrides(dedup_ttl=...)), enqueue with job_id in place of keys, or split the queue"
    )
    return Finding("names", "WARN", f"nearly full of names: {', '.join(full)}", advice)


async def _bytes_of_names(store: Store, queue: str) -> float:
    """About as many as the names take, by a sample."""
    key = part(store.prefix, queue, "dedup")
    count = int(await store.rest.execute(["HLEN", key], "doctor"))
    if count < SAMPLE:
        return 0.0
    sample = await store.rest.execute(["HRANDFIELD", key, SAMPLE, "WITHVALUES"], "doctor")
    texts = [*sample, *sample.values()] if isinstance(sample, dict) else sample
    size = sum(len(str(text)) for text in texts)
    return count * (size / SAMPLE + OVERHEAD_OF_NAME)


async def check_jobs(store: Store, queues: Sequence[QueueStats]) -> Finding:
    """Records against places. Large queues are left to `tidegate repair`."""
    compared, wrong, large = 0, list[str](), list[str]()
    for stats in queues:
        if stats.jobs > MOST_COMPARED:
            large.append(stats.queue.name)
            continue
        repairs = await repair(store, stats.queue, dry_run=True)
        compared += repairs.jobs
        if not repairs.is_sound:
            wrong.append(stats.queue.name)
    if wrong:
        detail = f"records and lists do not agree: {', '.join(wrong)}"
        return Finding("jobs", "WARN", detail, "tidegate repair --dry-run, then without it")
    left = f"; too large for this: {', '.join(large)}" if large else ""
    return Finding("jobs", "OK", f"{compared} jobs compared with their lists{left}")
