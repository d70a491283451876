"""The label of a settle: what events tell of its job beside the numbers that the store has."""

from __future__ import annotations

from typing import Any

from ..jobs.body import decode_body, decode_foreign
from ..jobs.claim import Claim
from ..jobs.history import read_history
from ..jobs.outcome import Outcome

_NONE, _LONGEST_TYPE = "-", 64


def label_of(claim: Claim, outcome: Outcome, history: str) -> str:
    """Progress and type of the job of an outcome. Nothing else that a job carries is in it.
    `history`: the one that the settle stores. Its progress may be of an earlier attempt or turn,
    which an end tells as the job's state does; a job that still runs tells only what is new."""
    reported = outcome.detail if outcome.kind == "keep" else read_history(history)
    return f"{_progress(reported.get('progress'))} {_type(claim)}"


def _progress(value: Any) -> str:
    ok = isinstance(value, int | float) and 0 <= value <= 100
    return f"{value:.6g}" if ok else _NONE


def _type(claim: Claim) -> str:
    """A foreign producer's own text is told only if it might be the name of a type."""
    try:
        name = decode_foreign(claim.body)[0] if claim.foreign else decode_body(claim.body).type
    except ValueError:
        return _NONE
    return name if 0 < len(name) <= _LONGEST_TYPE and name.isprintable() else _NONE
