"""Options of an enqueue: their ranges, and the `Job` they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import LONGEST_DELAY, InvalidOption
from ..jobs.ids import check_job_id, new_id
from ..jobs.job import PRIORITIES, Guard, Job, Priority

KEY_LIMIT = 128
YEAR_10000 = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one job. Times are seconds, `run_at` in epoch seconds."""

    delay: float = 0.0
    run_at: float | None = None
    priority: Priority | None = None
    key: str | None = None
    dedup: str | None = None
    dedup_ttl: float | None = None
    job_id: str | None = None
    idempotency: Guard | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def make_job(job_type: str, payload: str, options: Options, shards: int = 1) -> Job:
    """The `Job` of these options, for a queue of so many shards. Raises InvalidOption, which names
    the field."""
    own_id = options.job_id
    return Job(
        type=job_type,
        payload=payload,
        id=new_id(shards, len(payload)) if own_id is None else check_job_id(own_id),
        priority=_priority(options.priority or "normal"),
        delay_ms=_delay_ms(options.delay, "delay"),
        run_at_ms=0 if options.run_at is None else _instant_ms(options.run_at),
        key="-" if options.key is None else _word(options.key, "key"),
        dedup=None if options.dedup is None else _dedup(options.dedup, options.dedup_ttl),
        idempotency=options.idempotency,
        overrides=options.overrides,
    )


def _priority(name: Priority) -> Priority:
    if name not in PRIORITIES:
        raise InvalidOption(f"priority: {', '.join(PRIORITIES)}", "priority")
    return name


def _delay_ms(seconds: float, name: str) -> int:
    if not 0 <= seconds <= LONGEST_DELAY:  # NaN fails both comparisons
        raise InvalidOption(f"{name}: 0 to {LONGEST_DELAY:.0f} seconds", name)
    return round(seconds * 1000)


def _instant_ms(epoch: float) -> int:
    if not 0 <= epoch < YEAR_10000:
        raise InvalidOption("run_at: an instant before the year 10000", "run_at")
    return max(1, round(epoch * 1000))


def _dedup(name: str, ttl: float | None) -> Guard:
    ttl_ms = 0 if ttl is None else max(1, _delay_ms(ttl, "dedup.ttl"))
    return Guard(f"dedup:{_word(name, 'dedup')}", ttl_ms)


def _word(text: str, name: str) -> str:
    """Text that can stand in a space-separated header; "-" there means none."""
    ok = 1 <= len(text) <= KEY_LIMIT and text != "-" and text.isprintable()
    if not ok or any(c.isspace() for c in text):
        raise InvalidOption(f"{name}: 1 to {KEY_LIMIT} printable characters without spaces", name)
    return text
