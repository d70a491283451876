"""The weather app's numbers are those of its document (requirements 001, tasks 2 and 4)."""

from __future__ import annotations

import pytest

from functions.apps.weather import app
from shared import RateLimit

from ..declared import QueueRequirement

COMPLETED, DEAD = (100, 604_800.0), (1000, 604_800.0)
RETRIES = (1.0, 5.0, 25.0)
REQUIRED = {
    "weather-ingestion": QueueRequirement(
        10, RETRIES, (60, 60.0), timeout=30, completed=COMPLETED, dead=DEAD
    ),
    "alert-fanout": QueueRequirement(
        20, RETRIES, None, "high", timeout=10, completed=COMPLETED, dead=DEAD
    ),
    "color-extraction": QueueRequirement(
        5, RETRIES, (5, 1.0), timeout=60, completed=COMPLETED, dead=DEAD
    ),
    "moderation-review": QueueRequirement(
        10, RETRIES, None, timeout=120, completed=COMPLETED, dead=DEAD
    ),
}


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_queue_has_the_numbers_of_the_requirements(name: str) -> None:
    REQUIRED[name].check(app.queues[name])


def test_every_queue_is_required_and_has_a_handler() -> None:
    assert set(app.queues) == set(REQUIRED)
    assert all(queue.types for queue in app.queues.values())


def test_openweather_s_own_limit_is_never_passed() -> None:
    # A bucket starts at most burst + rate in any window; a burst of 60 could pass 60 a minute.
    assert app.queues["weather-ingestion"].limit == RateLimit(60, per=60, burst=1)
