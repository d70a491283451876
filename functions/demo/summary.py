"""The numbers of the demonstration as one document, and as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from shared.cli.output import fields, table

from .claims import Bill, Claim, Evidence
from .world import BUDGET, World

COLUMNS = ("queue", "application", "jobs", "done", "retries", "dead", "at a time", "limit")


def summarize(
    world: World,
    evidence: Evidence,
    claims: Mapping[str, Sequence[Claim]],
    figures: Mapping[str, str],
    seconds: float,
) -> dict[str, Any]:
    """The document of `--json`. `claims`: by application; `figures`: further lines by name;
    `seconds`: from the first enqueue to the last job's end."""
    queues = {
        name: _queue(evidence.outcomes_of(name), queue)
        for name, queue in evidence.stats["queues"].items()
    }
    jobs = sum(queue["done"] for queue in queues.values())
    used = [report["seconds"]["used"] for report in world.reports]
    return {
        "ok": all(claim.holds for some in claims.values() for claim in some),
        "engine": world.local.embedded.engine_name,
        "seconds": round(seconds, 2),
        "jobs": jobs,
        "jobs_per_second": round(jobs / seconds, 1),
        "queues": queues,
        "figures": dict(figures),
        "providers": _providers(world),
        "store": {
            "client": _bill(evidence.client),
            "server": _bill(evidence.server),
            "billed_commands_per_job": round(evidence.client.commands / max(1, jobs), 2),
        },
        "drain": {"ticks": len(used), "budget": BUDGET, "longest": max(used), "used": sum(used)},
        "claims": [_claim(name, one) for name, some in claims.items() for one in some],
    }


def _claim(name: str, claim: Claim) -> dict[str, Any]:
    return {
        "of": name,
        "claim": claim.sentence,
        "holds": claim.holds,
        "numbers": claim.numbers,
    }


def _providers(world: World) -> dict[str, Any]:
    """What each stand-in that was asked has met."""
    return {
        name: {"requests": faults.requests, "faults": dict(faults.met)}
        for name, faults in world.standins.faults.items()
        if faults.requests
    }


def show(summary: dict[str, Any]) -> None:
    """Print the document for people."""
    drain = summary["drain"]
    print()
    table(COLUMNS, [_row(name, queue) for name, queue in summary["queues"].items()])
    print()
    fields(
        {
            "jobs": f"{summary['jobs']:,} in {summary['seconds']:.1f} s, waits for retries and "
            f"limits included: {summary['jobs_per_second']:,.0f} jobs/s",
            **summary["figures"],
            "store": _store_sentence(summary["store"]),
            "time budget": f"{drain['ticks']} ticks of at most {drain['budget']:.0f} s; "
            f"the longest used {drain['longest']:.1f} s, all together {drain['used']:.1f} s",
            **{
                name: f"{one['requests']:,} requests, {_faults(one['faults'])}"
                for name, one in summary["providers"].items()
            },
        }
    )
    print()
    for claim in summary["claims"]:
        verdict = "ok  " if claim["holds"] else "FAIL"
        print(f"{verdict}  {claim['of']}: {claim['claim']} ({claim['numbers']})")


def _faults(faults: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {kind}" for kind, count in faults.items()) or "no fault"


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


def _queue(outcomes: Counter[str], queue: dict[str, Any]) -> dict[str, Any]:
    """One queue. A redriven job counts as one job, once dead and once done."""
    done, remaining = outcomes["done"], queue["counts"]["dead"]
    return {
        "application": queue["app"],
        "jobs": done + remaining,
        "done": done,
        "retries": outcomes["retried"],
        "dead": outcomes["dead"],
        "redriven": outcomes["dead"] - remaining,
        "concurrency": queue["concurrency"],
        "limit": queue["limit"],
    }


def _row(name: str, queue: dict[str, Any]) -> list[object]:
    limit, dead = queue["limit"], f"{queue['dead']}"
    if queue["redriven"]:
        dead += f" ({queue['redriven']} redriven)"
    return [
        name,
        queue["application"],
        *(queue[kind] for kind in ("jobs", "done", "retries")),
        dead,
        queue["concurrency"],
        f"{limit['rate']} per {limit['per']:g} s" if limit else "none",
    ]
