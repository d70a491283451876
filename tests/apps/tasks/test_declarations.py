"""The numbers of the nine queues are those of their document (requirements 003, story 1.6)."""

from __future__ import annotations

import pytest

from functions.apps import APPS
from functions.apps.tasks import app
from shared import KeyLimit, RateLimit

from ..declared import QueueRequirement

QUEUES = {
    "flrts:tasks:create",
    "flrts:tasks:update",
    "flrts:tasks:sync",
    "flrts:reminders:schedule",
    "flrts:reminders:send",
    "flrts:telegram:outbound",
    "flrts:telegram:command",
    "flrts:openproject:sync",
    "flrts:openproject:webhook",
}
REQUIRED = QueueRequirement(
    concurrency=10,
    waits=(2.0, 4.0),
    limit=(100, 60.0),
    timeout=30,
    completed=(100, 3600.0),
    dead=(500, 86_400.0),
)


@pytest.mark.parametrize("name", sorted(QUEUES))
def test_a_queue_has_the_numbers_of_the_requirements(name: str) -> None:
    REQUIRED.check(app.queues[name.replace(":", ".")])


def test_every_queue_is_required_and_has_a_handler() -> None:
    assert {name.replace(".", ":") for name in app.queues} == QUEUES
    assert all(queue.types for queue in app.queues.values())


def test_the_application_is_served() -> None:
    assert app in APPS


@pytest.mark.parametrize("name", sorted(QUEUES))
def test_what_people_write_is_encrypted(name: str) -> None:
    assert app.queues[name.replace(":", ".")].encrypt is True


def test_each_user_may_do_ten_things_of_a_kind_a_minute() -> None:
    of_users = {"tasks.create", "tasks.update", "reminders.schedule", "telegram.command"}
    ten_a_minute = KeyLimit(rate=RateLimit(10, per=60))
    for name, queue in app.queues.items():
        asked_by_a_user = name.removeprefix("flrts.") in of_users
        assert queue.per_key == (ten_a_minute if asked_by_a_user else None)
