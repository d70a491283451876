"""What each verb but `turn` must do to the book, and what it must answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.jobs.job import Guard, Job

from .audit import require
from .book import BANDS, DECIDED, ON_DEAD, Book, Entry, fresh

PAGE = 500
STEPS, LOOKS = 2048, 8


def enqueue(book: Book, wall: int, jobs: Sequence[Job]) -> list[object]:
    """Codes, then for each duplicate the id that stands for it and its state."""
    timed = any(job.delay_ms or job.run_at_ms for job in jobs)
    now = book.now(wall)
    book.horizon = now
    _drop_orphans(book, jobs)
    codes, others, instants = "", list[object](), _Instants(book)
    for job in jobs:
        code, twin = _enqueue_one(book, now, job, instants, timed=timed)
        codes += code
        others += twin
    return [codes, *others]


@dataclass(frozen=True, slots=True)
class Before:
    """What an enqueue met. `waited`: jobs in line; `hint`: the scripts' own note that there may be
    some, which may be late to be taken back."""

    waited: int
    hint: bool


def nudge(book: Book, jobs: Sequence[Job], codes: str, before: Before, window: int) -> str:
    """What the caller of an enqueue must be told: "1" to call a drain, where it put the first job
    in line and none was called within the window; "2" where this request was told so before."""
    at, by = book.nudged
    if not window or book.paused:
        return "0"
    if before.hint:
        return "2" if by == jobs[0].id else "0"
    require(not before.waited, "numbers: waits", before)
    if "w" not in codes or abs(book.horizon - at) < window:
        return "0"
    book.nudged = book.horizon, jobs[0].id
    return "1"


def _enqueue_one(
    book: Book, now: int, job: Job, instants: _Instants, *, timed: bool
) -> tuple[str, list[object]]:
    idem = _holder(book, job.idempotency.name if job.idempotency else "", now)
    if idem and job.idempotency:
        if idem[1] != job.idempotency.fingerprint:
            return "M", []
        return "D" if idem[3].isupper() else "I", [idem[2], idem[3].lower()]
    twin = _holder(book, job.dedup.name if job.dedup else "", now)
    if twin:
        return _duplicate(book, now, job, twin[2])
    if job.id in book.raws:
        return _duplicate(book, now, job, job.id)
    due = job.run_at_ms or now + job.delay_ms
    state = "d" if timed and due > now else "w"
    until_ended = job.dedup.name if job.dedup and job.dedup.ttl_ms == 0 else "-"
    created = f" {job.created_ms}" if job.created_ms else ""
    since = f" {due}" if timed else created
    if book.queue.refused_rate and job.key != "-":
        wait = book.keys.ms_to_token(job.key, now)
        if wait:
            return "L", [str(wait)]
        book.keys.take(job.key, now)
    flags = ON_DEAD if job.follows_death else "-"
    entry = fresh(job.priority[0], job.key, until_ended, flags, job.body(), since)
    book.save(job.id, entry)
    book.ended.pop(job.id, None)
    book.keys.put_off.pop(job.id, None)
    for guard in (job.dedup, job.idempotency):
        if guard:
            _hold(book, now, guard, job.id, state)
    if state == "d":
        book.sets["delayed"][job.id] = instants.score(due, shared=job.run_at_ms > 0)
        book.mixed = book.mixed or entry.priority != "n"
    else:
        book.line_up(job.id, entry)
    return state, []


class _Instants:
    """Jobs of one instant are due in the order of their enqueue, each a step above the last. For
    the first eight instants that are a `run_at`, the jobs of other requests count too."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._steps: dict[int, int] = {}
        self._looks = 0

    def score(self, due: int, *, shared: bool) -> float:
        if due not in self._steps:
            self._steps[due] = self._next(due) if shared and self._looks < LOOKS else 0
        step = self._steps[due]
        self._steps[due] = step + 1
        return due + step / STEPS

    def _next(self, due: int) -> int:
        self._looks += 1
        stored = [score for score in self._book.sets["delayed"].values() if due <= score < due + 1]
        return int((max(stored) - due) * STEPS) + 1 if stored else 0


def _duplicate(book: Book, now: int, job: Job, holder: str) -> tuple[str, list[object]]:
    """The same request again is told so again: a capital letter remembers it."""
    state = book.state(holder)
    if job.idempotency:
        _hold(book, now, job.idempotency, holder, state.upper())
    return "D", [holder, state]


def _hold(book: Book, now: int, guard: Guard, holder: str, state: str) -> None:
    expires = now + guard.ttl_ms if guard.ttl_ms else 0
    book.guards[guard.name] = (expires, guard.fingerprint, holder, state)


def _holder(book: Book, name: str, now: int) -> tuple[int, str, str, str] | None:
    guard = book.guards.get(name)
    return guard if guard and (guard[0] == 0 or guard[0] > now) else None


def _drop_orphans(book: Book, jobs: Sequence[Job]) -> None:
    """A guard that holds until its job ends does not outlive a job that was lost."""
    for job in jobs:
        for guard in (job.dedup, job.idempotency):
            held = book.guards.get(guard.name) if guard else None
            if guard and held and held[0] == 0 and held[2] not in book.entries:
                del book.guards[guard.name]


def cancel(book: Book, wall: int, job: str) -> list[object]:
    entry = book.entries.get(job)
    if entry is None:
        return [""]
    if entry.state not in "wp":
        return [entry.state]
    if entry.decided:
        return ["cancel_requested"]
    if not _take_away(book, job, entry):
        book.cancel.add(job)
        return ["cancel_requested"]
    entry.reason, now = "-", book.now(wall)
    book.trimmed = book.trimmed or now + max(60_000, book.queue.completed.age_ms // 10)
    book.end(job, entry, "k", "cancelled", now)
    book.save(job, entry)
    return ["cancelled"]


def _take_away(book: Book, job: str, entry: Entry) -> bool:
    for name in ("parked", "delayed"):
        if book.sets[name].pop(job, None) is not None:
            return True
    for name in (BANDS[entry.priority], "suspects"):
        if job in book.lines[name]:
            book.lines[name].remove(job)
            return True
    return book.keys.remove(job)


def pause(book: Book, *, paused: bool) -> list[object]:
    before, book.paused = book.paused, paused
    return [str(int(before))]


def purge(book: Book, most: int, request: str) -> list[object]:
    if book.purged[0] == request:
        return [book.purged[1]]  # the last request, arrived again
    gone: list[str] = []
    for name in ("high", "normal", "low", "suspects"):
        line = book.lines[name]
        take = most - len(gone)
        gone += line[:take]
        del line[:take]
    delayed = sorted(book.sets["delayed"].items(), key=lambda pair: (pair[1], pair[0]))
    for job, _due in delayed[: most - len(gone)]:
        del book.sets["delayed"][job]
        gone.append(job)
    backlog = book.keys.ids()  # in no order, so the page has room for all of them
    require(len(gone) + len(backlog) <= most or not backlog, "a page of a purge is too small")
    book.keys.backlogs.clear()
    gone += backlog
    for job in gone:
        entry = book.entries.get(job)
        if entry and entry.dedup != "-":
            book.guards.pop(entry.dedup, None)
    book.forget(gone, "purged")
    if gone:
        book.purged = request, len(gone)
    return [len(gone)]


def delete(book: Book, state: str, jobs: Sequence[str]) -> list[object]:
    """With a state (not "-") only the jobs in it."""
    homes = {"x": "dead", "c": "completed", "k": "cancelled"}
    verdicts = ""
    gone = []
    for job in jobs:
        entry = book.entries.get(job)
        home = homes.get(entry.state) if entry and state in ("-", entry.state) else None
        verdicts += "1" if home else "0"
        if home:
            book.sets[home].pop(job, None)
            gone.append(job)
    book.forget(gone, "")
    return [verdicts]


def _takes_name(book: Book, now: int, job: str, name: str) -> bool:
    held = book.guards.get(name)
    holder = book.entries.get(held[2]) if held else None
    if held and held[0] == 0 and (holder is None or holder.state not in "wp"):
        del book.guards[name]
    book.horizon = now  # the look at names deletes expired ones
    if _holder(book, name, now):
        return False
    book.guards[name] = (0, "-", job, "w")
    return True


def redrive(book: Book, wall: int, jobs: Sequence[str]) -> list[object]:
    verdicts, now = "", book.now(wall)
    for job in jobs:
        entry = book.entries.get(job)
        again = entry is not None and entry.state in "xp"
        if entry is not None and entry.state == "x" and entry.dedup != "-":
            again = _takes_name(book, now, job, entry.dedup)
        verdicts += "1" if again else "0"
        if entry is None or not again:
            continue
        book.sets["dead" if entry.state == "x" else "parked"].pop(job, None)
        if entry.state == "x":  # a parked one may still have an end to finish
            entry.flags = entry.flags.replace(DECIDED, "") or "-"
        entry.state, entry.attempts, entry.crashes, entry.reason = "w", 0, 0, "-"
        entry.redrives, entry.since = entry.redrives + 1, f" {now}"
        book.save(job, entry)
        book.ended.pop(job, None)
        book.line_up(job, entry)
    return [verdicts]
