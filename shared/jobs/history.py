"""A job's history: its last errors and runs, its result and its progress, as stored behind the
body."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from .claim import Claim
from .outcome import Outcome
from .redact import redacted_start

RUNS, MOST_RUNS = "runs", 20
"""The name of the runs, and how many are kept: the oldest go first."""
ENCRYPTED = "encrypted"
"""The name of the part that is encrypted, in the histories of encrypted jobs: `label base64`."""
RUN = "run"
"""The name in an outcome's detail of the run that ended with it, a `JobRun`."""
ERRORS_KEPT = 5
TEXT_KEPT = 2_000


class JobRun(NamedTuple):
    """One run of a handler. `attempt`: the number of the attempt that it was; Unix milliseconds;
    `outcome`: done, retry, dead, release, snooze, park or cancelled."""

    attempt: int
    began_ms: int
    ended_ms: int
    outcome: str


def sanitize(text: str) -> str:
    """Text that any sink can hold: capped, valid Unicode, no control characters but newline and
    tab, no secret of this process."""
    capped = redacted_start(text, TEXT_KEPT).encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in capped)


def add_to_history(claim: Claim, outcome: Outcome, at_ms: int) -> str:
    """The claim's history with this outcome in it: its error and its run beside earlier ones, and
    all else in the place of what was there."""
    detail = dict(outcome.detail)
    run: JobRun | None = detail.pop(RUN, None)
    if not detail and run is None:
        return claim.history
    if not detail and not claim.history and run is not None:  # mostly: no JSON is read or written
        attempt, began_ms, ended_ms, kind = run
        return f'{{"{RUNS}":[[{attempt},{began_ms},{ended_ms},"{kind}"]]}}'
    history = read_history(claim.history)
    if run is not None:
        history[RUNS] = [*read_runs(history), run][-MOST_RUNS:]
    error = detail.pop("error", None)
    if error is not None:
        entry = {"at": at_ms, "attempt": claim.attempt, **error}
        before = history.get("errors")
        history["errors"] = [*(before if isinstance(before, list) else ()), entry][-ERRORS_KEPT:]
    history.update(detail)
    history = {name: value for name, value in history.items() if value is not None}
    return json.dumps(history, separators=(",", ":"), ensure_ascii=False) if history else ""


def read_history(text: str) -> dict[str, Any]:
    """The history as a mapping. A damaged one reads as empty."""
    try:
        history = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return history if isinstance(history, dict) else {}


def read_runs(history: dict[str, Any]) -> list[JobRun]:
    """The runs in a history, oldest first. What is damaged is left out."""
    return [JobRun(*run) for run in rows(history, RUNS, [int, int, int, str])]


def number(history: dict[str, Any], name: str) -> float:
    """A number of the history; 0 where there is none."""
    value = history.get(name)
    return value if isinstance(value, int | float) and math.isfinite(value) else 0


def rows(history: dict[str, Any], name: str, types: list[type]) -> list[list[Any]]:
    """A list of rows of these types, oldest first. What is damaged is left out."""
    value = history.get(name)
    return [
        row
        for row in (value if isinstance(value, list) else ())
        if isinstance(row, list) and [type(part) for part in row] == types
    ]
