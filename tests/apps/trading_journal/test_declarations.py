"""The journal's numbers are those of its requirements, and loading it stays cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from functions.apps import APPS
from functions.apps.trading_journal import app

from ..declared import QueueRequirement

ROOT = Path(__file__).parents[3]

WEEK = 7 * 86_400.0
REQUIRED = {
    "broker-sync": QueueRequirement(
        2, (5.0, 10.0, 20.0, 40.0), (10, 60.0), "high", completed=(100, WEEK), dead=(1000, WEEK)
    ),
    "ai": QueueRequirement(5, (1.0, 2.0), (20, 60.0), "normal"),
    "import": QueueRequirement(3, (2.0, 4.0), (5, 60.0), "normal"),
    "email": QueueRequirement(10, (5.0, 5.0), (100, 60.0), "low"),
    "default": QueueRequirement(5, (1.0, 2.0), None, "low"),
}


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_queue_has_the_numbers_of_the_requirements(name: str) -> None:
    REQUIRED[name].check(app.queues[name])


def test_every_declared_queue_is_required_and_has_a_handler() -> None:
    assert set(app.queues) == set(REQUIRED)
    assert all(queue.types for queue in app.queues.values())
    assert {name for queue in app.queues.values() for name in queue.types} == {
        "ai.analysis",
        "ai.embeddings",
        "ai.feedback",
        "broker.sync",
        "csv.import",
        "email.send",
        "trade.record",
    }


def test_the_application_is_served() -> None:
    assert app in APPS
    assert app.name == "trading-journal"


def test_loading_the_application_brings_pydantic_and_shared_only() -> None:
    # Any application with one payload model and one handler is the measure.
    smallest = """
import asyncio, sys
from pydantic import BaseModel, Field
from shared import App
class Payload(BaseModel):
    name: str = Field(pattern="^a$")
@App("a").queue("q").job("t")
def handler(payload: Payload) -> None: ...
before = set(sys.modules)
import functions.apps.trading_journal
print(*sorted(set(sys.modules) - before))
"""

    done = subprocess.run(
        [sys.executable, "-c", smallest], cwd=ROOT, capture_output=True, text=True, check=True
    )

    own = {"rows", "payloads", "queues", "handlers"}
    loaded = {name for name in done.stdout.split() if not name.startswith("pydantic")}
    rooms = {name.rpartition(".")[2] for name in loaded if ".trading_journal." in name}
    assert rooms == own
    assert all(name.startswith(("functions", "shared")) for name in loaded), loaded
