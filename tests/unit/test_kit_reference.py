"""The reference of the test kit in docs/guides/testing.md has the signatures of the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from shared import testing

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"
CALLS = re.findall(r"^\| `([\w.]+)(\(.*?\))` \|", PAGE.read_text("utf-8"), re.MULTILINE)
FOR_STORES = {"known_scripts"}
"""Callables of the kit that its own stores need, and that no user calls."""


def signature_of(name: str) -> str:
    """The parameters of a callable of the kit, without annotations."""
    first, *rest = name.split(".")
    found: object = testing.FakeClock() if first == "clock" else getattr(testing, first)
    for part in rest:
        found = getattr(found, part)
    assert callable(found)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_named(parameter.default))
        for parameter in inspect.signature(found).parameters.values()
    ]
    return str(inspect.Signature(plain))


class _Name:
    """A default that is written by its name."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _named(default: object) -> object:
    if type(default) is int:
        return _Name(f"{default:_}")
    return _Name("KEYRING") if type(default).__name__ == "Keyring" else default


@pytest.mark.parametrize(("name", "written"), CALLS, ids=[name for name, _ in CALLS])
def test_a_row_has_the_signature_of_the_code(name: str, written: str) -> None:
    assert written == signature_of(name)


def test_each_callable_of_the_kit_has_a_row() -> None:
    written = {name for name, _ in CALLS}
    callables = {
        name
        for name in testing.__all__
        if inspect.isfunction(getattr(testing, name))
        or (inspect.isclass(getattr(testing, name)) and name != "Fate")
    }

    assert callables - FOR_STORES == {name for name in written if "." not in name}
