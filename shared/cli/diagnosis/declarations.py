"""Checks of what the applications declare against what stores and limits allow: entries and plan,
retries, rates. They contact nothing."""

from __future__ import annotations

from collections import defaultdict

from ...config.alerts import AlertSettings
from ...declare.app import Registry
from ...declare.idempotency import TTL_MS
from ...declare.policy import Retry
from ...declare.queue import Queue
from ...store.usage import WORST_SHARD
from .finding import Finding

LARGEST_ENTRY = 100 * 2**20
"""Bytes of one entry on Upstash's free, pay-as-you-go and 250 MB plans."""
ROOM_OF_SETTLES = 10 * 2**20
"""Bytes of the settles that are under way when a shard has become full: a drain learns of it one
turn late, which carries 2 MiB of histories; and several drains may."""
BYTES_OF_ID = 27
"""Bytes that the id of a waiting job takes in its list."""


def check_entries(registry: Registry) -> Finding:
    """Whether each hash of records, and each list of ids, stays below the largest entry of the
    smaller plans."""
    sizes = {queue.name: max(_records(queue), _ids(queue)) for queue in registry.queues()}
    large = [
        f"{name} up to {_mib(size)} an entry"
        for name, size in sizes.items()
        if size > LARGEST_ENTRY
    ]
    if not large:
        return Finding("entries", "OK", "every entry fits the smallest plan")
    detail = f"{', '.join(large)}; Upstash's free and pay-as-you-go plans take 100 MiB"
    advice = (
        "lower max_bytes or declare more shards (records), lower max_jobs (ids), or check that the "
        "plan takes larger entries"
    )
    return Finding("entries", "WARN", detail, advice)


def _records(queue: Queue) -> float:
    """Bytes that one shard may hold, with follow-ups and what comes after the enqueue."""
    return queue.max_bytes / queue.shards * WORST_SHARD + ROOM_OF_SETTLES


def _ids(queue: Queue) -> float:
    """Bytes of a list in which all jobs of the queue wait; `shards` does not divide it."""
    return queue.max_jobs * WORST_SHARD * BYTES_OF_ID


def _mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


def check_plan(registry: Registry, alerts: AlertSettings) -> Finding:
    """Whether the queues together fit the store's plan, where TIDEGATE_STORE_BYTES tells it."""
    bounds = sum(queue.max_bytes * WORST_SHARD for queue in registry.queues())
    if alerts.store_bytes is None:
        detail = f"queues may hold {_mib(bounds)}; TIDEGATE_STORE_BYTES does not tell the plan's"
        return Finding("plan", "OK", detail)
    detail = f"queues may hold {_mib(bounds)}, the plan {_mib(alerts.store_bytes)}"
    if bounds <= alerts.store_bytes:
        return Finding("plan", "OK", detail)
    advice = "lower max_bytes: at its plan's end the store refuses all writes, of settles too"
    return Finding("plan", "WARN", detail, advice)


def check_retries(registry: Registry) -> Finding:
    """Whether a job may still be tried when its Idempotency-Key is forgotten: a producer that
    repeats its request then makes a second job beside it."""
    long = [
        f"{job_type.name} ({_ladder(job_type.retry) / 3600:,.0f} h)"
        for queue in registry.queues()
        for job_type in queue.types.values()
        if _ladder(job_type.retry) * 1000 > TTL_MS
    ]
    if not long:
        return Finding("retries", "OK", "every job ends before its Idempotency-Key is forgotten")
    detail = f"retried for longer than an Idempotency-Key is kept (24 h): {', '.join(long)}"
    advice = "have producers of these send job_id, or dedup without ttl; or shorten the waits"
    return Finding("retries", "WARN", detail, advice)


def _ladder(retry: Retry) -> float:
    """Seconds of all waits together, without jitter."""
    return sum(retry.delay_after(attempt, lambda: 0.0) for attempt in range(1, retry.attempts))


def check_rates(registry: Registry) -> Finding:
    """Whether schedules alone bring more jobs than the limit of their queue lets start."""
    jobs = defaultdict[str, float](float)  # a second, by queue
    for schedule in registry.schedules:
        jobs[schedule.job_type.queue.name] += 1 / schedule.average_seconds
    over = [
        f"{queue.name}: {jobs[queue.name] * 3600:,.3g} an hour, and its limit starts "
        f"{queue.limit.rate / queue.limit.per * 3600:,.3g}"
        for queue in registry.queues()
        if queue.limit is not None and jobs[queue.name] > queue.limit.rate / queue.limit.per
    ]
    if not over:
        return Finding("rates", "OK", "no schedule brings more jobs than its limit lets start")
    detail = f"schedules bring more jobs than a limit lets start: {'; '.join(over)}"
    return Finding("rates", "WARN", detail, "raise the limit, or schedule less often")
