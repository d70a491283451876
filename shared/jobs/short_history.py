"""Short histories: what is kept of a job's course where its queue holds nearly as many bytes as the
store takes. A settle that does not fit would stop the queue, so the history gives way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from .history import RUNS, read_history
from .log import NAME as LOG

Kept = Literal["whole", "short", "least"]
"""How much of a history is kept: all; the last error and run, and small values; or only what
decides how the job goes on, and what makes its record no longer."""
LONGEST_TEXT = 200
"""Characters of a text in a short history, and of the JSON of a result."""
CUT = " […]"
"""Ends a text that was cut."""
NO_RESULT = "not kept: the jobs of its queue have nearly all the bytes that the store takes"
NOT_KEPT = "not kept"
"""The same in the least history, where each byte counts."""
DECIDING = frozenset({
    *("cuts", "cut_after", "parks", "snoozed_since", "misfit_since", "end", "parked", "progress"),
})  # fmt: skip
"""What the next function has to know."""


def shorten_history(text: str, kept: Kept, before: str) -> str:
    """The history to store in place of `before`, the stored one."""
    if kept == "whole" or not text:
        return text
    history = _short(read_history(text))
    short = _json(history)
    if kept == "short" or len(short) <= len(before):
        return short
    least = {name: value for name, value in history.items() if name in DECIDING}
    if "result" in history or "result_error" in history:  # a result of None is in no history
        least["result_error"] = NOT_KEPT
    return _json(least)


def _short(history: Mapping[str, Any]) -> dict[str, Any]:
    short = {name: _cut(value) for name, value in history.items() if name != LOG}
    for name in (RUNS, "errors"):
        if isinstance(last := history.get(name), list) and last:
            short[name] = [_error(last[-1]) if name == "errors" else last[-1]]
    if len(_json({"": history.get("result")})) > LONGEST_TEXT:
        del short["result"]
        short["result_error"] = NO_RESULT
    return short


def _error(error: Any) -> Any:
    if not isinstance(error, dict):
        return None
    names = ("at", "attempt", "type", "message")
    return {name: _cut(error[name]) for name in names if name in error}


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - len(CUT)] + CUT
    return value


def _json(history: Mapping[str, Any]) -> str:
    return json.dumps(history, separators=(",", ":"), ensure_ascii=False) if history else ""
