"""Things in batches that fit a request: by their number and by their size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def by_size(
    items: Iterable[T], size: Callable[[T], int], *, most: int, most_size: int
) -> Iterator[list[T]]:
    """Batches of at most `most` items, whose sizes together are at most `most_size`, in order, none
    of them empty. An item that is larger is a batch by itself."""
    batch, total = list[T](), 0
    for item in items:
        length = size(item)
        if batch and (len(batch) == most or total + length > most_size):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += length
    if batch:
        yield batch
