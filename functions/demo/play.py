"""The demo from its first line to its exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import httpx

from shared.cli.exit_codes import Exit
from shared.cli.output import as_json, flush, note
from shared.declare.default_store import default_store
from shared.store import Store
from shared.store.meter import Meter

from .acts import act
from .claims import Bill, Evidence, claims
from .stage import APP, PACKAGED, DemoFailed, Stage, packaged, staged
from .summary import Numbers, document, show
from .ticks import tick, ticking
from .watch import watching

PROVENANCE = "Quandl WIKI prices, public domain, from the package bokeh_sampledata 2026.1"


async def play(*, json: bool) -> Exit:
    """Run it, verify it, print it. Raises DemoFailed where it can't go on."""
    _end_on_sigterm()
    say: Callable[[str], None] = note if json else _line
    async with staged(say) as stage:
        _introduce(stage)
        summary = await _run(stage)
    if json:
        as_json(summary)
    else:
        show(summary)
    failed = [claim["claim"] for claim in summary["claims"] if not claim["holds"]]
    if failed:
        raise DemoFailed(f"this did not come true: {'; '.join(failed)}")
    say(f"\nAll of this ran in {summary['seconds']:.1f} s and is gone now. Next: tidegate dev")
    return Exit.OK


async def _run(stage: Stage) -> dict[str, Any]:
    async with ticking(stage) as ticks, watching(stage) as watch:
        played = await act(stage)
        seconds = stage.elapsed()
    ours, servers = await _bills(stage)  # before what follows, which costs commands as well
    found = Evidence(
        recorded=stage.recorded(),
        sent=stage.sent(),
        outcomes=ticks.outcomes(),
        idle=(await tick(stage))["store"]["billed_commands"],
        stats=await stage.ask("GET", "/api/v1/stats"),
        ours=ours,
        servers=servers,
    )
    told = list(claims(played, found))
    return document(stage.local.embedded.engine_name, Numbers(ticks, watch, found, told, seconds))


async def _bills(stage: Stage) -> tuple[Bill, Bill]:
    """What this process's one client counted, and what the server did (`GET /_meter`)."""
    store = default_store()  # the API's own: it serves in this event loop
    meter = store.meter if isinstance(store, Store) else Meter()
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(
            f"{stage.local.url}/_meter", headers={"Authorization": f"Bearer {stage.local.token}"}
        )
    counted = answer.raise_for_status().json()
    return Bill(meter.requests, meter.commands), Bill(counted["requests"], counted["commands"])


def _introduce(stage: Stage) -> None:
    stage.say("Tidegate's demo: real jobs, over HTTP on this machine, in a store of their own.")
    stage.say(f"  store  {stage.local.url}, {stage.local.embedded.engine_name}, Upstash's protocol")
    stage.say(f"  API    {stage.http.base_url}, and a cron that calls its /api/cron/drain")
    stage.say(f"  data   {PACKAGED}, {len(packaged()) - 1:,} daily prices of AAPL and FB:")
    stage.say(f"         {PROVENANCE}")
    stage.say(f"         (see {APP.replace('.', '/')}/data/README.md)\n")


def _end_on_sigterm() -> None:
    """As Ctrl-C does: everything is closed on the way out."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _line(sentence: str) -> None:
    print(sentence)
    flush()
