"""schemathesis' hooks: most path parameters name a queue or a job that exists, of any state."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import schemathesis

API = os.environ["TIDEGATE_FUZZ_API"]
ADMIN = os.environ.get("TIDEGATE_FUZZ_ADMIN")
"""The admin's token. Without it the store stays as it is, and no id is live."""
QUEUES = ("work", "slow", "work")
SCHEDULE = {"app": ("fuzz",), "name": ("tick",)}
TYPES = ("double", "echo", "fail", "hang")
PAYLOADS: tuple[dict[str, Any], ...] = (
    {},
    {"n": 1},
    {"n": 2, "note": "x" * 300},
    {"n": 3, "more": [{"deep": [None, 1.5]}]},
)
OPTIONS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"delay": 3600},
    {"run_at": "2025-01-01T00:00:00Z", "priority": "low"},
    {"attempts": 1, "timeout": 1, "backoff": [0.1, 1]},
    {"dedup": {"id": "one"}, "key": "user"},
    {"job_id": "mine"},
)
LIMITS = ("1", "3", "200")
live: deque[str] = deque(maxlen=100)
"""Ids of jobs, the youngest last."""
dead: deque[str] = deque(maxlen=50)
"""Ids of dead letters."""
cursors: deque[str] = deque(maxlen=10)


def _seed(token: str) -> None:
    """Jobs in every state: waiting, delayed, dead, completed, cancelled."""
    jobs = [
        {"type": kind, "payload": {"n": n}, "options": options}
        for n, options in enumerate([{}, {"delay": 3600}, {"attempts": 1}, {"priority": "high"}])
        for kind in ("double", "echo", "fail")
    ]
    with httpx.Client(
        base_url=API, headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as api:
        for _ in range(3):
            answer = api.post("/api/v1/queues/work/jobs", json={"jobs": jobs}).json()
            live.extend(job["id"] for job in answer["jobs"] if "id" in job)
            api.delete(f"/api/v1/jobs/{live[-1]}")
            api.post("/api/cron/drain")
        dead.extend(_ids(api.get("/api/v1/dead-letters").json()))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            yield value["id"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _ids(part)


def _chosen(value: Any, pool: Sequence[Any]) -> Any:
    """Three of four values become one of the pool; which one follows from the value, so that a seed
    repeats."""
    number = zlib.crc32(repr(value).encode())
    return pool[number // 4 % len(pool)] if number % 4 and pool else value


@schemathesis.hook
def map_case(_context: Any, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Jobs and queues that exist; where the case shall be accepted, also the rest that must fit."""
    ids = dead if "dead-letters" in case.operation.path else live
    _replace(case.path_parameters, {"id": ids, "queue": QUEUES, **SCHEDULE})
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _replace(case.query, {"queue": QUEUES, "type": TYPES, "cursor": cursors, "limit": LIMITS})
        if isinstance(case.body, dict):
            _fit(case.body)
    return case


def _replace(parameters: Any, pools: Mapping[str, Sequence[Any]]) -> None:
    for name, pool in pools.items():
        if parameters and isinstance(parameters.get(name), str):
            parameters[name] = _chosen(parameters[name], pool)


def _fit(body: dict[str, Any]) -> None:
    """Types that exist, payloads that fit them, options that agree, ids of jobs."""
    for job in body["jobs"] if isinstance(body.get("jobs"), list) else [body]:
        if isinstance(job, dict) and isinstance(job.get("type"), str):
            job["payload"] = _chosen([job["type"], job.get("payload")], PAYLOADS)
            job["type"] = _chosen(job["type"], TYPES)
            job["options"] = _chosen(job.get("options"), OPTIONS)
    if isinstance(body.get("ids"), list):
        body["ids"] = [_chosen(one, dead) for one in body["ids"]]


@schemathesis.hook
def after_call(_context: Any, _case: Any, response: Any) -> None:
    """Ids that the API tells are used in later requests."""
    if response.status_code < 300 and response.headers.get("content-type") == ["application/json"]:
        answer = response.json()
        live.extend(_ids(answer))
        if isinstance(answer, dict) and "dead_letters" in answer:
            dead.extend(_ids(answer))
            cursors.extend([answer["next"]] if answer["next"] else [])


if ADMIN is not None:
    _seed(ADMIN)
