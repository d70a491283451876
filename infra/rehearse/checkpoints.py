"""A checkpoint folder between a step and the jobs of its application. A held job creates a file
when it runs, and ends when the step creates another. So no step depends on a duration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .checks import wait_for


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The folder that app/rehearsal.py reads from REHEARSAL_CHECKPOINTS."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment variable for the function."""
        return {"REHEARSAL_CHECKPOINTS": str(self.folder)}

    def wait_until_runs(self, *names: str) -> None:
        """Wait until the handlers of all these held jobs run."""
        for name in names:
            file = self.folder / f"runs-{name}"
            wait_for(file.exists, what=f"the job {name!r} to run")

    def release(self) -> None:
        """End all held jobs, also those that start later."""
        (self.folder / "released").touch()
