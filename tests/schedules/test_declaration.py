"""Schedules that can't work are refused where they are declared."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from shared import App, ConfigurationError
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.errors import UnknownSchedule
from shared.schedules.occurrences import first_after
from tests.support.values import Number


async def handle(_payload: Number) -> None: ...


class Other(BaseModel):
    """The model of another job type."""


@pytest.fixture
def job_type() -> JobType[Number]:
    return App("app").queue("q").job("t")(handle)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give cron or every"),
        ({"cron": "* * * * *", "every": 5}, "give cron or every"),
        ({"cron": ""}, "is never due"),
        ({"cron": "0 7 * *"}, "is never due; write minute, hour"),
        ({"cron": "* * * * * *"}, "is never due"),
        ({"cron": "0 25 * * *"}, "is never due"),
        ({"cron": "0 0 30 2 *"}, "is never due"),
        ({"cron": "@reboot"}, "is never due; .* @daily"),
        ({"cron": "0 7 * * *", "timezone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"cron": "0 7 * * *", "timezone": "../etc/passwd"}, "no time zone"),
        ({"cron": "0 7 * * *", "timezone": ""}, "no time zone"),
        ({"every": 0}, "every is 1 to"),
        ({"every": 0.5}, "every is 1 to"),
        ({"every": float("nan")}, "every is 1 to"),
        ({"every": 1e9}, "every is 1 to"),
        ({"every": 60, "missed": "some"}, "missed is 'latest', 'skip' or 'all', not 'some'"),
        ({"every": 60, "overlap": "queue"}, "overlap is 'allow' or 'skip', not 'queue'"),
        ({"every": 60, "within": 0}, "within is above 0"),
        ({"every": 60, "jitter": -1}, "jitter is 0 to"),
        ({"every": 60, "name": "Daily"}, "use a-z, 0-9"),
        ({"every": 60, "payload": Other()}, "the payload is a Number, or a function"),
        ({"every": 60, "payload": {"n": 1}}, "payload is a BaseModel or a function, not {'n': 1}"),
    ],
)
def test_a_schedule_that_can_not_work_is_refused(
    job_type: JobType[Number], options: dict[str, Any], sentence: str
) -> None:
    options = {"name": "s", "payload": Number(), **options}
    with pytest.raises(ConfigurationError, match=sentence):
        App("app").schedule(options.pop("name"), job_type, options.pop("payload"), **options)


@pytest.mark.parametrize(
    "cron", ["@daily", "0 7 * * 1-5", "*/5 * * * *", "0 0 L * *", "0 9 * * MON#1"]
)
def test_usual_expressions_are_accepted(job_type: JobType[Number], cron: str) -> None:
    zone = "America/New_York"
    schedule = App("app").schedule("s", job_type, Number(), cron=cron, timezone=zone)

    first = first_after(schedule, 0)
    assert 0 < first < first_after(schedule, first)


def test_a_job_type_of_another_application_is_refused(job_type: JobType[Number]) -> None:
    with pytest.raises(ConfigurationError, match="belongs to application 'app'"):
        App("other").schedule("s", job_type, Number(), every=60)


def test_names_are_unique_within_an_application(job_type: JobType[Number]) -> None:
    app = App("app")
    app.schedule("s", job_type, Number(), every=60)
    with pytest.raises(ConfigurationError, match="'s' is declared twice"):
        app.schedule("s", job_type, Number(), every=60)


def test_a_schedule_is_named_with_its_application_where_the_name_alone_is_not_enough() -> None:
    apps = []
    for name in ("one", "two"):
        app = App(name)
        job_type = app.queue(f"q-{name}").job("t")(handle)
        app.schedule("s", job_type, Number(), every=60)
        app.schedule(f"only-{name}", job_type, Number(), every=60)
        apps.append(app)
    registry = Registry(apps)

    assert registry.schedule("one/s").app == "one"
    assert registry.schedule("only-two").app == "two"
    for name in ("s", "three/s", "x" * 500):
        with pytest.raises(UnknownSchedule, match="known: one/only-one, one/s"):
            registry.schedule(name)
