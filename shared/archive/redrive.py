"""Redrives from the archive: a row's job waits again, under its id and with all its attempts.

Once for each row: the store keeps a name of each death that outlives the row, and the row is marked
too. So a stop between the two is finished by a repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..declare.queue import Queue
from ..jobs.ids import local_id
from ..store import Store
from ..store.deaths import MOST_BYTES, Restored, RestoreRequest
from ..store.split import by_size
from .archive import Archive
from .rows import ArchivedLetter

AT_ONCE = 200
DAY_MS = 86_400_000
REASONS = {
    "before": "it was redriven from this row before",
    "exists": "a job with its id is stored: redrive or delete that one",
    "taken": "another job holds its deduplication name: redrive it when that one has ended",
    "full": "its queue is full",
    "names": "its queue is full of names (idempotency keys, deduplication): repeat it later",
    "unreadable": "its record is damaged or no text, so no function could run it",
}
"""Why a row's job was not made again, by verdict."""


@dataclass(frozen=True, slots=True)
class RedriveVerdict:
    """What became of one row. `left`: why its job was not made again, a key of REASONS; None where
    it was."""

    letter: ArchivedLetter
    left: str | None

    @property
    def reason(self) -> str | None:
        """The sentence of `left`."""
        return None if self.left is None else REASONS[self.left]


async def redrive(
    store: Store, archive: Archive, letters: Sequence[ArchivedLetter]
) -> list[RedriveVerdict]:
    """Make the jobs of these rows again, a request for up to 200 of a queue; one verdict each, in
    order. Raises StoreError and ArchiveError; a repeat goes on where it stopped."""
    verdicts: dict[int, str | None] = {}
    for queue, part in _parts(letters, verdicts):
        requests = [_request(letter) for letter in part]
        names_ms = round((archive.days + 1) * DAY_MS)
        answers = await store.deaths.restore(queue, requests, names_ms=names_ms)
        done = [one.row for one, answer in zip(part, answers, strict=True) if _is_done(answer)]
        if done:
            await archive.mark_redriven(done)
        for letter, answer in zip(part, answers, strict=True):
            verdicts[letter.row] = None if answer == "restored" else answer
    return [RedriveVerdict(letter, verdicts[letter.row]) for letter in letters]


def _is_done(answer: Restored) -> bool:
    return answer in ("restored", "before")


def _parts(
    letters: Sequence[ArchivedLetter], verdicts: dict[int, str | None]
) -> Iterator[tuple[Queue, list[ArchivedLetter]]]:
    """The rows to send, in parts that fit a request. What can't be sent has its verdict at once."""
    by_queue: dict[str, list[ArchivedLetter]] = {}
    for letter in letters:
        if letter.redriven_at is not None:
            verdicts[letter.row] = "before"
        elif letter.record.reason == "damaged" or not _is_text(letter.raw):
            verdicts[letter.row] = "unreadable"
        else:
            by_queue.setdefault(letter.record.queue.name, []).append(letter)
    for rows in by_queue.values():
        for part in by_size(rows, lambda row: len(row.raw), most=AT_ONCE, most_size=MOST_BYTES):
            yield part[0].record.queue, part


def _request(letter: ArchivedLetter) -> RestoreRequest:
    record = letter.record
    short = local_id(record.id)
    return RestoreRequest(short, f"{short}-{record.fence}-{record.at_ms}", letter.raw.decode())


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
