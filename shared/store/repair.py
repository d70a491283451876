"""The repair of a queue: its job records are compared with the lists and sets that place them.

A script that stops half way, or a hand at the database, can leave a job that no list names, or an
id without a job. The survey reads page by page and takes no lock, so an id that it suspects may
belong to a job that just moved. One script looks again at the suspected ids, and repairs. All ids
are kept in memory, some 200 bytes a job.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..declare.queue import Queue
from .keys import PLACES
from .store import Store
from .usage import Usage, UsageByShard

BATCH = 20
_HOMES = {"p": {"parked"}, "c": {"completed"}, "k": {"cancelled"}, "x": {"dead"}}
_WAITING = {"high", "normal", "low", "suspects", "delayed", "backlogs"}


@dataclass(frozen=True, slots=True)
class Repairs:
    """What a repair of one queue did, or with `dry_run` would do.

    `jobs`: records that were compared. `requeued`: live jobs without a place wait again.
    `restored`: ended or parked jobs are in their set again. `removed`: ids where no such job
    belongs. `recounted`: the counts of jobs and bytes were wrong.
    """

    queue: str
    dry_run: bool
    jobs: int
    requeued: int
    restored: int
    removed: int
    recounted: bool

    @property
    def is_sound(self) -> bool:
        return not (self.requeued or self.restored or self.removed or self.recounted)


async def repair(store: Store, queue: Queue, *, dry_run: bool = False) -> Repairs:
    """Compare and repair one queue. Costs a request for 200 records and for 1,000 ids of each list
    and set. Functions may go on draining the queue meanwhile."""
    before, after, counted, states = await _records(store, queue)
    suspected = list(_suspect_ids(states, await _places(store, queue)))
    verdicts: Counter[str] = Counter()
    for at in range(0, len(suspected), BATCH):
        batch = suspected[at : at + BATCH]
        verdicts.update(await store.reconcile(queue, batch, repair=not dry_run))
    recounted = before == after != counted
    if recounted and not dry_run:
        recounted = await store.recount(queue, after, counted)
    return Repairs(
        queue=queue.name,
        dry_run=dry_run,
        jobs=len(states),
        requeued=verdicts["requeued"],
        restored=verdicts["restored"],
        removed=verdicts["removed"],
        recounted=recounted,
    )


async def _records(
    store: Store, queue: Queue
) -> tuple[UsageByShard, UsageByShard, UsageByShard, dict[str, str]]:
    """The stored counts before and after the survey, what it counted, and id -> state code."""
    before: UsageByShard | None = None
    counted, states = list[Usage](), dict[str, str]()
    while before is None or len(counted) < len(before):
        lengths, cursor, is_last = dict[str, int](), "0", False
        while not is_last:
            page = await store.survey(queue, len(counted), cursor)
            cursor, is_last = page.cursor, page.is_last
            before = before or page.stored
            # A hash that grows meanwhile may answer a record twice.
            states.update(page.states)
            lengths.update(page.lengths)
        counted.append(Usage(len(lengths), sum(lengths.values())))
    return before, page.stored, tuple(counted), states


async def _places(store: Store, queue: Queue) -> dict[str, set[str]]:
    """Id -> the lists and sets in which it stands."""
    places: dict[str, set[str]] = defaultdict(set)
    for part in PLACES:
        cursor, is_last = "0", False
        while not is_last:
            page = await store.survey(queue, part, cursor)
            cursor, is_last = page.cursor, page.is_last
            for job_id in page.states:
                places[job_id].add(part)
    return places


def _suspect_ids(states: Mapping[str, str], places: Mapping[str, set[str]]) -> Iterator[str]:
    """Ids whose record and places do not agree. An active job is among them: it stands nowhere but
    in its lease, which the script reads."""
    for job_id, state in states.items():
        standing = places.get(job_id, set())
        fits = len(standing) == 1 and standing <= _HOMES.get(state, _WAITING)
        if state and not fits:
            yield job_id
    yield from (job_id for job_id in places if job_id not in states)
