"""The erasure of the jobs with one option `key`: in the store, then in the archive. The one path,
for `App.erase` and `tidegate jobs erase`."""

from __future__ import annotations

from collections.abc import Sequence

from ..jobs.erase_report import EraseReport
from .default_store import archived_rows, default_store
from .queue import Queue


async def erase(
    queues: Sequence[Queue], key: str, *, dry_run: bool = False, undeclared: bool = False
) -> EraseReport:
    """Delete the jobs of these queues that have this key, and their rows of the archive, if there
    is one. The rows come last: what died meanwhile may have moved there. `undeclared`: also the
    rows of queues that are declared no more. Raises InvalidOption, StoreError and ArchiveError; a
    repeat goes on where it stopped."""
    total, store = EraseReport(0), default_store()  # that of the loop it runs in
    for queue in queues:
        total += await store.erase(queue, key, dry_run=dry_run)
    names = None if undeclared else [queue.name for queue in queues]
    return total + EraseReport(0, rows=await archived_rows()(key, names, dry_run))
