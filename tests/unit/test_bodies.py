"""Bodies cost little before they are refused: work is counted, not time."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from shared.declare.field_errors import MOST_ERRORS, MOST_READ, field_errors
from shared.testing import FakeClock, run_virtually
from shared.web import body
from shared.web.body import MOST_VALUES, most_values, parse, read_object
from shared.web.problems import Problem

NAMES = b"{" + b",".join(b'"n%d":0' % n for n in range(700_000)) + b"}"
MANY = {
    "unknown names": NAMES,
    "numbers": b"[" + b"0," * MOST_VALUES + b"0]",
    "empty lists": b"[" + b"[]," * MOST_VALUES + b"0]",
    "empty objects": b"[" + b"{}," * MOST_VALUES + b"0]",
    "objects within objects": b'{"jobs":[' + b'{"a":{"b":0}},' * MOST_VALUES + b"0]}",
    "an open text in front": b'{"a":"b",' + b"0," * MOST_VALUES + b'"',
    "escaped quotes": b"[" + b"0," * MOST_VALUES + b'"' + b'\\"' * 100_000,
}


def refusal(raw: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        parse(raw)
    return caught.value


@pytest.mark.parametrize("raw", MANY.values(), ids=MANY)
def test_too_many_values_are_refused_before_one_object_is_made(
    monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(body, "from_json", lambda raw, **_options: parsed.append(raw))

    problem = refusal(raw)

    assert parsed == []
    assert problem.type.status == 413
    assert "250000 values" in problem.detail


@pytest.mark.parametrize("text", ["a,[{" * 400_000, '\\"' * 400_000, "\\\\" * 400_000 + ",,"])
def test_marks_in_texts_are_no_values(text: str) -> None:
    raw = b'{"type":"' + text.replace("\n", "").encode() + b'"}'

    assert list(parse(raw)) == ["type"]


def _count(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value
    inner = sum(map(_count, parts)) if isinstance(value, dict | list) else 0
    return 1 + inner


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_count_is_never_below_the_number_of_values(value: Any) -> None:
    bare = body.without_texts(json.dumps(value).encode())

    assert _count(value) <= most_values(bare) <= 2 * _count(value)


class Numbers(BaseModel):
    numbers: list[int]


class _UncountedError:
    """An error of which only the number may be asked."""

    def error_count(self) -> int:
        return 700_000

    def errors(self, **_options: bool) -> None:
        raise AssertionError("it made an object for each of 700,000 errors")


def test_of_many_errors_only_the_number_is_told() -> None:
    fields = field_errors(cast("ValidationError", _UncountedError()), "payload")

    assert fields == [{"field": "payload", "message": "700,000 places do not fit"}]


@pytest.mark.parametrize("count", [1, MOST_ERRORS, MOST_ERRORS + 1, MOST_READ, MOST_READ + 1])
def test_the_first_twenty_errors_are_named_or_their_number(count: int) -> None:
    with pytest.raises(ValidationError) as caught:
        Numbers.model_validate({"numbers": ["x"] * count})
    fields = field_errors(caught.value)

    assert len(fields) == (1 if count > MOST_READ else min(count, MOST_ERRORS))


def test_a_body_that_drips_is_awaited_for_half_a_minute() -> None:
    clock = FakeClock()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(10)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def read() -> Any:
        return await read_object(Request({"type": "http", "headers": []}, receive))

    with pytest.raises(Problem) as caught:
        run_virtually(read(), clock)

    assert caught.value.type.status == 408
    assert clock.monotonic() == pytest.approx(30, abs=0.01)
