"""The answers of the scripts that a repair needs, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

REPAIRS: Mapping[str, str] = {"-": "sound", "q": "requeued", "s": "restored", "r": "removed"}
"""What reconcile.lua answers for an id, by code (lua/lib/codes.lua)."""


class Usage(NamedTuple):
    """Jobs of a queue, and the bytes of their ids and records."""

    jobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SurveyPage:
    """One page. `states`: id -> state code, "" for a damaged record and in every part but the
    records. `lengths`: id -> bytes of id and record. `stored`: what the queue counts at this
    moment."""

    cursor: str
    stored: Usage
    states: dict[str, str]
    lengths: dict[str, int]

    @property
    def is_last(self) -> bool:
        return self.cursor == "0"


def read_survey(part: str, reply: list[Any]) -> SurveyPage:
    """The answer of survey.lua."""
    cursor, jobs, size, *flat = reply
    stored = Usage(int(jobs), int(size))
    if part != "records":
        return SurveyPage(cursor, stored, dict.fromkeys(flat, ""), {})
    ids, states, lengths = flat[::3], flat[1::3], flat[2::3]
    return SurveyPage(
        cursor, stored, dict(zip(ids, states, strict=True)), dict(zip(ids, lengths, strict=True))
    )
