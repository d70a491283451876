"""Durations by job type: a histogram whose buckets grow by half, from 1 ms on.

The scripts add observations up (lua/lib/histogram.lua); here they are made and read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BUCKETS = 36
GROWTH = 1.5
LEARNED = 20
"""Observations below which a type counts as not learned yet."""


_EDGES = [GROWTH**step / 1000 for step in range(BUCKETS)]


def bucket_of(seconds: float) -> int:
    """The bucket, 1 to BUCKETS, whose upper edge is the first not below `seconds`."""
    return min(BUCKETS, bisect_left(_EDGES, seconds) + 1)


def edge_of(bucket: int) -> float:
    """The upper edge of a bucket in seconds."""
    return _EDGES[bucket - 1]


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Seconds within which `share` of the observed jobs ended (the bucket's edge), or None before
    LEARNED observations."""
    total = sum(counts)
    if total < LEARNED:
        return None
    seen = 0
    for bucket, count in enumerate(counts, start=1):
        seen += count
        if seen >= total * share:
            return edge_of(bucket)
    return edge_of(BUCKETS)


def mean(counts: Sequence[int]) -> float | None:
    """The average in seconds, taking each bucket's middle; None where nothing was observed."""
    total = sum(counts)
    if not total:
        return None
    return (
        sum(
            n * (edge_of(i) + (edge_of(i - 1) if i > 1 else 0)) / 2
            for i, n in enumerate(counts, start=1)
        )
        / total
    )
