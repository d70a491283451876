"""The frames, notes and causes that are kept with an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from shared.drain.describe import describe
from shared.jobs.stack import MOST_FRAMES

ME = "tests/unit/test_stack.py"


def described(call: Any, own: str = "tests") -> dict[str, Any]:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - any error is described
        return describe([error], own)
    raise AssertionError("it did not fail")


def functions(stack: list[str]) -> list[str]:
    assert all(frame.startswith(f"{ME}:") for frame in stack)
    return [frame.rpartition(" in ")[2] for frame in stack]


def test_frames_are_the_user_s_own() -> None:
    def fetch() -> None:
        httpx.Client(transport=httpx.HTTPTransport(), timeout=1).get("http://127.0.0.1:1")

    def parse() -> None:
        json.loads("{")

    for call in (fetch, parse):
        error = described(call)
        assert functions(error["stack"]) == ["described", call.__name__]
        assert error["where"] == error["stack"][-1]


def test_of_many_frames_the_first_and_the_last_are_kept() -> None:
    def descend(depth: int) -> None:
        if not depth:
            raise RecursionError("deep")
        descend(depth - 1)

    stack = described(lambda: descend(500))["stack"]

    assert len(stack) == MOST_FRAMES
    assert functions(stack)[0] == "described"
    assert functions(stack)[-1] == "descend"


def test_causes_and_notes_are_kept_and_bounded() -> None:
    def fail(depth: int) -> None:
        try:
            if depth:
                fail(depth - 1)
        except ValueError as error:
            raise ValueError(f"at {depth}" + "x" * 9000) from error
        first = ValueError("at 0")
        for n in range(50):
            first.add_note(f"note {n} " + "y" * 9000)
        raise first

    error = described(lambda: fail(6))

    assert [cause["message"][:4] for cause in error["causes"]] == ["at 5", "at 4", "at 3"]
    assert len(described(lambda: fail(0))["notes"]) == 5
    assert len(json.dumps(error)) < 16_000
    assert len(json.dumps(described(lambda: fail(0)))) < 16_000


def test_what_was_handled_is_a_cause_unless_it_is_suppressed() -> None:
    def fail(*, suppress: bool) -> None:
        try:
            raise KeyError("first")
        except KeyError:
            error = ValueError("second")
            error.__suppress_context__ = suppress
            raise error  # noqa: B904 - this is what is tested

    assert [one["type"] for one in described(lambda: fail(suppress=False))["causes"]] == [
        "KeyError"
    ]
    assert "causes" not in described(lambda: fail(suppress=True))


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one

    assert [cause["message"] for cause in describe([one])["causes"]] == ["two"]


@pytest.mark.parametrize("own", ["vendored", "tests"])
def test_a_library_beside_the_application_is_known_by_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    (tmp_path / "vendored").mkdir()
    (tmp_path / "vendored" / "__init__.py").write_text("def fail():\n    raise ValueError('x')\n")
    (tmp_path / "vendored-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    import vendored  # type: ignore[import-not-found]  # noqa: PLC0415 - made by this test

    module: ModuleType = vendored
    frames = described(module.fail, own)["stack"]

    assert ("vendored/__init__.py:2 in fail" in frames) == (own == "vendored")
    del sys.modules["vendored"]
