"""Scripts with a bug in them, and the hunt for it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from shared.store import scripts
from tests.simulation.server import Server
from tests.simulation.story import STORY_STEPS, Tally, simulate

from .bugs import Bug
from .named import told_by_stories

LUA = scripts.FOLDER
SEEDS = 4
HUNG = "the script never ends"


class BugDoesNotApplyError(AssertionError):
    """The script has changed: mend the bug's text."""


def planted(bug: Bug) -> dict[str, str]:
    """Every verb's script, composed with the bug in its file."""
    text = (LUA / bug.file).read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise BugDoesNotApplyError(f"{bug.name}: {bug.old!r} is {text.count(bug.old)} times there")
    return composed(bug.file, text.replace(bug.old, bug.new))


def composed(file: str, text: str) -> dict[str, str]:
    """Every verb's script with one file's text replaced."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "lua"
        shutil.copytree(LUA, copied)
        (copied / file).write_text(text, encoding="utf-8")
        with mock.patch.object(scripts, "FOLDER", copied):
            return {name: scripts.compose(name) for name in scripts.names()}


@dataclass(frozen=True, slots=True)
class Kill:
    """What became of a bug. `reason` is empty when it survived."""

    reason: str
    seed: int
    steps: int


class Hunter:
    """Simulates scripts with bugs; a server that one of them has hung is replaced."""

    def __init__(self) -> None:
        self._server = Server()

    def hunt(self, bodies: dict[str, str], *, seeds: int = SEEDS, steps: int = STORY_STEPS) -> Kill:
        """Stories until one fails."""
        done = 0
        for seed in range(1, seeds + 1):
            tally = Tally()
            try:
                failure = simulate(
                    self._server, seed, steps, bodies=bodies, tally=tally, shrinking=False
                )
                reason = failure.reason if failure else ""
            except TimeoutError:
                self._server.kill()
                self._server = Server()
                reason = HUNG
            except Exception as error:  # noqa: BLE001 - an answer so wrong that nobody can read it
                reason = f"unreadable: {type(error).__name__} {error}"
            done += tally.steps
            if reason:
                return Kill(reason, seed, done)
        return Kill(self._directed(bodies), 0, done)

    def _directed(self, bodies: dict[str, str]) -> str:
        try:
            return told_by_stories(self._server, bodies)
        except TimeoutError:
            self._server.kill()
            self._server = Server()
            return HUNG
        except Exception as error:  # noqa: BLE001 - as below
            return f"unreadable: {type(error).__name__} {error}"

    def close(self) -> None:
        self._server.close()
