"""The log of a job: the last lines that its handler wrote with `job.log(…)`, in its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .body import byte_length
from .history import rows, sanitize

NAME = "log"
"""The name in the history."""
MOST_LINES = 50
MOST_BYTES = 8 * 1024
"""Of all lines of a job together. The oldest go first."""
LONGEST_LINE = 500
"""Characters."""


class LogLine(NamedTuple):
    """One line: Unix milliseconds, the number of the attempt, the text."""

    at_ms: int
    attempt: int
    text: str


def read_log(history: dict[str, Any]) -> list[LogLine]:
    """The lines in a history, oldest first. What is damaged is left out."""
    return [LogLine(*line) for line in rows(history, NAME, [int, int, str])]


class Log:
    """The lines of a job that runs, those of its earlier attempts among them."""

    def __init__(self, lines: Sequence[LogLine]) -> None:
        self._lines = list(lines)

    def add(self, at_ms: int, attempt: int, text: str) -> None:
        """Add a line. Secrets and control characters in it are blanked."""
        self._lines.append(LogLine(at_ms, attempt, sanitize(text)[:LONGEST_LINE]))
        while len(self._lines) > MOST_LINES or _size(self._lines) > MOST_BYTES:
            del self._lines[0]

    def detail(self) -> dict[str, Any]:
        """All lines, as the detail of an outcome."""
        return {NAME: list(self._lines)} if self._lines else {}


def _size(lines: Sequence[LogLine]) -> int:
    return sum(byte_length(line.text) for line in lines)
