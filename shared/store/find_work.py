"""The queues that have something in some of their parts, found with few commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import keys
from .scripts import Calls, script
from .split import by_size

MOST_NAME_BYTES = 4 * 2**20
"""Names of keys in one request, below the store's size limit."""


async def find_work(calls: Calls, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """The queues of which any of these parts exists. One plain read for as many as a request has
    room for (some 10,000), and a search where that finds something. Raises StoreError."""
    names = [(queue, keys.parts(calls.prefix, queue, some)) for queue, some in parts.items()]
    found = list[str]()
    for batch in by_size(
        names, lambda one: sum(map(len, one[1])), most=len(names), most_size=MOST_NAME_BYTES
    ):
        flat = [name for _, some in batch for name in some]
        if int(await calls.rest.execute(["EXISTS", *flat], "sweep")):
            found += await _search(calls, batch)
    return found


async def _search(calls: Calls, names: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Those of these queues of which any key exists. One script: a command for each thousand keys,
    and for each queue that is found as many as halvings lead to it, at most one a queue."""
    flat, counts = [name for _, some in names for name in some], [len(some) for _, some in names]
    find = script("find", key_locking=calls.key_locking)
    (answers,) = (await find.send(calls.rest, flat, counts)).value
    return [queue for (queue, _), answer in zip(names, answers, strict=True) if answer == "1"]
