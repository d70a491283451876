"""A folder by which a step and the jobs of its application know of each other: a held job says that
it runs, and runs until the step releases it. So a step never guesses how long something takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .checks import wait_for


@dataclass(frozen=True, slots=True)
class Marks:
    """What app/rehearsal.py finds under REHEARSAL_MARKS."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a function needs to find them."""
        return {"REHEARSAL_MARKS": str(self.folder)}

    def wait_until_runs(self, *names: str) -> None:
        """Until the handlers of all these held jobs have been entered."""
        for name in names:
            mark = self.folder / f"runs-{name}"
            wait_for(mark.exists, what=f"the job {name!r} to run")

    def release(self) -> None:
        """Let all held jobs end, those that start later too."""
        (self.folder / "released").touch()
