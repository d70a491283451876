"""The options of an enqueue, checked and turned into a `Job`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidOption
from ..jobs.ids import check_job_id, new_id
from ..jobs.job import Guard, Job, Priority
from .policy import LONGEST_DELAY

KEY_LIMIT = 128
YEAR_10000 = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one job. Seconds; `run_at` is epoch seconds."""

    delay: float = 0.0
    run_at: float | None = None
    priority: Priority | None = None
    key: str | None = None
    dedup: str | None = None
    dedup_ttl: float | None = None
    job_id: str | None = None
    idempotency: Guard | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def make_job(job_type: str, payload: str, options: Options) -> Job:
    """Options checked and turned into a `Job`. Raises InvalidOption naming the field."""
    return Job(
        type=job_type,
        payload=payload,
        id=new_id() if options.job_id is None else check_job_id(options.job_id),
        priority=options.priority or "normal",
        delay_ms=_delay_ms(options.delay, "delay"),
        run_at_ms=0 if options.run_at is None else _instant_ms(options.run_at),
        key=_key(options.key),
        dedup=_dedup(options),
        idempotency=options.idempotency,
        overrides=options.overrides,
    )


def _delay_ms(seconds: float, name: str) -> int:
    if not 0 <= seconds <= LONGEST_DELAY:  # NaN fails both comparisons
        raise InvalidOption(f"{name}: 0 to {LONGEST_DELAY:.0f} seconds", name)
    return round(seconds * 1000)


def _instant_ms(epoch: float) -> int:
    if not 0 <= epoch < YEAR_10000:
        raise InvalidOption("run_at: an instant before the year 10000", "run_at")
    return max(1, round(epoch * 1000))


def _key(key: str | None) -> str:
    return "-" if key is None else _word(key, "key")


def _dedup(options: Options) -> Guard | None:
    if options.dedup is None:
        return None
    ttl = 0 if options.dedup_ttl is None else max(1, _delay_ms(options.dedup_ttl, "dedup.ttl"))
    return Guard(f"dedup:{_word(options.dedup, 'dedup')}", ttl)


def _word(text: str, name: str) -> str:
    """Text that can stand in a space-separated header; "-" there means none."""
    ok = 1 <= len(text) <= KEY_LIMIT and text != "-" and text.isprintable()
    if not ok or any(c.isspace() for c in text):
        raise InvalidOption(f"{name}: 1 to {KEY_LIMIT} printable characters without spaces", name)
    return text
