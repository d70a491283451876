"""Who takes part, how each is run, and what each does and does not do."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.servers import ROOT

CACHE = ROOT / ".cache" / "bench"
PEERS = ROOT / "tests" / "bench" / "peers"


@dataclass(frozen=True)
class Peer:
    """One system. `packages` in `env` give its version; `usual` is the concurrency that serves it
    best as a rule, `per_second` a first guess of its rate there, which sizes the first run. With
    `processes`, its concurrency is a number of worker processes."""

    name: str
    module: str
    env: str
    packages: tuple[str, ...]
    concurrencies: tuple[int, ...]
    usual: int
    per_second: int
    does: str
    bulk: bool = False
    processes: bool = False

    @property
    def over_rest(self) -> bool:
        return self.env == "tidegate"

    @property
    def command(self) -> list[str]:
        if self.env == "node":
            return ["node", str(PEERS / self.module)]
        return [self.python, "-m", f"tests.bench.peers.{self.module}"]

    @property
    def python(self) -> str:
        """The interpreter of its environment: what it needs to run, and nothing else."""
        return str(CACHE / self.env / "bin" / "python")


STEPS = (1, 10, 50, 100)

TIDEGATE = Peer(
    *("Tidegate", "tidegate_peer", "tidegate", ("upstash-redis", "httpx")),
    (*STEPS, 500, 1000),
    500,
    20_000,
    "over REST; leases with fences, retries, recovery, results, limits; every job is settled and "
    "kept until its retention ends; its concurrency is a batch's, and a backlog opens up to four "
    "consumers",
    bulk=True,
)

FIELD: tuple[Peer, ...] = (
    TIDEGATE,
    Peer(
        *("BullMQ", "bullmq.mjs", "node", ("bullmq",)),
        (*STEPS, 500),
        100,
        6000,
        "over TCP, Node; locks renewed in the background, retries, stalled jobs found again, "
        "completed jobs kept; fetches one job a round trip until its concurrency is reached and "
        "only then begins (500 at +50 ms: half a minute, which is not timed)",
        bulk=True,
    ),
    Peer(
        *("bullmq (Python)", "bullmq_peer", "python", ("bullmq", "redis")),
        (*STEPS, 500),
        100,
        1000,
        "over TCP; as BullMQ",
        bulk=True,
    ),
    Peer(
        *("arq", "arq_peer", "arq", ("arq", "redis")),
        (*STEPS, 500),
        100,
        1000,
        "over TCP; polls (here every 10 ms instead of 500, but for idle and latency); keeps "
        "results an hour; reruns after a timeout",
    ),
    Peer(
        *("SAQ", "saq_peer", "python", ("saq", "redis")),
        (*STEPS, 500),
        50,
        1000,
        "over TCP; keeps results ten minutes; sweeps for stuck jobs",
    ),
    Peer(
        *("RQ", "rq_peer", "python", ("rq", "redis")),
        (1, 10),
        1,
        200,
        "over TCP; SimpleWorker, one job at a time: its concurrency is a number of processes; "
        "keeps results 500 s",
        bulk=True,
        processes=True,
    ),
    Peer(
        *("Dramatiq", "dramatiq_peer", "python", ("dramatiq", "redis")),
        STEPS,
        50,
        1800,
        "over TCP; threads, one process; acknowledges, retries, requeues a dead worker's jobs; no "
        "results",
    ),
    Peer(
        *("Celery", "celery_peer", "python", ("celery", "kombu", "redis")),
        STEPS,
        10,
        500,
        "over TCP; solo pool at 1, thread pool above; acknowledges early (its default); no results",
    ),
    Peer(
        *("Huey", "huey_peer", "python", ("huey", "redis")),
        STEPS,
        100,
        2200,
        "over TCP; threads; no acknowledgement: a worker that dies loses its jobs",
    ),
    Peer(
        *("taskiq (list)", "taskiq_peer", "python", ("taskiq", "taskiq-redis", "redis")),
        (*STEPS, 500),
        50,
        1500,
        "over TCP; no acknowledgement: a worker that dies loses its jobs; no retries, no results",
    ),
    Peer(
        *("taskiq (stream)", "taskiq_stream_peer", "python", ("taskiq", "taskiq-redis", "redis")),
        (*STEPS, 500),
        50,
        1700,
        "over TCP; acknowledges; no retries, no results",
    ),
)
