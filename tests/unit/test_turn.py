"""A turn as values: what fits into one, and what is understood of a claim."""

from __future__ import annotations

import pytest

from shared.jobs.claim import Claim
from shared.store.turn import MOST_HISTORY, Settle, count_that_fit, read_claim
from tests.support.records import record

HALF = MOST_HISTORY // 2


@pytest.mark.parametrize(
    ("sizes", "fit"),
    [
        ([], 0),
        ([0, 0, 0], 3),
        ([HALF, HALF, 0], 3),
        ([HALF, HALF, 1], 2),
        ([HALF, HALF + 1, 0], 1),
        ([MOST_HISTORY + 1, 0], 1),
    ],
    ids=["none", "empty", "exactly", "one-too-many", "a-byte-too-many", "larger-than-all"],
)
def test_as_many_results_are_settled_at_once_as_fit_and_always_one(
    sizes: list[int], fit: int
) -> None:
    assert (
        count_that_fit([Settle("a 1 o 1 0", "done", history="x" * size) for size in sizes]) == fit
    )


@pytest.mark.parametrize(("exclusive", "expected"), [("1", True), ("0", False)])
def test_a_claim_is_read_from_its_lease_and_its_record(exclusive: str, *, expected: bool) -> None:
    raw = record(attempts=2, crashes=1, key="k", flags="f", body="the body", history="{}")

    claim = read_claim("q", f"a 3 o 7 {exclusive}", raw)

    assert claim == Claim(
        f"a 3 o 7 {exclusive}", "a", 3, "q", 2, 1, expected, "the body", "{}", foreign=True, key="k"
    )


@pytest.mark.parametrize("raw", ["no record", b"\xff\xfe"])
@pytest.mark.parametrize(("exclusive", "expected"), [("1", True), ("0", False)])
def test_an_unreadable_record_is_claimed_as_a_foreign_body(
    raw: str | bytes, exclusive: str, *, expected: bool
) -> None:
    claim = read_claim("q", f"a 3 o 7 {exclusive}", raw)

    body = raw if isinstance(raw, bytes) else raw.encode()
    assert claim == Claim(f"a 3 o 7 {exclusive}", "a", 3, "q", 0, 0, expected, body, "")
