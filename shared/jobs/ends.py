"""The end of a job that is decided while its follow-ups are being stored: a note in its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .claim import Claim
from .history import add_to_history, read_history
from .outcome import Outcome

NAME = "end"
"""The name of the note in the history."""
End = Literal["done", "dead"]
"""Outcomes that have follow-ups. A cancelled job has none."""


class RefusedFollowUp(NamedTuple):
    """A queue that does not take a follow-up, and why."""

    queue: str
    why: str


class DecidedEnd(NamedTuple):
    """How a job ends. `mark` tells this end from any other, `at_ms` is the instant of the decision;
    `stored`: the names of the follow-ups that are stored; `missing`: why others are not."""

    kind: End
    mark: str
    at_ms: int
    stored: Sequence[str] = ()
    missing: RefusedFollowUp | None = None

    def detail(self) -> Mapping[str, Any]:
        """The note, as the detail of an outcome."""
        return {NAME: {name: value for name, value in self._asdict().items() if value}}


def read_end(history: str) -> DecidedEnd | None:
    """The decided end in a history; None where there is none, or it is damaged."""
    note = read_history(history).get(NAME)
    try:
        end = DecidedEnd(**(note or {}))
    except TypeError:
        return None
    return end if end.kind in ("done", "dead") and isinstance(end.at_ms, int) else None


def read_missing(history: Mapping[str, Any]) -> RefusedFollowUp | None:
    """Why follow-ups of a decided end are missing; None where none are, or the note is damaged."""
    note = history.get(NAME)
    match note.get("missing") if isinstance(note, dict) else None:
        case [str(queue), str(why)]:
            return RefusedFollowUp(queue, why)
    return None


def has_open_end(claim: Claim, outcome: Outcome) -> bool:
    """True if the job's end is decided and this outcome does not close it: follow-ups that are not
    stored yet are made of the history."""
    if outcome.kind in ("done", "dead", "cancelled"):
        return False
    return NAME in outcome.detail or (claim.decided and read_end(claim.history) is not None)


def without_end(claim: Claim) -> str:
    """The claim's history without the note."""
    return add_to_history(claim, Outcome("keep", detail={NAME: None}), 0)
