"""What a turn must do to the book, and what it must answer."""

from __future__ import annotations

from collections.abc import Sequence

from shared.store.codec import KIND_CODES
from shared.store.turn import CLAIM_MAX_BYTES, TurnRequest

from .book import BANDS, DECIDED, NEVER, ON_DEAD, Book, Entry, Memo, fresh
from .claims import Claimant, ExpectedReply, answers

PAGE = 100
_SUSPECTED = ("exclusive", "crashed")
INTAKE = 100
FIRST_INTAKE = 10
MOST_CRASHES = 3
TRIM_PAGE = 500
COUNTED = {"d": "done", "r": "retried", "x": "dead", "l": "released", "s": "snoozed", "p": "parked",
           "c": "cancelled"}  # fmt: skip


def turn(
    book: Book,
    wall: int,
    ask: TurnRequest,
    most_bytes: int = CLAIM_MAX_BYTES,
    started: Sequence[str] = (),
) -> ExpectedReply | None:
    """`started`: the ids that the scripts claimed, to know whose backlogs they took first."""
    now = book.now(wall)
    last = book.memos.get(ask.owner)
    if last and ask.seq < last.seq:
        return None
    if last and ask.seq == last.seq:
        held = [lease for lease in _in_order(book.sets["active"]) if lease in last.claimed]
        told = ExpectedReply("more", 0, last.verdicts, answers(book, held), replayed=True)
        told.level, told.at = last.level, last.at
        return told
    book.mark = now
    book.settles_deaths = book.settles_deaths or ask.settles_deaths
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
        _take_in(book, now, most_bytes)
    _recover(book, now)
    _promote(book, now)
    told = Claimant(book, now, ask, started).claim(most, most_bytes)
    told.verdicts = verdicts
    if looks and told.claimed == 0 and (book.lines["inbox"] or book.lines["intake"]):
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
    if job in book.cancel and kind in "rlsp" and not entry.decided:
        kind = "c"
    entry.history = settle.history
    if kind in "ke":
        if kind == "e" and not entry.decided:
            entry.flags = DECIDED if entry.flags == "-" else entry.flags + DECIDED
        active[settle.lease] = now + ask.lease_ms + book.ms_ahead(now, 0)
    else:
        del active[settle.lease]
        book.cancel.discard(job)
        entry.fence += 1
        crashed = entry.reason == "crashed"  # it is only to be settled dead
        entry.attempts += kind in "drxc" and not crashed
        entry.reason = entry.reason if crashed and kind in "xlp" else "-"
        book.totals[COUNTED[kind]] += 1
        if settle.unstarted_ms:
            book.unspent.append(now - settle.unstarted_ms)
        exclusive = settle.lease[-1] == "1" and not entry.decided
        _to_its_place(book, now, job, entry, kind, settle.delay_ms, exclusive=exclusive)
    book.save(job, entry)
    return "1"


def _revoke_crash(book: Book, job: str, entry: Entry, fence: int, *, exclusive: bool) -> None:
    """A function that lives was taken for dead: no crash, unless its death has had follow-ups."""
    if entry.decided:
        return
    if not exclusive and entry.fence == fence and entry.suspected:
        entry.reason = "-" if entry.reason == "suspect" else "key" + entry.reason[7:]
    elif (
        exclusive
        and entry.fence >= fence
        and entry.crashes
        and entry.reason == "crashed"
        and (entry.state == "w")
    ):
        entry.crashes, entry.reason = entry.crashes - 1, "suspect"  # it waits for its death
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
        _first_in_line(book, job, entry)
    elif delay > 0:
        book.sets["delayed"][job] = now + delay
        entry.since = f" {now + delay}"
        if kind == "l" and entry.reason != "crashed":
            entry.reason = "unfit"
    else:
        entry.since = f" {now}"
        book.line_up(job, entry)


def _take_in(book: Book, now: int, most_bytes: int) -> None:
    line, (before, instant) = book.lines["intake"], book.intake
    is_new, taken = not line, 0
    if is_new:
        line += book.lines["inbox"]
        book.lines["inbox"].clear()
        instant = now
    raws = _read_inbox(line, most_bytes)
    for i, raw in enumerate(raws, 1):
        if i > 1 and sum(map(len, raws[:i])) > most_bytes:
            break
        job = f"~{instant}-0-{before}-{i}~{book.intake_shard}"
        entry = fresh("n", "-", "-", "f", raw, f" {now}")
        book.save(job, entry)
        book.line_up(job, entry)
        taken = i
    del line[:taken]
    book.foreign = bool(line) or not is_new
    book.inbox = book.inbox or bool(raws)


def _read_inbox(line: list[str], most_bytes: int) -> list[str]:
    """The records of the first two reads, which the bytes of a turn bound."""
    raws, count = list[str](), FIRST_INTAKE
    while count > 0:
        some = line[len(raws) : len(raws) + count]
        raws += some
        if len(some) < count:
            break
        size = sum(map(len, raws))
        count = min(INTAKE - len(raws), int((most_bytes - size) // max(1, size / len(raws))))
    return raws


def _due(scored: dict[str, float], now: int) -> list[str]:
    return [name for name in _in_order(scored) if int(scored[name]) <= now][:PAGE]


def _recover(book: Book, now: int) -> None:
    for lease in _due(book.sets["active"], now):
        del book.sets["active"][lease]
        job, fence, _owner, _seq, *_key, exclusive = lease.split(" ")
        entry = book.entries.get(job)
        if entry is None:
            book.totals["lost"] += 1
            book.cancel.discard(job)
            continue
        if entry.state != "w" or entry.fence != int(fence) - 1:
            continue
        entry.fence, entry.since = entry.fence + 1, f" {now}"
        book.totals["crashed"] += 1
        if entry.decided:  # its handler had ended, so it is not to blame
            entry.reason = entry.reason if entry.reason == "crashed" else "-"
            _first_in_line(book, job, entry)
        elif job in book.cancel:
            book.cancel.discard(job)
            book.end(job, entry, "k", "cancelled", now)
        else:
            _blame(book, now, job, entry, exclusive == "1")
        book.save(job, entry)


def _blame(book: Book, now: int, job: str, entry: Entry, exclusive: bool) -> None:
    entry.crashes += exclusive
    book.exclusive[job] += exclusive
    if entry.crashes >= MOST_CRASHES:
        entry.reason = "crashed"
        if book.settles_deaths or ON_DEAD in entry.flags:  # a drain settles its death
            _first_in_line(book, job, entry)
        else:
            book.end(job, entry, "x", "dead", now)
            book.totals["dead"] += 1
    elif exclusive or entry.suspected:
        entry.reason = "exclusive"
        book.lines["suspects"].append(job)
    else:  # the first crash in a row: again with the others, first in line
        entry.reason = "suspect"
        _first_in_line(book, job, entry)


def _first_in_line(book: Book, job: str, entry: Entry) -> None:
    book.returned.append((BANDS[entry.priority], job))
    book.mixed = book.mixed or entry.priority != "n"


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
                entry.state = "w"
                entry.reason = "crashed" if entry.reason == "crashed" else "-"
            if unfit:
                _first_in_line(book, job, entry)
            else:
                book.line_up(job, entry)
            book.save(job, entry)
    book.put_back()


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


__all__ = ["NEVER", "ExpectedReply", "turn"]
