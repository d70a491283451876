"""The follow-ups of a job's end as jobs: those of its enqueue, of its type's handlers, and its
callback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from ..clock import utc
from ..jobs.ends import DecidedEnd, End
from ..jobs.follow_ups import (
    CALLBACK,
    NO_FOLLOW_UPS,
    Event,
    FollowUp,
    FollowUps,
    follow_up_id,
    read_follow_ups,
)
from ..jobs.history import read_history
from ..jobs.job import Job
from ..jobs.outcome import Outcome
from .run import Run

EVENTS: Mapping[End, Event] = {"done": "completed", "dead": "dead"}


class FollowUpJob(NamedTuple):
    """One follow-up of an end. `name` distinguishes it from the end's others."""

    name: str
    queue: str
    job: Job


def end_with_follow_ups(run: Run, outcome: Outcome) -> End | None:
    """The outcome's kind if it is an end of the job that has follow-ups, else None."""
    kind = outcome.kind
    if kind not in ("done", "dead"):
        return None
    event = EVENTS[kind]
    if run.job_type is not None and run.job_type.followers.of(event):
        return kind
    follow_ups = _enqueued_follow_ups(run) if run.body.follow_ups else NO_FOLLOW_UPS
    return kind if follow_ups.of(event) or follow_ups.callback is not None else None


def follow_up_jobs(run: Run, end: DecidedEnd, history: str, now_ms: int) -> Iterator[FollowUpJob]:
    """The follow-ups of a decided end. `history` has the result or the error. Their delays count
    from the end, however long they find no room."""
    event = EVENTS[end.kind]
    parent, follow_ups = run.claim.public_id, _enqueued_follow_ups(run)
    facts = _describe(run, parent, event, history)

    def job_of(name: str, follow_up: FollowUp, by: str = run.body.by) -> FollowUpJob:
        delay_ms = max(0, follow_up.delay_ms - max(0, now_ms - end.at_ms))
        follow_up = follow_up._replace(delay_ms=delay_ms)
        job = follow_up.job(follow_up_id(parent, end.mark, name), end.at_ms, by, run.body.trace)
        return FollowUpJob(name, follow_up.queue, job)

    for n, follow_up in enumerate(follow_ups.of(event)):
        yield job_of(f"{event} {n}", follow_up)
    for job_type in run.job_type.followers.of(event) if run.job_type else ():
        payload = _with_payload(facts, run, event)
        one = FollowUp(job_type.queue.name, job_type.name, payload, key=run.claim.key)
        # The application's own: the parent's producer has not asked for it.
        yield job_of(f"handler {job_type.queue.name}/{job_type.name}", one, by="")
    if follow_ups.callback is not None:
        content = _webhook(event, _public_facts(facts, run), end.at_ms)
        facts = {"url": follow_ups.callback, "content": content}
        payload = json.dumps(facts | ({"caller": run.body.by} if run.body.by else {}))
        yield job_of("callback", FollowUp(run.claim.queue, CALLBACK, payload, key=run.claim.key))


def _enqueued_follow_ups(run: Run) -> FollowUps:
    """Those that the enqueue named. A damaged line counts as none: it can't be read."""
    try:
        return read_follow_ups(run.body.follow_ups)
    except (ValueError, TypeError, AttributeError):
        return NO_FOLLOW_UPS


def _describe(run: Run, parent: str, event: Event, history: str) -> dict[str, Any]:
    """The job that has ended, without its payload."""
    stored = read_history(history)
    facts: dict[str, Any] = {
        "id": parent,
        "queue": run.claim.queue,
        "type": run.body.type,
        "attempts": run.claim.attempts if run.claim.crashed else run.claim.attempt,
    }
    if event == "completed":
        return facts | {name: stored.get(name) for name in ("result", "result_error")}
    errors = stored.get("errors") or [{}]
    error = {name: errors[-1].get(name) for name in ("type", "message", "where", "stack")}
    return facts | {"error": {name: value for name, value in error.items() if value is not None}}


def _with_payload(facts: dict[str, Any], run: Run, event: Event) -> str:
    """The text of `Completed` or `Dead`. The payload goes in as it was stored; what is no JSON is
    left out. Its model reads it in the follow-up's own job, where a validator that ends the process
    is held against that job: here it would end each drain that comes to finish this end."""
    payload = run.body.payload
    if isinstance(payload, bytes) or (event == "dead" and not _is_json(payload)):
        payload = "null"
    text = json.dumps(facts, ensure_ascii=False)
    return f'{text[:-1]}, "payload": {payload}}}'


def _is_json(text: str) -> bool:
    try:
        from_json(text)
    except ValueError:
        return False
    return True


def _public_facts(facts: dict[str, Any], run: Run) -> dict[str, Any]:
    """The facts for a callback, whose address any producer may have named: of the result and of the
    error's text nothing, unless the job type makes its results public."""
    is_public = run.job_type is not None and run.job_type.public_result and not run.encrypted
    hidden = set() if is_public else {"result", "result_error"}
    public = {name: value for name, value in facts.items() if name not in {*hidden, "error"}}
    if "error" in facts:
        shown = ("type", "message") if is_public else ("type",)
        public["error"] = {name: facts["error"].get(name) for name in shown}
    return public


def _webhook(event: Event, facts: dict[str, Any], at_ms: int) -> str:
    at = utc(at_ms).isoformat(timespec="milliseconds")
    body = {"type": f"job.{event}", "timestamp": at.replace("+00:00", "Z"), "data": facts}
    return json.dumps(body, ensure_ascii=False)
