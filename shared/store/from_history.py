"""The parts of a job's history: its errors, its result, its progress, its runs and its log."""

from __future__ import annotations

from typing import Any

from ..jobs.history import JobRun, read_runs
from ..jobs.log import LogLine, read_log


class FromHistory:
    """The parts of a record that are read from its `history`, a mapping of JSON values."""

    __slots__ = ()
    history: dict[str, Any]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The failed attempts that are kept, oldest first."""
        errors = self.history.get("errors")
        return [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []

    @property
    def result(self) -> Any:
        """What its handler returned, as JSON has it; None before its end."""
        return self.history.get("result")

    @property
    def result_error(self) -> str | None:
        """Why its result could not be kept."""
        error = self.history.get("result_error")
        return None if error is None else str(error)

    @property
    def progress(self) -> float | None:
        """The last progress that its handler reported, 0 to 100."""
        progress = self.history.get("progress")
        return progress if isinstance(progress, int | float) else None

    @property
    def runs(self) -> list[JobRun]:
        """The last runs of its handler that ended in a living function, oldest first."""
        return read_runs(self.history)

    @property
    def log(self) -> list[LogLine]:
        """The last lines that its handler wrote with `job.log(…)`, oldest first."""
        return read_log(self.history)

    @property
    def note(self) -> str | None:
        """The note of that report."""
        note = self.history.get("note")
        return None if note is None else str(note)
