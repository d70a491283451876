"""How many stored jobs need each encryption key."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from ..declare.queue import Queue
from ..encryption.jobs import name_key
from ..encryption.keyring import key_name
from .codec import State
from .store import Store

PAGE = 500


async def count_by_key(store: Store, queue: Queue) -> Counter[str]:
    """Jobs by the name of a key that decrypts them or made their deduplication name; a job with two
    keys counts for both, a plain one under "". Costs a request for 500 jobs; jobs that move
    meanwhile may be counted twice or not at all. Raises StoreError."""
    counts = Counter[str]()
    for state in get_args(State):
        first, full = 0, True
        while full:
            rows = await store.list_jobs(queue, state, first=first, most=PAGE)
            first, full = first + len(rows), len(rows) == PAGE
            for row in rows:
                dedup = row.header.dedup if row.header else ""
                counts.update(
                    {key_name(row.encryption), name_key(dedup) or key_name(row.encryption)}
                )
    return counts
