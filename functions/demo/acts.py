"""What happens in the demo: letters beyond their rate limit, some with trouble; an import of real
prices; a dead letter and its redrive. Faults are real ones, outside the code that meets them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from .stage import PACKAGED, DemoFailed, Stage, packaged

EARLY, LETTERS = 3, 110
BROKER, BROKER_ROWS = "broker.csv", 60
"""A second account's file: the last rows of the packaged one, arriving late and cut off."""
STOPPED = ("dead", "completed", "cancelled")


@dataclass(frozen=True, slots=True)
class Played:
    """What the acts were told, to be compared with what is found."""

    letters: list[str]
    early: list[str]
    imported: dict[str, dict[str, Any]]
    """Account -> the import job as it ended."""
    lines: dict[str, int]
    """Account -> lines of its file below the header."""


async def act(stage: Stage) -> Played:
    """All of it, from the first enqueue to the last job's end."""
    stage.outbox.touch()  # a file stands where the folder belongs: every letter fails on it
    early = await _write(stage, range(EARLY))
    stage.tell(f"{EARLY} letters enqueued; their outbox can't be written, a file is in its place")
    sources = {"main": PACKAGED, "broker": f"file:{BROKER}"}
    payloads = [{"source": source, "account": name} for name, source in sources.items()]
    ids = await stage.enqueue("import", "csv.import", payloads)
    imports = dict(zip(sources, ids, strict=True))
    stage.tell(f"two imports enqueued: {PACKAGED}, and {BROKER}, which is not there yet")
    await _mend_outbox(stage, early)
    letters = early + await _write(stage, range(EARLY, LETTERS))
    stage.tell(f"{LETTERS - EARLY} more letters enqueued in one request; 100 a minute may be sent")
    await _redrive(stage, imports["broker"])
    ended = {name: await _ended(stage, job_id) for name, job_id in imports.items()}
    await _rest(stage, {name: job["result"]["accepted"] for name, job in ended.items()})
    lines = {"main": len(packaged()) - 1, "broker": BROKER_ROWS}
    return Played(letters, early, ended, lines)


async def _write(stage: Stage, numbers: range) -> list[str]:
    payloads = [
        {"to": f"trader-{n}@example.com", "template": "welcome", "values": {"name": f"Trader {n}"}}
        for n in numbers
    ]
    return await stage.enqueue("email", "email.send", payloads)


async def _mend_outbox(stage: Stage, early: list[str]) -> None:
    """Wait until every early letter has failed once, then take the file away."""
    shown: list[dict[str, Any]] = []

    async def all_failed() -> bool:
        shown[:] = [await stage.job(job_id) for job_id in early]
        return all(job["error"] is not None for job in shown)

    await stage.until(all_failed, "the first letters fail and wait for their second attempt")
    error = shown[0]["error"]
    stage.tell(f"{EARLY} letters failed ({error['type']}) and are tried again after 5 s")
    stage.outbox.unlink()
    stage.tell("the outbox is mended")


async def _redrive(stage: Stage, job_id: str) -> None:
    """Wait for the dead letter, show it, bring its file, send it back to work."""
    job = await _ended(stage, job_id)
    page = await stage.ask("GET", "/api/v1/dead-letters?queue=import")
    listed = [letter for letter in page["dead_letters"] if letter["id"] == job_id]
    if job["state"] != "dead" or not listed:
        raise DemoFailed(f"the import without a file is {job['state']}, not a dead letter")
    error = listed[0]["error"]
    stage.tell(f"dead letter {job_id}: csv.import, {error['type']}: {error['message']}")
    _bring_file(stage)
    answer = await stage.ask("POST", f"/api/v1/dead-letters/{job_id}/redrive")
    if not answer["redriven"]:
        raise DemoFailed(f"the dead letter was not redriven: {answer}")
    stage.tell(f"{BROKER} has arrived (its last line cut off); the dead letter is redriven")


def _bring_file(stage: Stage) -> None:
    header, *rows = packaged()
    *whole, last = rows[-BROKER_ROWS:]
    text = "".join([header, *whole, last[: len(last) // 2]])
    (stage.inbound / BROKER).write_text(text, encoding="utf-8")


async def _ended(stage: Stage, job_id: str) -> dict[str, Any]:
    """The job once it has ended."""
    shown: dict[str, Any] = {}

    async def ended() -> bool:
        shown.update(await stage.job(job_id))
        return shown["state"] in STOPPED

    await stage.until(ended, f"job {job_id} ends")
    return shown


async def _rest(stage: Stage, accepted: dict[str, int]) -> None:
    """Wait for the last row and the last letter; looks at the files, so it costs no request."""
    rows, told, there = sum(accepted.values()), stage.elapsed(), 0

    async def all_there() -> bool:
        nonlocal told, there
        recorded = sum((await asyncio.to_thread(stage.recorded)).values())
        sent = len(stage.sent())
        there = recorded + sent
        if stage.elapsed() - told >= 1:
            told = stage.elapsed()
            stage.tell(f"{recorded:,} of {rows:,} rows recorded, {sent} of {LETTERS} letters sent")
        return recorded >= rows and sent >= LETTERS

    what = "every row is recorded and every letter sent"
    await stage.until(all_there, what, done=lambda: there)
    stage.tell(f"{rows:,} rows recorded, {LETTERS} letters sent")
