"""The numbers of the demonstration as one document, and as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.cli.output import fields, table

from .checks import Bill, Claim, Evidence
from .world import BUDGET, World

PAUSE = 0.3
"""Seconds without an email that end the first burst."""
COLUMNS = ("queue", "jobs", "done", "retries", "dead", "redriven", "at a time", "limit")


def summarize(
    world: World, evidence: Evidence, claims: Sequence[Claim], seconds: float
) -> dict[str, Any]:
    """The document of `--json`. `seconds`: from the first enqueue to the last job's end."""
    queues = {
        name: _queue(evidence.outcomes.get(name, Counter()), queue)
        for name, queue in evidence.stats["queues"].items()
    }
    jobs = sum(queue["done"] for queue in queues.values())
    used = [report["seconds"]["used"] for report in world.reports]
    return {
        "ok": all(claim.holds for claim in claims),
        "engine": world.local.embedded.engine_name,
        "seconds": round(seconds, 2),
        "jobs": jobs,
        "jobs_per_second": round(jobs / seconds, 1),
        "records_per_second": round(_rows_per_second(world.row_counts), 1),
        "queues": queues,
        "rate_limit": _burst(evidence.sent),
        "store": {
            "client": _bill(evidence.client),
            "server": _bill(evidence.server),
            "billed_commands_per_job": round(evidence.client.commands / max(1, jobs), 2),
        },
        "drain": {
            "ticks": len(used),
            "budget": BUDGET,
            "longest": max(used),
            "used": round(sum(used), 2),
        },
        "claims": [
            {"claim": one.sentence, "holds": one.holds, "numbers": one.numbers} for one in claims
        ],
    }


def show(summary: dict[str, Any]) -> None:
    """Print the document for people."""
    drain, limit = summary["drain"], summary["rate_limit"]
    print()
    table(COLUMNS, [_row(name, queue) for name, queue in summary["queues"].items()])
    print()
    fields(
        {
            "jobs": f"{summary['jobs']:,} in {summary['seconds']:.1f} s, waits for retries and "
            f"limits included: {summary['jobs_per_second']:,.0f} jobs/s",
            "throughput": f"{summary['records_per_second']:,.0f} trade.record jobs/s while they "
            "ran, 5 at a time as declared, each a row committed to SQLite",
            "rate limit": f"{limit['at_once']} emails sent at once, {limit['held_back']} over the "
            f"next {limit['seconds']:.1f} s as the limit allowed",
            "store": _store_sentence(summary["store"]),
            "time budget": f"{drain['ticks']} ticks of at most {drain['budget']:.0f} s; "
            f"the longest used {drain['longest']:.1f} s, all together {drain['used']:.1f} s",
        }
    )
    print()
    for claim in summary["claims"]:
        print(f"{'ok  ' if claim['holds'] else 'FAIL'}  {claim['claim']} ({claim['numbers']})")


def _store_sentence(store: dict[str, Any]) -> str:
    client, server = store["client"], store["server"]
    sentence = (
        f"{client['requests']:,} requests, {client['billed_commands']:,} billed commands, "
        f"{store['billed_commands_per_job']:.2f} per job"
    )
    if client == server:
        return f"{sentence}; client and server counted the same"
    return f"{sentence} by the client; the server counted {server}"


def _bill(bill: Bill) -> dict[str, int]:
    return {"requests": bill.requests, "billed_commands": bill.commands}


def _rows_per_second(row_counts: Sequence[tuple[float, int]]) -> float:
    """From the first count with a row to the first count with all rows."""
    counts = [(at, rows) for at, rows in row_counts if rows]
    if not counts:
        return 0.0
    began, first = counts[0]
    ended, last = next(count for count in counts if count[1] == counts[-1][1])
    return (last - first) / (ended - began) if ended > began else 0.0


def _burst(sent: Sequence[float]) -> dict[str, Any]:
    """The emails up to the first pause, those after it, and the seconds these took."""
    pauses = (n for n in range(1, len(sent)) if sent[n] - sent[n - 1] > PAUSE)
    first = next(pauses, len(sent))
    seconds = sent[-1] - sent[first - 1] if sent else 0.0
    return {"at_once": first, "held_back": len(sent) - first, "seconds": round(seconds, 2)}


def _queue(outcomes: Counter[str], queue: dict[str, Any]) -> dict[str, Any]:
    """One queue. A redriven job counts as one job, once dead and once done."""
    done, dead = outcomes["done"], outcomes["dead"]
    remaining = queue["counts"]["dead"]
    return {
        "jobs": done + remaining,
        "done": done,
        "retries": outcomes["retried"],
        "dead": dead,
        "redriven": dead - remaining,
        "concurrency": queue["concurrency"],
        "limit": queue["limit"],
    }


def _row(name: str, queue: dict[str, Any]) -> list[object]:
    limit = queue["limit"]
    counts = [queue[kind] for kind in ("jobs", "done", "retries", "dead", "redriven")]
    return [
        name,
        *counts,
        queue["concurrency"],
        f"{limit['rate']} per {limit['per']:g} s" if limit else "none",
    ]
