"""Jobs, dead letters and queues as fields: one description for HTTP, the command line and Python.

Instants are datetimes in UTC, durations seconds. Values are JSON's once instants are written as
ISO 8601.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from ..clock import utc
from ..declare.options import YEAR_10000
from ..drain.durations import mean, quantile
from ..store.codec import PRIORITIES_BY_CODE
from ..store.key_views import KeyPage
from ..store.queue_stats import QueueStats
from ..store.views import JobRecord, JobView, ListedJob
from .explain import Explanation, explain

STATES = ("waiting", "delayed", "active", "parked", "completed", "cancelled", "dead")


def describe_job(view: JobView, reached: Collection[str] | None = None) -> dict[str, Any]:
    """One job: its state, its history, and the gates that keep it from running now. `explanation`
    is the first of them. `reached`: the queues of which the reader may know; None: all."""
    state, errors = view.state, describe_errors(view)
    gates = [describe_explanation(gate) for gate in explain(view, reached)]
    return {
        "id": view.id,
        "queue": view.queue.name,
        "type": view.type or None,
        "state": state,
        "priority": view.priority,
        "key": view.key,
        "attempts": view.attempts,
        "crashes": view.crashes,
        "redrives": view.redrives,
        "progress": view.progress,
        "note": view.note,
        **_instants(view, state),
        "enqueued_by": view.by or None,
        "cancel_requested": view.cancel_requested,
        "result": view.result,
        "result_error": view.result_error,
        "error": errors[-1] if errors else None,
        "errors": errors,
        "runs": describe_runs(view),
        "log": describe_log(view),
        "explanation": gates[0] if gates else None,
        "gates": gates,
        **_encryption(view),
    }


def describe_listed(job: ListedJob) -> dict[str, Any]:
    """One row of a list of jobs, in the words of `describe_job`."""
    header = job.header
    return {
        "id": job.id,
        "queue": job.queue.name,
        "type": job.type or None,
        "state": job.state,
        "priority": PRIORITIES_BY_CODE[header.priority] if header else "normal",
        "key": header.key if header and header.key != "-" else None,
        "attempts": header.attempts if header else 0,
        "crashes": header.crashes if header else 0,
        "redrives": header.redrives if header else 0,
        **_instants(job, job.state),
    }


def _instants(job: JobRecord | ListedJob, state: str) -> dict[str, datetime | None]:
    """The instants of a job; those that do not belong to its state are None."""
    at = instant(job.at_ms)
    return {
        "created_at": instant(job.created_ms),
        "waiting_since": instant(job.since_ms) if state == "waiting" else None,
        "due_at": at if state in ("delayed", "parked") else None,
        "lease_until": at if state == "active" else None,
        "ended_at": at if state in ("completed", "cancelled", "dead") else None,
    }


def describe_explanation(explanation: Explanation) -> dict[str, Any]:
    """Why a job does not run, and until when where that is known."""
    until = instant(explanation.until_ms)
    return {"code": explanation.code, "detail": explanation.detail, "until": until}


def describe_dead_letter(record: JobRecord) -> dict[str, Any]:
    """One dead letter without its payload."""
    errors = describe_errors(record)
    return {
        "id": record.id,
        "queue": record.queue.name,
        "type": record.type or None,
        "died_at": instant(record.at_ms),
        "attempts": record.attempts,
        "crashes": record.crashes,
        "redrives": record.redrives,
        "reason": record.reason,
        "error": errors[-1] if errors else None,
        "errors": errors,
        **_encryption(record),
    }


def _encryption(record: JobRecord) -> dict[str, Any]:
    """The name of the key of an encrypted job, and why its texts are not shown, if they are not."""
    encryption = record.encryption
    return {
        "encryption_key": encryption and encryption.key,
        "locked": encryption and encryption.locked,
    }


def describe_payload(record: JobRecord) -> dict[str, Any]:
    """A payload as a JSON value in `payload`; where it is not JSON, its text in `payload_text`;
    neither where it is locked."""
    if record.encryption and record.encryption.locked:
        return {"payload": None, "payload_text": None}
    stored = record.payload
    try:
        return {"payload": from_json(stored), "payload_text": None}
    except ValueError:
        text = stored if isinstance(stored, str) else stored.decode("utf-8", "replace")
        return {"payload": None, "payload_text": text}


def describe_errors(record: JobRecord) -> list[dict[str, Any]]:
    """The stored errors of failed attempts, oldest first."""
    return [
        {
            "at": instant(_whole(error.get("at"))),
            "attempt": _whole(error.get("attempt")),
            **_describe_error(error),
            "causes": [_describe_error(cause) for cause in _objects(error.get("causes"))],
            "others": [_describe_error(other) for other in _objects(error.get("others"))],
        }
        for error in record.errors
    ]


def describe_keys(page: KeyPage) -> dict[str, Any]:
    """The busiest keys of a queue, and their limits."""
    limits = page.queue.per_key
    rate = limits.rate if limits else None
    return {
        "queue": page.queue.name,
        "known": page.known,
        "rate": rate and {"rate": rate.rate, "per": rate.per, "burst": rate.burst},
        "concurrency": limits.concurrency if limits else None,
        "if_limited": page.queue.if_limited,
        "keys": [
            {
                "key": key.key,
                "active": key.active,
                "backlog": key.backlog,
                "tokens": key.tokens(rate) if rate else None,
                "token_at": instant(key.token_at_ms(rate)) if rate else None,
            }
            for key in page.keys
        ],
    }


def describe_runs(record: JobRecord) -> list[dict[str, Any]]:
    """The runs of its handler that are kept, oldest first."""
    return [
        {
            "attempt": run.attempt,
            "began_at": instant(run.began_ms),
            "ended_at": instant(run.ended_ms),
            "outcome": run.outcome,
        }
        for run in record.runs
    ]


def describe_log(record: JobRecord) -> list[dict[str, Any]]:
    """The lines of its log that are kept, oldest first."""
    return [
        {"at": instant(line.at_ms), "attempt": line.attempt, "text": line.text}
        for line in record.log
    ]


def describe_queue(stats: QueueStats) -> dict[str, Any]:
    """One queue: its numbers, its jobs by state, its outcomes, its durations by job type."""
    queue, sizes, limit = stats.queue, stats.sizes, stats.queue.limit
    since = stats.oldest_ms
    return {
        "name": queue.name,
        "app": queue.app,
        "priority": queue.priority,
        "paused": stats.paused,
        "counts": {"waiting": stats.waiting, **{state: sizes[state] for state in STATES[1:]}},
        "waiting_by_priority": {name: sizes[name] for name in ("high", "normal", "low")},
        "suspects": sizes["suspects"],
        "inbox": sizes["inbox"],
        "totals": stats.totals,
        "concurrency": queue.concurrency,
        "limit": limit
        and {
            "rate": limit.rate,
            "per": limit.per,
            "burst": limit.burst,
            "tokens": stats.tokens,
        },
        "usage": {
            "jobs": stats.jobs,
            "max_jobs": queue.max_jobs,
            "bytes": stats.bytes,
            "max_bytes": queue.max_bytes,
            "shards": [one._asdict() for one in stats.usage],
        },
        "last_turn_at": instant(stats.turn_ms),
        "oldest_waiting": stats.oldest,
        "oldest_age": None if since is None else max(0.0, (stats.now_ms - since) / 1000),
        "durations": describe_durations(_of_all_types(stats)),
        "types": {name: _describe_type(stats, name) for name in sorted(queue.types)},
    }


def describe_durations(histogram: Sequence[int]) -> dict[str, Any]:
    """Seconds that jobs ran, of the observations that are kept."""
    return {
        "observed": sum(histogram),
        "average": mean(histogram),
        "p95": quantile(histogram, 0.95),
    }


def _of_all_types(stats: QueueStats) -> list[int]:
    return [sum(counts) for counts in zip(*stats.histograms.values(), strict=True)]


def _describe_type(stats: QueueStats, name: str) -> dict[str, Any]:
    job_type, histogram = stats.queue.types[name], stats.histograms.get(name, [])
    return {
        "timeout": job_type.timeout,
        "attempts": job_type.retry.attempts,
        **describe_durations(histogram),
    }


def instant(ms: int | None) -> datetime | None:
    """A datetime of store milliseconds; None where there is no such instant."""
    if ms is None or not 0 < ms < YEAR_10000 * 1000:
        return None
    return utc(ms)


def _describe_error(error: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": str(error.get("type", "")),
        "message": str(error.get("message", "")),
        "where": _text(error.get("where")),
        "stack": _texts(error.get("stack")),
        "notes": _texts(error.get("notes")),
    }


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
