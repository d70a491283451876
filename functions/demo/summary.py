"""The demo's numbers as one document, and as the tables that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.cli.output import fields, table

from .claims import Claim, Evidence
from .stage import BUDGET
from .ticks import Ticks
from .watch import Watch

PAUSE = 0.3
"""Seconds without a letter that end the first burst."""
COLUMNS = ("queue", "jobs", "done", "retries", "dead", "redriven", "at a time", "limit")


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where the summary's numbers come from. `seconds`: first enqueue to last job's end."""

    ticks: Ticks
    watch: Watch
    evidence: Evidence
    claims: Sequence[Claim]
    seconds: float


def document(engine: str, numbers: Numbers) -> dict[str, Any]:
    """Everything the summary says, for `--json`. Only what was counted or timed."""
    found = numbers.evidence
    outcomes = found.outcomes
    queues = {
        name: _queue(outcomes.get(name, Counter()), queue)
        for name, queue in found.stats["queues"].items()
    }
    jobs = sum(queue["done"] for queue in queues.values())
    client, server = found.ours, found.servers
    return {
        "ok": all(claim.holds for claim in numbers.claims),
        "engine": engine,
        "seconds": round(numbers.seconds, 2),
        "jobs": jobs,
        "jobs_per_second": round(jobs / numbers.seconds, 1),
        "records_per_second": round(numbers.watch.rows_per_second(), 1),
        "queues": queues,
        "rate_limit": _held_back(found.sent),
        "store": {
            "client": {"requests": client.requests, "billed_commands": client.commands},
            "server": {"requests": server.requests, "billed_commands": server.commands},
            "billed_commands_per_job": round(client.commands / max(1, jobs), 2),
        },
        "drain": _drain(numbers.ticks),
        "claims": [
            {"claim": claim.said, "holds": claim.holds, "found": claim.found}
            for claim in numbers.claims
        ],
    }


def show(summary: dict[str, Any]) -> None:
    """Print it for people."""
    store, drain, limit = summary["store"], summary["drain"], summary["rate_limit"]
    print()
    table(COLUMNS, [_row(name, queue) for name, queue in summary["queues"].items()])
    print()
    fields(
        {
            "jobs": f"{summary['jobs']:,} in {summary['seconds']:.1f} s, waits for retries and "
            f"limits included: {summary['jobs_per_second']:,.0f} jobs/s",
            "throughput": f"{summary['records_per_second']:,.0f} trade.record jobs/s while they "
            "ran, 5 at a time as declared, each a row committed to SQLite",
            "rate limit": f"{limit['at_once']} letters left at once, {limit['held_back']} over the "
            f"next {limit['seconds']:.1f} s as the limit allowed",
            "store": _bill(store),
            "time budget": f"{drain['ticks']} ticks of at most {drain['budget']:.0f} s; "
            f"the longest used {drain['longest']:.1f} s, all of them {drain['used']:.1f} s",
        }
    )
    print()
    for claim in summary["claims"]:
        print(f"{'ok  ' if claim['holds'] else 'FAIL'}  {claim['claim']} ({claim['found']})")


def _bill(store: dict[str, Any]) -> str:
    client, server = store["client"], store["server"]
    told = (
        f"{client['requests']:,} requests, {client['billed_commands']:,} billed commands, "
        f"{store['billed_commands_per_job']:.2f} per job"
    )
    if client == server:
        return f"{told}; client and server counted the same"
    return f"{told} by the client; the server counted {server}"


def _drain(ticks: Ticks) -> dict[str, Any]:
    used = [report["seconds"]["used"] for report in ticks.reports]
    return {
        "ticks": len(used),
        "budget": BUDGET,
        "longest": max(used),
        "used": round(sum(used), 2),
    }


def _held_back(sent: Sequence[float]) -> dict[str, Any]:
    """The letters up to the first pause, those after it, and how long these took."""
    pauses = (n for n in range(1, len(sent)) if sent[n] - sent[n - 1] > PAUSE)
    first = next(pauses, len(sent))
    seconds = sent[-1] - sent[first - 1] if sent else 0.0
    return {"at_once": first, "held_back": len(sent) - first, "seconds": round(seconds, 2)}


def _queue(outcomes: Counter[str], queue: dict[str, Any]) -> dict[str, Any]:
    """A redriven job is one job, which was dead once and done once."""
    done, dead = outcomes["done"], outcomes["dead"]
    ends = queue["counts"]["dead"]
    return {
        "jobs": done + ends,
        "done": done,
        "retries": outcomes["retried"],
        "dead": dead,
        "redriven": dead - ends,
        "concurrency": queue["concurrency"],
        "limit": queue["limit"],
    }


def _row(name: str, queue: dict[str, Any]) -> list[object]:
    limit = queue["limit"]
    counts = [queue[kind] for kind in ("jobs", "done", "retries", "dead", "redriven")]
    said = f"{limit['rate']} per {limit['per']:g} s" if limit else "none"
    return [name, *counts, queue["concurrency"], said]
