"""The weather app's rows, in a file and in Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.apps.weather.tables import HELD, Tables, tables_in
from functions.providers.database import close_databases


@pytest.fixture
def tables(place: str, tmp_path: Path) -> Iterator[Tables]:
    yield tables_in(tmp_path)
    close_databases()


def test_a_phone_is_one_job_s_at_a_time(tables: Tables) -> None:
    assert tables.take("storm", 1000, ["a", "b"], "first") == ["a", "b"]
    assert tables.take("storm", 1000 + HELD, ["a", "b", "c"], "second") == ["c"]
    tables.mark_warned("storm", ["b"])
    assert tables.take("storm", 1000 + HELD + 1, ["a", "b", "c"], "third") == ["a"]
    assert tables.take("storm", 1000 + HELD + 2, ["a", "b"], "first") == []
    assert tables.take("frost", 1000 + HELD + 2, ["a", "b"], "first") == ["a", "b"]


def test_a_job_that_goes_on_keeps_its_phones(tables: Tables) -> None:
    for run in range(5):
        now = 1000 + run * (HELD - 1)
        assert tables.take("storm", now, ["a"], "first") == ["a"]
        assert tables.take("storm", now + HELD, ["a"], "second") == []


def test_phones_that_have_a_warning_are_not_among_those_to_warn(tables: Tables) -> None:
    tables.subscribe("berlin", ["a", "b", "c"])
    tables.subscribe("paris", ["d"])
    tables.take("storm", 1000, ["a", "b"], "first")
    tables.mark_warned("storm", ["b"])

    assert tables.unwarned("berlin", "storm", "", 10) == ["a", "c"]
    assert tables.unwarned("berlin", "storm", "", 1) == ["a"]
    assert tables.unwarned("berlin", "storm", "a", 10) == ["c"]
    assert tables.unwarned("berlin", "frost", "", 10) == ["a", "b", "c"]
    tables.forget_warned(1000)
    assert tables.unwarned("berlin", "storm", "", 10) == ["a", "c"]
    tables.forget_warned(1001)
    assert tables.unwarned("berlin", "storm", "", 10) == ["a", "b", "c"]


def test_only_weather_that_is_the_last_is_stored(tables: Tables) -> None:
    stored = [tables.set_weather("berlin", at, str(at)) for at in (5, 4, 5, 6)]

    assert stored == [True, False, True, True]
    assert tables.weather("berlin") == "6"
