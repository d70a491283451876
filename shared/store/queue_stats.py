"""The numbers of a queue, as stats.lua and overview.lua answer them."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..declare.queue import Queue
from ..jobs.ids import created_ms, public_id
from .counters import Counters, read_counters
from .usage import UsageByShard, read_usage

SIZES = (
    *("high", "normal", "low", "suspects", "delayed", "active"),
    *("parked", "completed", "cancelled", "dead", "inbox"),
)
TOTALS = (
    *("claimed", "done", "retried", "dead", "released"),
    *("snoozed", "parked", "cancelled", "crashed", "lost"),
)


class QueueStats(NamedTuple):
    """One queue: sizes by structure, outcomes ever counted, a histogram of durations per job type.
    `oldest`: the public id of the job that waits longest, `oldest_ms`: since when. `turn_ms`: the
    instant of the last turn, 0 without. `usage`: everything stored, by shard. `counters`: see
    store/counters.py. `unarchived_ms`: since when its oldest dead letter is dead that is not in the
    archive, as the last run of maintain found it; None: it found none."""

    queue: Queue
    now_ms: int
    sizes: dict[str, int]
    oldest: str | None
    oldest_ms: int | None
    turn_ms: int
    paused: bool
    tokens: float | None
    totals: dict[str, int]
    usage: UsageByShard
    histograms: dict[str, list[int]]
    counters: Counters
    unarchived_ms: int | None = None

    @property
    def jobs(self) -> int:
        """Everything stored, ended jobs included."""
        return sum(one.jobs for one in self.usage)

    @property
    def bytes(self) -> int:
        """The bytes of their ids and records."""
        return sum(one.bytes for one in self.usage)

    @property
    def waiting(self) -> int:
        return sum(self.sizes[part] for part in ("high", "normal", "low", "suspects", "inbox"))


def read_stats(queue: Queue, types: list[str], reply: list[Any]) -> QueueStats:
    """The answer of stats.lua."""
    now, *rest = reply
    sizes = dict(zip(SIZES, rest[: len(SIZES)], strict=True))
    heads, rest = rest[len(SIZES) : len(SIZES) + 8], rest[len(SIZES) + 8 :]
    oldest, oldest_ms = _oldest(list(zip(heads[::2], heads[1::2], strict=True)))
    turned, paused, level, per, _at, totals, usage, *histograms, counters, unarchived = rest
    return QueueStats(
        queue=queue,
        now_ms=int(now),
        sizes=sizes,
        oldest=public_id(oldest, queue.name) if oldest else None,
        oldest_ms=oldest_ms,
        turn_ms=int(turned or 0),
        paused=paused == "1",
        tokens=int(level) / int(per) if queue.limit and per and int(per) else None,
        totals=dict(zip(TOTALS, map(int, totals.split() or [0] * len(TOTALS)), strict=True)),
        usage=read_usage(usage),
        histograms={
            name: [int(n) for n in histogram.split()]
            for name, histogram in zip(types, histograms, strict=True)
            if histogram
        },
        counters=read_counters(counters),
        unarchived_ms=int(unarchived) if unarchived else None,
    )


def _oldest(heads: list[tuple[str, str]]) -> tuple[str, int | None]:
    """The id that waits longest, and since when, of the first ids of the lists."""
    waits = [(int(since) if since else created_ms(job_id), job_id) for job_id, since in heads]
    instant, job_id = min(
        ((at, job_id) for at, job_id in waits if at is not None), default=(None, "")
    )
    return job_id or next((job_id for _, job_id in waits if job_id), ""), instant
