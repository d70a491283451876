"""The answers of the scripts that a repair needs, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .usage import UsageByShard, read_usage

REPAIRS: Mapping[str, str] = {"-": "sound", "q": "requeued", "s": "restored", "r": "removed"}
"""What reconcile.lua answers for an id, by code (lua/lib/codes.lua)."""


class SurveyPage(NamedTuple):
    """One page. `states`: id -> state code, "" for a damaged record and where `part` is
    a list or set. `lengths`: id -> bytes of id and record. `stored`: what the queue counts at this
    moment."""

    cursor: str
    stored: UsageByShard
    states: dict[str, str]
    lengths: dict[str, int]

    @property
    def is_last(self) -> bool:
        return self.cursor == "0"


def read_survey(part: str | int, reply: list[Any]) -> SurveyPage:
    """The answer of survey.lua."""
    cursor, usage, *flat = reply
    stored = read_usage(usage)
    if isinstance(part, str):
        return SurveyPage(cursor, stored, dict.fromkeys(flat, ""), {})
    ids, states, lengths = flat[::3], flat[1::3], flat[2::3]
    return SurveyPage(
        cursor, stored, dict(zip(ids, states, strict=True)), dict(zip(ids, lengths, strict=True))
    )
