"""What a turn must do to the book, and what it must answer."""

from __future__ import annotations

from dataclasses import dataclass

from shared.store.codec import KIND_CODES
from shared.store.turn import MOST_BYTES, TurnRequest

from .book import BANDS, NEVER, Book, Entry, Memo, fresh

PAGE = 100
_SUSPECTED = ("exclusive", "crashed")
INTAKE = 100
MOST_CRASHES = 3
TRIM_PAGE = 500
COUNTED = {"d": "done", "r": "retried", "x": "dead", "l": "released", "s": "snoozed", "p": "parked",
           "c": "cancelled"}  # fmt: skip


@dataclass(slots=True)
class Told:
    """What the turn must be told; None stands for an answer that this turn was overtaken."""

    reason: str
    wait: int
    verdicts: str
    claims: list[object]
    claimed: int = 0
    replayed: bool = False
    level: int = 0
    ahead: int | None = None
    at: int = 0


def turn(book: Book, wall: int, ask: TurnRequest, most_bytes: int = MOST_BYTES) -> Told | None:
    now = book.now(wall)
    last = book.memos.get(ask.owner)
    if last and ask.seq < last.seq:
        return None
    if last and ask.seq == last.seq:
        held = [lease for lease in _in_order(book.sets["active"]) if lease in last.claimed]
        told = Told("more", 0, last.verdicts, _answers(book, held), replayed=True)
        told.level, told.at = last.level, last.at
        return told
    book.mark = now
    for owner in [o for o, memo in book.memos.items() if memo.expiry <= now and o != ask.owner]:
        del book.memos[owner]
    most = min(ask.want, int(most_bytes // book.average_bytes()) + 1)
    before = book.ms_ahead(now, 0)
    verdicts = "".join(_settle(book, now, ask, i) for i in range(len(ask.settles)))
    book.put_back()
    for lease in ask.prolong:
        if lease in book.sets["active"]:
            book.sets["active"][lease] = now + ask.lease_ms + before
    if ask.resync:
        book.mixed = book.foreign = True
    looks = book.inbox and not book.foreign
    if book.foreign:
        _take_in(book, now, ask)
    _recover(book, now)
    _promote(book, now)
    told = _claim(book, now, ask, most, most_bytes)
    told.verdicts = verdicts
    if looks and told.claimed == 0 and book.lines["inbox"]:
        book.foreign = True
        told.reason = "more" if told.reason == "empty" else told.reason
    _trim(book, now, len(ask.settles))
    leases = [str(lease) for lease in told.claims[::2]]
    ahead = before if told.ahead is None else told.ahead
    lives = max(ask.lease_ms + ahead if ask.want or ask.prolong else 0, ask.repeat_ms)
    book.memos[ask.owner] = Memo(ask.seq, now + lives, verdicts, leases, told.level, now)
    return told


def _in_order(scored: dict[str, float]) -> list[str]:
    return [name for name, _score in sorted(scored.items(), key=lambda pair: (pair[1], pair[0]))]


def _settle(book: Book, now: int, ask: TurnRequest, at: int) -> str:
    """A settle counts while its very lease is open, and never again."""
    settle = ask.settles[at]
    job, fence, *_rest = settle.lease.split(" ")
    entry, active = book.entries.get(job), book.sets["active"]
    open_ = settle.lease in active and entry is not None and entry.state == "w"
    if entry is None or not open_ or entry.fence != int(fence) - 1:
        if entry and not any(settle.lease == other.lease for other in ask.settles[:at]):
            _revoke_crash(book, job, entry, int(fence), exclusive=settle.lease[-1] == "1")
        return "0"
    kind = KIND_CODES[settle.kind]
    if job in book.cancel and kind in "rlsp":
        kind = "c"
    entry.history = settle.history
    if kind == "k":
        active[settle.lease] = now + ask.lease_ms + book.ms_ahead(now, 0)
    else:
        del active[settle.lease]
        book.cancel.discard(job)
        entry.fence, entry.reason = entry.fence + 1, "-"
        entry.attempts += kind in "drxc"
        book.totals[COUNTED[kind]] += 1
        if settle.unstarted_ms:
            book.unspent.append(now - settle.unstarted_ms)
        _to_its_place(
            book, now, job, entry, kind, settle.delay_ms, exclusive=settle.lease[-1] == "1"
        )
    book.save(job, entry)
    return "1"


def _revoke_crash(book: Book, job: str, entry: Entry, fence: int, *, exclusive: bool) -> None:
    """A function that lives was taken for dead: no crash."""
    if not exclusive and entry.fence == fence and entry.reason == "suspect":
        entry.reason = "-"
    elif exclusive and entry.fence >= fence and entry.crashes and entry.reason in _SUSPECTED:
        entry.crashes -= 1
        if entry.reason == "crashed":
            entry.state, entry.reason, entry.dedup = "w", "exclusive", "-"
            del book.sets["dead"][job]
            book.lines["suspects"].append(job)
            book.ended.pop(job, None)
    else:
        return
    book.save(job, entry)


def _to_its_place(
    book: Book, now: int, job: str, entry: Entry, kind: str, delay: int, *, exclusive: bool
) -> None:
    if kind in "dxc":
        state, home = {"d": ("c", "completed"), "x": ("x", "dead"), "c": ("k", "cancelled")}[kind]
        book.end(job, entry, state, home, now)
    elif kind == "p":
        entry.state = "p"
        book.sets["parked"][job] = now + delay
    elif kind == "l" and exclusive:
        entry.reason = "exclusive"
        book.returned.append(("suspects", job))
    elif kind == "l" and delay == 0:
        book.returned.append((BANDS[entry.priority], job))
        book.mixed = book.mixed or entry.priority != "n"
    elif delay > 0:
        book.sets["delayed"][job] = now + delay
        entry.since = f" {now + delay}"
        if kind == "l":
            entry.reason = "unfit"
    else:
        entry.since = f" {now}"
        book.line_up(job, entry)


def _take_in(book: Book, now: int, ask: TurnRequest) -> None:
    raws = book.lines["inbox"][:INTAKE]
    del book.lines["inbox"][:INTAKE]
    for i, raw in enumerate(raws, 1):
        job = f"~{now}-{ask.owner}-{ask.seq}-{i}{book.inbox_ending}"
        entry = fresh("n", "-", "-", "f", raw, f" {now}")
        book.save(job, entry)
        book.line_up(job, entry)
    book.foreign = len(raws) == INTAKE
    book.inbox = book.inbox or bool(raws)


def _due(scored: dict[str, float], now: int) -> list[str]:
    return [name for name in _in_order(scored) if int(scored[name]) <= now][:PAGE]


def _recover(book: Book, now: int) -> None:
    for lease in _due(book.sets["active"], now):
        del book.sets["active"][lease]
        job, fence, _owner, _seq, exclusive = lease.split(" ")
        entry = book.entries.get(job)
        if entry is None:
            book.totals["lost"] += 1
            continue
        if entry.state != "w" or entry.fence != int(fence) - 1:
            continue
        entry.fence, entry.since = entry.fence + 1, f" {now}"
        book.totals["crashed"] += 1
        if job in book.cancel:
            book.cancel.discard(job)
            book.end(job, entry, "k", "cancelled", now)
        else:
            entry.crashes += exclusive == "1"
            book.exclusive[job] += exclusive == "1"
            if entry.crashes >= MOST_CRASHES:
                entry.reason = "crashed"
                book.end(job, entry, "x", "dead", now)
                book.totals["dead"] += 1
            elif exclusive == "1" or entry.reason == "suspect":
                entry.reason = "exclusive"
                book.lines["suspects"].append(job)
            else:  # the first crash in a row: again with the others, first in line
                entry.reason = "suspect"
                book.returned.append((BANDS[entry.priority], job))
                book.mixed = book.mixed or entry.priority != "n"
        book.save(job, entry)


def _promote(book: Book, now: int) -> None:
    for name in ("delayed", "parked"):
        for job in _due(book.sets[name], now):
            del book.sets[name][job]
            entry = book.entries.get(job)
            if entry is None:
                book.totals["lost"] += 1
                continue
            unfit = entry.reason == "unfit"
            if entry.state == "p":
                entry.since = f" {now}"
            if unfit or entry.state == "p":
                entry.state, entry.reason = "w", "-"
            if unfit:
                book.returned.append((BANDS[entry.priority], job))
                book.mixed = book.mixed or entry.priority != "n"
            else:
                book.line_up(job, entry)
            book.save(job, entry)
    book.put_back()


def _claim(book: Book, now: int, ask: TurnRequest, most: int, most_bytes: int) -> Told:
    """At most `most` jobs, whose records are expected to fill the reply."""
    told, starts = _starts(book, now, ask)
    told.level, told.at = book.level, now
    if starts <= 0:
        return told
    exclusive, most = bool(book.lines["suspects"]) and ask.exclusive, min(starts, most)
    if exclusive:
        jobs = [book.lines["suspects"].pop(0)]
        told.reason = "suspect"
    else:
        jobs = _pop(book, most)
        if len(jobs) < most:
            told.reason, told.wait = "empty", 0
        elif most < starts:
            told.reason, told.wait = "more", 0
        if not jobs and book.lines["suspects"]:
            told.reason = "suspect"
    _lease(book, now, ask, jobs, told, exclusive=exclusive, most_bytes=most_bytes)
    if told.claimed == 0 and len(jobs) >= most:
        told.reason, told.wait = "more", 0
    if book.queue.limit:
        book.level -= told.claimed * book.queue.limit.per_ms
    if told.reason == "limited":
        told.wait = book.token_wait(now)
    return told


def _starts(book: Book, now: int, ask: TurnRequest) -> tuple[Told, int]:
    """How many may start, and what holds the others back."""
    limit = book.queue.limit
    if limit:
        full = limit.burst * limit.per_ms
        level = book.filled(now)
        for age in sorted(book.unspent):
            gained = max(0, age * limit.rate + max(0, -level))
            level = min(full, level + max(0, limit.per_ms - gained))
        book.level, book.level_at, book.per = (
            min(limit.burst * limit.per_ms, level),
            now,
            limit.per_ms,
        )
    book.unspent.clear()
    if book.paused:
        return Told("paused", 0, "", []), 0
    told, starts = Told("more", 0, "", []), ask.want
    if book.room() <= 0 or starts > book.room():
        told.reason, starts = "full", book.room()
    exclusive = bool(book.lines["suspects"]) and ask.exclusive
    tokens = book.tokens(now, 0 if exclusive else ask.ahead_ms)
    if limit and starts > tokens:
        told.reason, told.wait, starts = "limited", book.token_wait(now), tokens
    if told.reason == "limited" and starts <= 0 and not book.waiting():
        told.reason, told.wait = "empty", 0
    return told, starts


def _pop(book: Book, want: int) -> list[str]:
    order = ["normal"]
    if book.mixed:
        order = ["high", "normal", "low"]
        if book.turns % 8 == 7:
            order = ["low", "normal", "high"]
        elif book.turns % 4 == 3:
            order = ["normal", "high", "low"]
        book.turns += 1
    jobs: list[str] = []
    for name in order:
        take = want - len(jobs)
        jobs += book.lines[name][:take]
        book.stood.update(dict.fromkeys(book.lines[name][:take], name))
        del book.lines[name][:take]
    if book.mixed and len(jobs) < want:
        book.mixed = bool(jobs)
    return jobs


def _lease(
    book: Book,
    now: int,
    ask: TurnRequest,
    jobs: list[str],
    told: Told,
    *,
    exclusive: bool,
    most_bytes: int,
) -> None:
    size, back = 0, list[str]()
    told.ahead = book.ms_ahead(now, len(jobs))
    for at, job in enumerate(jobs):
        entry = book.entries.get(job)
        if entry is None or entry.state != "w":
            book.totals["lost"] += 1
            continue
        length = len(book.raws[job].encode("utf-8", "surrogateescape"))
        if told.claimed and size + length > most_bytes:
            back = jobs[at:]
            break
        size += length
        told.claimed += 1
        lease = f"{job} {entry.fence + 1} {ask.owner} {ask.seq} {int(exclusive)}"
        book.sets["active"][lease] = now + ask.lease_ms + told.ahead
        told.claims += _answers(book, [lease])
    for job in reversed(back):
        book.lines[book.stood[job]].insert(0, job)
    if back:
        told.reason, told.wait = "more", 0
    book.totals["claimed"] += told.claimed


def _answers(book: Book, leases: list[str]) -> list[object]:
    found: list[object] = []
    for lease in leases:
        raw = book.raws.get(lease.split(" ")[0])
        if raw is not None:
            found += [lease, raw]
    return found


def _trim(book: Book, now: int, settled: int) -> None:
    kept = book.queue.completed
    completed = book.sets["completed"]
    if len(completed) > kept.count:
        extra = _in_order(completed)[: min(len(completed) - kept.count, TRIM_PAGE + settled)]
        for job in extra:
            del completed[job]
        book.forget(extra, "")
    age = kept.age_ms
    due = 0 < book.trimmed <= now
    if due or book.trimmed == 0:
        book.trimmed = now + max(60_000, age // 10)
    if not due:
        return
    book.horizon = now
    for name in ("completed", "cancelled"):
        ended = book.sets[name]
        old = [job for job in _in_order(ended) if ended[job] <= now - age][:TRIM_PAGE]
        for job in old:
            del ended[job]
        book.forget(old, "")
        if len(old) == TRIM_PAGE:
            book.trimmed = now
    cancelled = book.sets["cancelled"]
    extra = _in_order(cancelled)[: max(0, len(cancelled) - kept.count)]
    if len(extra) > TRIM_PAGE:
        book.trimmed = now
    for job in extra[:TRIM_PAGE]:
        del cancelled[job]
    book.forget(extra[:TRIM_PAGE], "")


__all__ = ["NEVER", "Told", "turn"]
