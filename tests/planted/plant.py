"""The hunt for a bug that a test has planted in the scripts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from unittest import mock

from shared.store import compose
from tests.simulation.server import Server
from tests.simulation.story import STORY_STEPS, Tally, simulate

from .named import failing_story

T = TypeVar("T")
LUA = compose.FOLDER
SEEDS = 4
HUNG = "the script never ends"


def composed(file: str, text: str) -> dict[str, str]:
    """Every verb's script with one file's text replaced."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "lua"
        shutil.copytree(LUA, copied)
        (copied / file).write_text(text, encoding="utf-8")
        with mock.patch.object(compose, "FOLDER", copied):
            return {verb: compose.compose(verb) for verb in compose.verbs()}


@dataclass(frozen=True, slots=True)
class Kill:
    """How a bug was found: a broken invariant or a failed story, and the steps that it took.
    `reason` is empty when the bug survived."""

    reason: str
    seed: int
    steps: int


class Hunter:
    """Runs scripts with bugs in the simulator. A server that hangs in a script is replaced."""

    def __init__(self) -> None:
        self._server = Server()

    def use(self, work: Callable[[Server], T]) -> T:
        """Do something else with the same server."""
        return work(self._server)

    def hunt(self, bodies: dict[str, str], *, seeds: int = SEEDS, steps: int = STORY_STEPS) -> Kill:
        """Random stories, then the directed ones, until one fails."""
        done = 0
        for seed in range(1, seeds + 1):
            tally = Tally()
            reason = self._reason(partial(_random, seed, steps, bodies, tally))
            done += tally.steps
            if reason:
                return Kill(reason, seed, done)
        return Kill(self._reason(partial(failing_story, bodies=bodies)), 0, done)

    def _reason(self, attempt: Callable[[Server], str]) -> str:
        try:
            return attempt(self._server)
        except TimeoutError:
            self._server.kill()
            self._server = Server()
            return HUNG
        except Exception as error:  # noqa: BLE001 - an answer so wrong that it can't be read
            return f"unreadable: {type(error).__name__} {error}"

    def close(self) -> None:
        self._server.close()


def _random(seed: int, steps: int, bodies: dict[str, str], tally: Tally, server: Server) -> str:
    failure = simulate(server, seed, steps, bodies=bodies, tally=tally, shrinking=False)
    return failure.reason if failure else ""
