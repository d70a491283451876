"""Event loops that come and go: each has a store of its own, and none leaves a descriptor open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

FEW = 40
"""Descriptors of an idle process, and of its last event loop."""


@pytest.mark.parametrize(
    ("way", "times", "answers"),
    [
        ("loop-after-loop", 1500, {"waiting": 1500}),
        ("api", 50, {"202": 50}),
        ("threads", 500, {"waiting": 500}),
        ("sync-handlers", 1300, {"done": 2600}),
        ("loops-in-handlers", 1300, {"done": 2600}),
    ],
)
def test_a_process_with_256_descriptors_enqueues_as_often_as_it_likes(
    environment: Callable[..., None], way: str, times: int, answers: dict[str, int]
) -> None:
    environment("local")

    run = subprocess.run(
        [sys.executable, "-m", "tests.functions.loops", way, str(times)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["answers"] == answers, run.stderr
    assert result["descriptors"] < FEW
