"""Schedules that can't work are refused where they are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
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


async def make_later(_at: datetime) -> Number:
    return Number()


def make_some(_at: datetime) -> Iterator[Number]:
    yield Number()


class Maker:
    """An object that is called."""

    async def __call__(self, _at: datetime) -> Number:
        return Number()


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
        ({"cron": "0 7 * * *", "timezone": "localtime"}, "no time zone 'localtime'"),
        ({"cron": "0 7 * * *", "timezone": "posixrules"}, "no time zone"),
        ({"cron": "0 7 * * *", "timezone": "right/UTC"}, "no time zone"),
        ({"cron": "0 7 * * *", "timezone": "Factory"}, "no time zone"),
        ({"every": 60, "jitter": 60, "overlap": "skip"}, "jitter is at most 0 seconds"),
        ({"cron": "@hourly", "jitter": 3541, "overlap": "skip"}, "at most 3540 seconds"),
        ({"cron": "0,5 7 * * *", "jitter": 241, "overlap": "skip"}, "at most 240 seconds"),
        ({"cron": "0 7 * * *", "timezone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"cron": "0 7 * * *", "timezone": "../etc/passwd"}, "no time zone"),
        ({"cron": "0 7 * * *", "timezone": ""}, "no time zone"),
        ({"every": 60, "timezone": "Europe/Berlin"}, "timezone belongs to cron"),
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
        ({"every": 60, "payload": Number}, "a plain function of one argument"),
        (
            {"every": 60, "payload": lambda: Number(n=1)},
            "one argument, the planned instant: too many",
        ),
        ({"every": 60, "payload": lambda _at, _n: Number()}, "missing a required argument"),
        ({"every": 60, "payload": make_later}, "no async one: nothing awaits it"),
        ({"every": 60, "payload": partial(make_later)}, "no async one"),
        ({"every": 60, "payload": Maker()}, "no async one"),
        ({"every": 60, "payload": make_some}, "no generator"),
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
    ("cron", "fault"),
    [
        ("", "it has 0 fields"),
        ("0 7 * *", "it has 4 fields"),
        ("0 0 7 * * *", "it has 6 fields; leave out seconds"),
        ("0 0 7 * * ? 2027", "it has 7 fields; leave out seconds"),
        ("@reboot", "functions have no start of a machine"),
        ("@every 5m", "there is no such name"),
        ("@Daily", "there is no such name"),
        ("60 * * * *", "minute '60': choose 0 to 59"),
        ("0 24 * * *", "hour '24': choose 0 to 23"),
        ("0 9 0 * *", "day '0': choose 1 to 31"),
        ("0 9 1 13 *", "month '13': choose 1 to 12"),
        ("0 9 * * 8", "weekday '8': choose 0 to 7"),
        ("0 9 * * 1-8", "weekday '1-8': choose 0 to 7"),
        ("0,99 9 * * *", "minute '99': choose 0 to 59"),
        ("*/61 * * * *", "minute '*/61': a step is 1 to 59"),
        ("*/60 * * * *", "a step is 1 to 59"),
        ("*/0 * * * *", "a step is 1 to 59"),
        ("*/ * * * *", "a step is 1 to 59"),
        ("5/90 * * * *", "a step is 1 to 59"),
        ("0 */24 * * *", "hour '*/24': a step is 1 to 23"),
        ("0 0 */32 * *", "a step is 1 to 31"),
        ("0 0 1 */13 *", "a step is 1 to 12"),
        ("0 0 * * */8", "a step is 1 to 7"),
        ("0 22-2 * * *", "hour '22-2': the range ends before it begins; write two"),
        ("0 9 * JANUARY *", "month 'JANUARY': names there are JAN to DEC"),
        ("0 9 * * MONDAY", "weekday 'MONDAY': names there are SUN to SAT"),
        ("0 9 * * FRI-MO", "names there are SUN to SAT"),
        ("0 9 W * *", "day 'W': names there are L"),
        ("H * * * *", "minute 'H': numbers only, 0 to 59"),
        ("0 9am * * *", "hour '9AM': numbers only, 0 to 23"),
        ("0 0 * * ?", "weekday '?': write numbers, '*'"),
        ("+5 9 * * *", "minute '+5': write numbers"),
        ("1_0 9 * * *", "minute '1_0': write numbers"),
        ("0 9 \u0661 * *", "day '\u0661': write numbers"),
        ("0 9 1,,2 * *", "day '': write numbers"),
        ("0 9 1, * *", "day '': write numbers"),
        ("-1 9 * * *", "it can't be read, or is never due"),
        ("0 9 * * FRI-SUN", "it can't be read, or is never due"),
        ("0 9 * * 1#6", "it can't be read, or is never due"),
        ("0 0 30 2 *", "it can't be read, or is never due"),
        ("0 0 31 2,4 *", "it can't be read, or is never due"),
        (" ".join(["9" * 5000] * 5), "it has more than 200 characters"),
    ],
)
def test_an_expression_that_can_not_be_read_says_what_is_wrong_with_it(
    job_type: JobType[Number], cron: str, fault: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        App("app").schedule("s", job_type, Number(), cron=cron)

    sentence = str(caught.value)
    assert f": {fault}" in sentence
    assert "write minute, hour, day, month and weekday, such as '0 7 * * 1-5'" in sentence


@pytest.mark.parametrize("overlap", ["allow", "skip"])
@pytest.mark.parametrize("times", [{"every": 120}, {"cron": "*/2 * * * *"}, {"cron": "@daily"}])
def test_jitter_that_ends_a_tick_before_the_next_occurrence_is_accepted(
    job_type: JobType[Number], overlap: Any, times: dict[str, Any]
) -> None:
    App("app").schedule("s", job_type, Number(), overlap=overlap, jitter=60, **times)


@pytest.mark.parametrize(
    "cron",
    [
        "@daily",
        "0 7 * * 1-5",
        "*/5 * * * *",
        "0 0 L * *",
        "0 9 * * MON#1",
        "5/10 0-23/2 1-31 JAN,6 FRI",
        "0 0 LW * 5L",
    ],
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


@pytest.mark.parametrize(
    "function",
    [lambda _at: Number(), lambda _at, n=1: Number(n=n), partial(lambda n, _at: Number(n=n), 1),
     lambda *_args: Number(), Number.model_validate],
)  # fmt: skip
def test_a_function_of_the_instant_is_accepted(
    job_type: JobType[Number], function: Callable[..., Number]
) -> None:
    App("app").schedule("s", job_type, function, every=60)
