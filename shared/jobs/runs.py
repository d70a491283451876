"""The runs of a job: when its handler began and ended, and how, in its history."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .history import read_history, rows

NAME = "runs"
"""The name in the history."""
MOST_RUNS = 20
"""The oldest go first."""


class JobRun(NamedTuple):
    """One run of a handler. `attempt`: the number of the attempt that it was; Unix milliseconds;
    `outcome`: done, retry, dead, release, snooze, park or cancelled."""

    attempt: int
    began_ms: int
    ended_ms: int
    outcome: str


def read_runs(history: dict[str, Any]) -> list[JobRun]:
    """The runs in a history, oldest first. What is damaged is left out."""
    return [JobRun(*run) for run in rows(history, NAME, [int, int, int, str])]


def with_run(history: str, run: JobRun) -> str:
    """The text of the history with one more run."""
    if not history:  # nearly always: no JSON is read or written
        attempt, began_ms, ended_ms, outcome = run
        return f'{{"{NAME}":[[{attempt},{began_ms},{ended_ms},"{outcome}"]]}}'
    stored = read_history(history)
    stored[NAME] = [*read_runs(stored), run][-MOST_RUNS:]
    return json.dumps(stored, separators=(",", ":"), ensure_ascii=False)
