"""The demonstration from its first line to its last: emails beyond their rate limit, an import of
real prices, a dead letter and its redrive. Faults are real: a missing file, a blocked folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from shared.cli.output import as_json, flush, note
from shared.cli.signals import stop_signals
from shared.declare.default_store import default_store
from shared.store import Store
from shared.store.meter import Meter

from .checks import Bill, Evidence, Workload, check, count_outcomes
from .summary import show, summarize
from .world import APP, PRICES, DemoFailed, World, background, open_world, price_lines

PROVENANCE = "Quandl WIKI prices, public domain, from the package bokeh_sampledata 2026.1"
EARLY, EMAILS = 3, 110
BROKER, BROKER_ROWS = "broker.csv", 60
"""The file of a second account: the last rows of the packaged one. It arrives late and cut off."""
ENDED = ("dead", "completed", "cancelled")


async def run_demo(*, json: bool) -> None:
    """Run it, check it, print it. Raises DemoFailed if it can't go on or a claim does not hold."""
    say: Callable[[str], None] = note if json else _print_line
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    with stop_signals(task.cancel):
        async with open_world(say) as world:
            _introduce(world)
            summary = await _run(world)
    if json:
        as_json(summary)
    else:
        show(summary)
    failures = [claim["claim"] for claim in summary["claims"] if not claim["holds"]]
    if failures:
        raise DemoFailed(f"these claims do not hold: {'; '.join(failures)}")
    say(f"\nIt ran in {summary['seconds']:.1f} s and left nothing behind. Next: tidegate dev")


async def _run(world: World) -> dict[str, Any]:
    async with background(world):
        workload = await _work(world)
        seconds = world.elapsed()
    client, server = await _bills(world)  # before the requests below, which are billed too
    evidence = Evidence(
        recorded=world.recorded(),
        sent=world.sent(),
        outcomes=count_outcomes(world.reports),
        idle=(await world.tick())["store"]["billed_commands"],
        stats=await world.request("GET", "/api/v1/stats"),
        client=client,
        server=server,
    )
    return summarize(world, evidence, list(check(workload, evidence)), seconds)


async def _work(world: World) -> Workload:
    """All jobs, from the first enqueue to the end of the last one."""
    world.mail.touch()  # a file in the place of the folder: every email fails
    early = await _enqueue_emails(world, range(EARLY))
    world.log(f"{EARLY} emails enqueued; a file blocks the place of their mail folder")
    sources = {"main": PRICES, "broker": f"file:{BROKER}"}
    payloads = [{"source": source, "account": name} for name, source in sources.items()]
    ids = await world.enqueue("import", "csv.import", payloads)
    imports = dict(zip(sources, ids, strict=True))
    world.log(f"two imports enqueued: {PRICES}, and {BROKER}, which does not exist yet")
    await _unblock_mail(world, early)
    emails = early + await _enqueue_emails(world, range(EARLY, EMAILS))
    world.log(f"{EMAILS - EARLY} more emails enqueued in one request; the limit is 100 a minute")
    await _redrive(world, imports["broker"])
    ended = {name: await _wait_for_end(world, job_id) for name, job_id in imports.items()}
    await _wait_for_rest(world, sum(job["result"]["accepted"] for job in ended.values()))
    lines = {"main": len(price_lines()) - 1, "broker": BROKER_ROWS}
    return Workload(emails, early, ended, lines)


async def _enqueue_emails(world: World, numbers: range) -> list[str]:
    payloads = [
        {"to": f"trader-{n}@example.com", "template": "welcome", "values": {"name": f"Trader {n}"}}
        for n in numbers
    ]
    return await world.enqueue("email", "email.send", payloads)


async def _unblock_mail(world: World, early: list[str]) -> None:
    """Wait until every early email has failed once, then remove the file."""
    jobs: list[dict[str, Any]] = []

    async def all_failed() -> bool:
        jobs[:] = [await world.job(job_id) for job_id in early]
        return all(job["error"] is not None for job in jobs)

    await world.until(all_failed, "the first emails fail and wait for their second attempt")
    world.log(f"{EARLY} emails failed ({jobs[0]['error']['type']}); the next attempt is in 5 s")
    world.mail.unlink()
    world.log("the mail folder is unblocked")


async def _redrive(world: World, job_id: str) -> None:
    """Wait for the dead letter, supply the missing file, redrive."""
    job = await _wait_for_end(world, job_id)
    page = await world.request("GET", "/api/v1/dead-letters?queue=import")
    letter = next((one for one in page["dead_letters"] if one["id"] == job_id), None)
    if job["state"] != "dead" or letter is None:
        raise DemoFailed(f"the import without a file is {job['state']}, not a dead letter")
    error = letter["error"]
    world.log(f"dead letter {job_id}: csv.import, {error['type']}: {error['message']}")
    header, *rows = price_lines()
    *whole, last = rows[-BROKER_ROWS:]
    text = "".join([header, *whole, last[: len(last) // 2]])
    (world.inbound / BROKER).write_text(text, encoding="utf-8")
    answer = await world.request("POST", f"/api/v1/dead-letters/{job_id}/redrive")
    if not answer["redriven"]:
        raise DemoFailed(f"the dead letter was not redriven: {answer}")
    world.log(f"{BROKER} has arrived (its last line cut off); the dead letter is redriven")


async def _wait_for_end(world: World, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = {}

    async def has_ended() -> bool:
        job.update(await world.job(job_id))
        return job["state"] in ENDED

    await world.until(has_ended, f"job {job_id} ends")
    return job


async def _wait_for_rest(world: World, rows: int) -> None:
    """Wait for the last row and the last email. Reads files only, so it costs no request."""
    total, logged = 0, world.elapsed()

    async def is_complete() -> bool:
        nonlocal total, logged
        recorded = sum((await asyncio.to_thread(world.recorded)).values())
        sent = len(world.sent())
        total = recorded + sent
        if world.elapsed() - logged >= 1:
            logged = world.elapsed()
            world.log(f"{recorded:,} of {rows:,} rows recorded, {sent} of {EMAILS} emails sent")
        return recorded >= rows and sent >= EMAILS

    what = "every row is recorded and every email sent"
    await world.until(is_complete, what, progress=lambda: total)
    world.log(f"{rows:,} rows recorded, {EMAILS} emails sent")


async def _bills(world: World) -> tuple[Bill, Bill]:
    """The counts of this process's one client, and the server's (`GET /_meter`)."""
    store = default_store()  # the API's own: it serves in this event loop
    meter = store.meter if isinstance(store, Store) else Meter()
    headers = {"Authorization": f"Bearer {world.local.token}"}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{world.local.url}/_meter", headers=headers)
    counts = answer.raise_for_status().json()
    return Bill(meter.requests, meter.commands), Bill(counts["requests"], counts["commands"])


def _introduce(world: World) -> None:
    world.say("Tidegate's demo: real jobs, over HTTP on this machine, in a store of their own.")
    world.say(f"  store  {world.local.url}, {world.local.embedded.engine_name}, Upstash's protocol")
    world.say(f"  API    {world.http.base_url}, and a cron that calls its /api/cron/drain")
    world.say(f"  data   {PRICES}, {len(price_lines()) - 1:,} daily prices of AAPL and FB:")
    world.say(f"         {PROVENANCE}")
    world.say(f"         (see {APP.replace('.', '/')}/data/README.md)\n")


def _print_line(sentence: str) -> None:
    print(sentence)
    flush()
