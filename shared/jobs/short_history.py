"""Short histories: what is stored of a job's course where its queue holds nearly as many bytes as
the store takes. A settle that does not fit would stop the queue, so the history gives way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from .ends import NAME as END
from .history import ENCRYPTED, RUNS, read_history
from .log import NAME as LOG

HistoryLevel = Literal["full", "short", "minimal"]
"""How much of a history is stored: all; the last error and run, and small values; or only what
decides how the job goes on."""
LONGEST_TEXT = 200
"""Characters of a text in a short history, and of the JSON of a result."""
LONGEST_OF_MINIMAL = 60
"""Characters of a text in a minimal history."""
CUT = " […]"
"""Ends a text that was cut."""
NO_RESULT = "not kept: the jobs of its queue have nearly all the bytes that the store takes"
NOT_KEPT = "not kept"
"""The same in a minimal history, where each byte counts."""
DECIDING = frozenset({
    *("cuts", "cut_after", "parks", "snoozed_since", "misfit_since", END, "parked", "progress"),
    ENCRYPTED,
})  # fmt: skip
"""What the next function has to know. An encrypted part is there only if this function could not
decrypt it: nobody here knows what it holds, and cut it would be lost for everybody."""


def shorten_history(text: str, level: HistoryLevel) -> str:
    """The history as this level has it: as text, before it is encrypted."""
    if level == "full" or not text:
        return text
    history = read_history(text)
    return _json(_short(history) if level == "short" else _minimal(history))


def _short(history: Mapping[str, Any]) -> dict[str, Any]:
    short = {
        name: _cut_field(name, value, LONGEST_TEXT)
        for name, value in history.items()
        if name != LOG
    }
    for name in (RUNS, "errors"):
        if isinstance(last := history.get(name), list) and last:
            short[name] = [_error(last[-1], LONGEST_TEXT) if name == "errors" else last[-1]]
    if len(_json({"": history.get("result")})) > LONGEST_TEXT:
        del short["result"]
        short["result_error"] = NO_RESULT
    return short


def _minimal(history: Mapping[str, Any]) -> dict[str, Any]:
    minimal = {
        name: _cut_field(name, value, LONGEST_OF_MINIMAL)
        for name, value in history.items()
        if name in DECIDING
    }
    if END in history:  # its follow-ups are made of these
        errors = history.get("errors")
        if isinstance(errors, list) and errors:
            minimal["errors"] = [_error(errors[-1], LONGEST_OF_MINIMAL)]
        result = history.get("result")
        if result is not None and len(_json({"": result})) <= LONGEST_TEXT:
            return {**minimal, "result": result}
    if "result" in history or "result_error" in history:  # a result of None is in no history
        minimal["result_error"] = NOT_KEPT
    return minimal


def _error(error: Any, longest: int) -> Any:
    if not isinstance(error, dict):
        return None
    names = ("at", "attempt", "type", "message")
    return {name: _cut(error[name], longest) for name in names if name in error}


def _cut_field(name: str, value: Any, longest: int) -> Any:
    if name == ENCRYPTED:
        return value
    if (
        name == END
        and isinstance(value, dict)
        and isinstance(missing := value.get("missing"), list)
    ):
        return {**value, "missing": [_cut(part, longest) for part in missing]}
    return _cut(value, longest)


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return value[: longest - len(CUT)] + CUT
    return value


def _json(history: Mapping[str, Any]) -> str:
    return json.dumps(history, separators=(",", ":"), ensure_ascii=False) if history else ""
