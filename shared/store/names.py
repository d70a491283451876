"""The names that callers' enqueues hold for a time (deduplication with a ttl, idempotency keys):
counted, and deleted by operators."""

from __future__ import annotations

from secrets import token_hex
from typing import NamedTuple

from ..declare.queue import Queue
from .keys import part
from .pages import PAGE
from .scripts import Calls
from .store import Store

START = "0"
"""The cursor of the first page."""


class PurgedNames(NamedTuple):
    """One page: how many names were deleted; the cursor of the next page, None after the last."""

    purged: int
    cursor: str | None


async def count_names(store: Store, queue: str) -> int:
    """All names of a queue, also those that hold until their job ends, and Tidegate's own."""
    return int(await store.rest.execute(["HLEN", part(store.prefix, queue, "dedup")], "names"))


async def purge_names_page(store: Store, queue: Queue, cursor: str = START) -> PurgedNames:
    """Delete the names of a page: those that callers hold for a time. A name that holds until its
    job ends goes with its job, and Tidegate's own names stay. Raises StoreError."""
    calls = Calls(store.rest, store.prefix, key_locking=store.key_locking)
    following, gone = await calls.run("purge_names", queue, cursor, PAGE, token_hex(6))
    return PurgedNames(int(gone), None if following == START else str(following))


async def purge_names(store: Store, queue: Queue) -> int:
    """The same for all of them, a page a request; answers how many went."""
    page = await purge_names_page(store, queue)
    total = page.purged
    while page.cursor is not None:
        page = await purge_names_page(store, queue, page.cursor)
        total += page.purged
    return total
