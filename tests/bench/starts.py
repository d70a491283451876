"""Cold starts, and the claim beside a million waiting jobs."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from functools import partial

from shared.store import Store, TurnRequest
from shared.store.client.rest import Rest
from tests.bench.field import TIDEGATE
from tests.bench.measure import Bench
from tests.bench.peers.tidegate_peer import TOKEN, queue
from tests.bench.runs import PeerFailed, enqueue, work
from tests.bench.samples import watched
from tests.bench.servers import spawn

BASE = "import httpx, pydantic"
DRAIN_FUNCTION = """
import functions.drain as function
from tests.bench.peers.common import recorder
recorder.__init__(1, 60.0)
class Context:
    aws_request_id = "cold"
    def get_remaining_time_in_millis(self): return 60_000
function.handler({}, Context())
"""
IMPORTS = {
    "python": "",
    "python -c 'import httpx, pydantic'": BASE,
    "functions.api imported": "import functions.api",
}
CLAIMS = 200


def cold(bench: Bench, rounds: int) -> None:
    """Milliseconds from the start of a fresh process to its first handler's begin, one job waiting;
    and of some bare processes to their end."""
    bench.samples.drop("cold")
    for _ in range(rounds):
        for name, code in IMPORTS.items():
            bench.sample(f"cold/{name}/ms", partial(_process, bench, code))
        bench.sample("cold/functions.drain/ms", partial(_function, bench))
        for peer in bench.peers:

            def first_job(name: str = peer.name) -> tuple[float, dict[str, object]]:
                found = next(peer for peer in bench.peers if peer.name == name)
                bench.server.flush()
                enqueue(found, bench.direct, 1)
                began = time.time()
                return 1000 * (work(found, bench.direct, 1, 1).first - began), {}

            bench.sample(f"cold/{peer.name}/ms", first_job)


def million(bench: Bench, jobs: int) -> None:
    """Milliseconds of a turn that claims a hundred jobs, with few waiting and with a million."""
    bench.samples.drop("million")
    asyncio.run(_million(bench, jobs))


async def _million(bench: Bench, jobs: int) -> None:
    store = Store(Rest(bench.direct.url(TIDEGATE), TOKEN), queue.name, key_locking=False)
    for label, waiting in (("few", CLAIMS * 110), (f"{jobs:,}", jobs)):
        bench.server.flush()
        await asyncio.to_thread(enqueue, TIDEGATE, bench.direct, waiting, bulk=True)
        with watched() as sample:
            taken = sorted([await _claim(store, f"{label[:3]}{turn}") for turn in range(CLAIMS)])
        sample.value = statistics.median(taken)
        sample.more = {"p95": taken[int(CLAIMS * 0.95)], "turns": CLAIMS}
        bench.samples.add(f"million/{TIDEGATE.name}/{label} waiting", sample)
        print(f"  {label} waiting: {sample.value:.4g} ms", flush=True)
    await store.close()
    bench.server.flush()


async def _claim(store: Store, owner: str) -> float:
    """Milliseconds of one turn of a new owner."""
    ask = TurnRequest(owner=owner, seq=1, want=100, lease_ms=600_000)
    began = time.perf_counter()
    reply = await store.turn(queue, ask)
    if len(reply.claims) != 100:
        raise PeerFailed(f"a turn claimed {len(reply.claims)} jobs instead of 100")
    return 1000 * (time.perf_counter() - began)


def _process(bench: Bench, code: str) -> tuple[float, dict[str, object]]:
    began = time.time()
    process = spawn(
        [TIDEGATE.python, "-c", code],
        env=_env(bench),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, err = process.communicate(timeout=30)
    if process.returncode:
        raise PeerFailed(err[-200:])
    return 1000 * (time.time() - began), {}


def _function(bench: Bench) -> tuple[float, dict[str, object]]:
    bench.server.flush()
    enqueue(TIDEGATE, bench.direct, 1)
    began = time.time()
    process = spawn(
        [TIDEGATE.python, "-c", DRAIN_FUNCTION],
        env=_env(bench),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(timeout=60)
    lines = [line for line in out.splitlines() if line.startswith('{"n"')]
    if not lines:
        raise PeerFailed((err or out)[-200:])
    return 1000 * (json.loads(lines[0])["first"] - began), {}


def _env(bench: Bench) -> dict[str, str]:
    return {
        "UPSTASH_REDIS_REST_URL": bench.direct.url(TIDEGATE),
        "UPSTASH_REDIS_REST_TOKEN": TOKEN,
        "TIDEGATE_PREFIX": queue.name,
        "TIDEGATE_KEY_LOCKING": "0",
        "TIDEGATE_APPS": "tests.bench.peers.tidegate_peer:APP",
    }
