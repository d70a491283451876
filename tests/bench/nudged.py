"""The start of a job without a tick: the real API function over HTTP, which nudges itself."""

from __future__ import annotations

import statistics
import sys
import time
from functools import partial

import httpx

from tests.bench.field import TIDEGATE
from tests.bench.measure import Bench
from tests.bench.peers.nudged_function import CRON_SECRET, OPERATOR, QUEUE
from tests.bench.peers.tidegate_peer import TOKEN
from tests.bench.runs import PeerFailed
from tests.bench.servers import await_port, end, free_port, spawn

GAPS = {"a job each 1.2 s": 1.2, "a job each 20 ms": 0.02}
"""Seconds between two enqueues: beyond the window of a nudge, and within it."""
WITHIN = 30.0


def nudged(bench: Bench, jobs: int) -> None:
    """Milliseconds from the request that stores a job to its handler's begin."""
    bench.samples.drop("nudge")
    for label, gap in GAPS.items():
        bench.sample(f"nudge/{TIDEGATE.name}/{label}", partial(_starts, bench, gap, jobs))


def _starts(bench: Bench, gap: float, jobs: int) -> tuple[float, dict[str, object]]:
    bench.server.flush()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn(
        [sys.executable, "-m", "uvicorn", "functions.api:app", "--port", str(port),
         "--log-level", "error", "--no-access-log"],
        env={
            "UPSTASH_REDIS_REST_URL": bench.direct.url(TIDEGATE),
            "UPSTASH_REDIS_REST_TOKEN": TOKEN,
            "TIDEGATE_KEY_LOCKING": "0",
            "TIDEGATE_APPS": "tests.bench.peers.nudged_function:APP",
            "TIDEGATE_API_TOKENS": f"operator:{OPERATOR}",
            "TIDEGATE_LOG_LEVEL": "ERROR",
            "CRON_SECRET": CRON_SECRET,
            "TIDEGATE_NUDGE": "url",
            "TIDEGATE_URL": url,
        },
    )  # fmt: skip
    try:
        await_port(port, process)
        waits = sorted(_enqueue_and_read(url, gap, jobs))
    finally:
        end(process)
    high = waits[int(len(waits) * 0.95)]
    return statistics.median(waits), {"p95": high, "worst": waits[-1], "n": len(waits)}


def _enqueue_and_read(url: str, gap: float, jobs: int) -> list[float]:
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    with httpx.Client(base_url=url, headers=headers, timeout=WITHIN) as client:
        _enqueue(client)  # the first request opens the deployment
        time.sleep(1.2)
        ids = []
        for _ in range(jobs):
            ids.append(_enqueue(client))
            time.sleep(gap)
        return [_wait_of(client, job_id) for job_id in ids]


def _enqueue(client: httpx.Client) -> str:
    body = {"type": "stamp", "payload": {"at": time.time()}}
    answer = client.post(f"/api/v1/queues/{QUEUE}/jobs", json=body)
    if answer.status_code != 202:
        raise PeerFailed(answer.text[-200:])
    return str(answer.json()["id"])


def _wait_of(client: httpx.Client, job_id: str) -> float:
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        job = client.get(f"/api/v1/jobs/{job_id}").json()
        if job["state"] == "completed":
            return 1000 * float(job["result"])
        time.sleep(0.05)
    raise PeerFailed(f"{job_id} did not run within {WITHIN:.0f} s")
