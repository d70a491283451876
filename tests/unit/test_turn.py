"""A turn as values: what fits into one, and what is understood of a claim."""

from __future__ import annotations

import pytest

from shared.jobs.claim import Claim
from shared.store.turn import MOST_TAILS, Settle, read_claim, that_fit
from tests.support.records import record

HALF = MOST_TAILS // 2


@pytest.mark.parametrize(
    ("tails", "fit"),
    [
        ([], 0),
        ([0, 0, 0], 3),
        ([HALF, HALF, 0], 3),
        ([HALF, HALF, 1], 2),
        ([HALF, HALF + 1, 0], 1),
        ([MOST_TAILS + 1, 0], 1),
    ],
    ids=["none", "empty", "exactly", "one-too-many", "a-byte-too-many", "larger-than-all"],
)
def test_as_many_results_are_settled_at_once_as_fit_and_always_one(
    tails: list[int], fit: int
) -> None:
    assert that_fit([Settle("a 1 o 1 0", "done", tail="x" * size) for size in tails]) == fit


@pytest.mark.parametrize(("solo", "told"), [("1", True), ("0", False)])
def test_a_claim_is_read_from_its_lease_and_its_record(solo: str, *, told: bool) -> None:
    raw = record(attempts=2, crashes=1, key="k", flags="f", body="the body", tail="{}")

    claim = read_claim("q", f"a 3 o 7 {solo}", raw)

    assert claim == Claim(
        f"a 3 o 7 {solo}", "a", 3, "q", 2, 1, told, "the body", "{}", foreign=True, key="k"
    )


@pytest.mark.parametrize("raw", ["no record", b"\xff\xfe"])
@pytest.mark.parametrize(("solo", "told"), [("1", True), ("0", False)])
def test_a_record_that_can_not_be_read_is_claimed_as_a_body_that_nobody_understands(
    raw: str | bytes, solo: str, *, told: bool
) -> None:
    claim = read_claim("q", f"a 3 o 7 {solo}", raw)

    body = raw if isinstance(raw, bytes) else raw.encode()
    assert claim == Claim(f"a 3 o 7 {solo}", "a", 3, "q", 0, 0, told, body, "")
