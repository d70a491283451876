"""The tests of a run have names that do not change with the clock.

pytest-xdist refuses to run when two of its workers collect different names, and a value taken from
the clock differs between them whenever a second passes in between: seldom, and all of CI fails.
"""

from __future__ import annotations

import datetime as dt
import re
import time

import pytest

NEAR_SECONDS = 7 * 86_400


def test_no_test_is_named_after_the_present_instant(request: pytest.FixtureRequest) -> None:
    named = [
        item.nodeid
        for item in request.session.items
        for instant in present_instants(item.nodeid, time.time())
        if instant not in item.path.read_text().replace("_", "")  # one written there stays the same
    ]

    assert named == []


@pytest.mark.parametrize("after", [0, 3_600, -3_600])
@pytest.mark.parametrize("form", ["seconds", "milliseconds", "iso"])
def test_each_form_of_the_present_instant_is_seen(form: str, after: int) -> None:
    now = 1_772_442_000  # 2026-03-02 09:00 UTC
    forms = {
        "seconds": f"{now + after}",
        "milliseconds": f"{(now + after) * 1000 + 7}",
        "iso": dt.datetime.fromtimestamp(now + after, dt.UTC).date().isoformat(),
    }
    name = f"tests/test_x.py::test_x[dt-{forms[form]}]"

    assert present_instants(name, now) == [forms[form]]
    assert present_instants(name, now + 30 * 86_400) == []


def present_instants(name: str, now: float) -> list[str]:
    """The seconds, milliseconds and days in a test's name that lie less than a week from `now`."""
    numbers = re.findall(r"(?<!\d)(?:\d{10}|\d{13})(?!\d)", name)
    near = [digits for digits in numbers if abs(int(digits[:10]) - now) < NEAR_SECONDS]
    today = dt.datetime.fromtimestamp(now, dt.UTC).date()
    days = {str(today + dt.timedelta(number)) for number in range(-7, 8)}
    return near + [day for day in re.findall(r"\d{4}-\d\d-\d\d", name) if day in days]
