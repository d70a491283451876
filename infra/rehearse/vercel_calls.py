"""The requests to a deployed function: enqueue a job, read a job, drain."""

from __future__ import annotations

from typing import Any

import httpx

from .checks import check
from .lambdas import CRON_SECRET, TOKEN
from .vercel import MAX_DURATION, VercelFunction

JOBS = "/api/v1/queues/{}/jobs"


def enqueue(
    running: VercelFunction,
    queue: str,
    kind: str,
    payload: dict[str, Any],
    *,
    seconds: float = MAX_DURATION,
) -> str:
    """Store a job; its id."""
    body = {"type": kind, "payload": payload}
    path = JOBS.format(queue)
    answer = running.request("POST", path, token=TOKEN, body=body, seconds=seconds)
    check(answer.status_code == 202, f"enqueueing answered {answer.status_code}: {answer.text}")
    job_id: str = answer.json()["id"]
    return job_id


def state(running: VercelFunction, job: str) -> dict[str, Any]:
    """The job as it stands."""
    answer: dict[str, Any] = running.request("GET", f"/api/v1/jobs/{job}", token=TOKEN).json()
    return answer


def tick(
    running: VercelFunction,
    *,
    token: str | None = CRON_SECRET,
    seconds: float = 60,
    only: str = "",
) -> httpx.Response:
    """Drain as the platform's cron does, within `seconds`."""
    path = f"/api/cron/drain?queue={only}" if only else "/api/cron/drain"
    return running.request("GET", path, token=token, seconds=seconds)


def tick_until_gone(running: VercelFunction) -> None:
    """A drain during which the process may end."""
    try:
        tick(running)
    except httpx.TransportError:
        return
