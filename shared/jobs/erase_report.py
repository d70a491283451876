"""The answer of an erasure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EraseReport:
    """The jobs with one option `key`. `deleted`: how many are gone, or with a dry run would be.
    `running`: the public ids of those that run; their cancellation is requested, and a repeat
    deletes them once they have ended. `rows`: how many rows of the archive."""

    deleted: int
    running: tuple[str, ...] = ()
    rows: int = 0

    def __add__(self, other: EraseReport) -> EraseReport:
        return EraseReport(
            self.deleted + other.deleted, self.running + other.running, self.rows + other.rows
        )
