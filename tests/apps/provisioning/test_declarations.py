"""The queue's numbers are those of its document (requirements 002)."""

from __future__ import annotations

from functions.apps import APPS
from functions.apps.provisioning import app

from ..declared import QueueRequirement


def test_the_queue_has_the_numbers_of_the_requirements() -> None:
    assert set(app.queues) == {"provisioning"}
    QueueRequirement(
        concurrency=5,
        waits=(5.0, 10.0),
        limit=(10, 1.0),
        completed=(1000, 86_400.0),
        dead=(1_000_000, 604_800.0),
    ).check(app.queues["provisioning"])


def test_the_application_is_served() -> None:
    assert app in APPS
