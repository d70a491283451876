"""The demonstration from its first line to its last: the applications side by side on one
deployment, each with its workload, and a summary that is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from shared.cli.output import as_json, note
from shared.cli.signals import stop_signals
from shared.declare.default_store import default_store
from shared.errors import ConfigurationError
from shared.store import Store
from shared.store.meter import Meter

from .claims import Bill, Evidence, check, count_outcomes
from .live import Board, lines
from .summary import show, summarize
from .workloads import Workload, app_names, workload
from .world import DemoFailed, World, background, open_world


async def run_demo(*, json: bool, app: str | None = None) -> None:
    """Run it, check it, print it; `app`: this application only. Raises DemoFailed if it can't go
    on or a claim does not hold, ConfigurationError for an unknown application."""
    apps = app_names()
    if app is not None:
        if app not in apps:
            raise ConfigurationError(f"the demonstration has no {app!r}; it has {', '.join(apps)}")
        apps = [app]
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    board = Board()
    say: Callable[[str], None] = note if json else board.say
    with stop_signals(task.cancel), lines(board, shown=not json):
        async with open_world(say, apps) as world:
            board.world = world
            workloads = {name: workload(name, world) for name in apps}
            _introduce(world, workloads)
            summary = await _run(world, workloads)
    if json:
        as_json(summary)
    else:
        show(summary)
    failures = [claim["claim"] for claim in summary["claims"] if not claim["holds"]]
    if failures:
        raise DemoFailed(f"these claims do not hold: {'; '.join(failures)}")
    end = f"It ran in {summary['seconds']:.1f} s and left nothing behind. Next: tidegate dev"
    note(end) if json else print(f"\n{end}")


async def _run(world: World, workloads: Mapping[str, Workload]) -> dict[str, Any]:
    async with background(world):
        await _side_by_side(list(workloads.values()))
        seconds = world.elapsed()
    client, server = await _bills(world)  # before the requests below, which are billed too
    evidence = Evidence(
        outcomes=count_outcomes(world.reports),
        idle=(await world.tick())["store"]["billed_commands"],
        stats=await world.request("GET", "/api/v1/stats"),
        client=client,
        server=server,
        dead=sum(one.dead for one in workloads.values()),
    )
    claims = {"engine": list(check(evidence))}
    claims |= {name: list(one.claims(evidence)) for name, one in workloads.items()}
    figures = {key: text for one in workloads.values() for key, text in one.figures().items()}
    return summarize(world, evidence, claims, figures, seconds)


async def _side_by_side(workloads: Sequence[Workload]) -> None:
    tasks = [asyncio.create_task(one.work()) for one in workloads]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _bills(world: World) -> tuple[Bill, Bill]:
    """The counts of this process's one client, and the server's (`GET /_meter`)."""
    store = default_store()  # the API's own: it serves in this event loop
    meter = store.meter if isinstance(store, Store) else Meter()
    headers = {"Authorization": f"Bearer {world.local.token}"}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{world.local.url}/_meter", headers=headers)
    counts = answer.raise_for_status().json()
    return Bill(meter.requests, meter.commands), Bill(counts["requests"], counts["commands"])


def _introduce(world: World, workloads: Mapping[str, Workload]) -> None:
    world.say("Tidegate's demo: real jobs, over HTTP on this machine, in a store of their own.")
    engine = world.local.embedded.engine_name
    world.say(f"  store      {world.local.url}, {engine}, Upstash's protocol")
    world.say(f"  API        {world.http.base_url}, and a cron that calls its /api/cron/drain")
    world.say(f"  providers  {world.standins.url}: stand-ins that speak their HTTP, with faults")
    for name, one in workloads.items():
        world.say(f"  {name}: {one.data}")
    world.say("  (functions/demo/data/README.md says what is real and what is made up)\n")
