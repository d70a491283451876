"""Assignments that some version of GopherLua compiles wrongly, and that no script contains."""

from __future__ import annotations

import re

import pytest

from shared.store.compose import compose, verbs
from tests.gopher.conftest import Run

_TARGETS = re.compile(
    r"(?:^|\bthen |\belse |\bdo )\s*([A-Za-z_]\w*(?:, [A-Za-z_]\w*)+) = (.+?)(?: end)?$"
)


def wrong_assignments(text: str) -> list[str]:
    """Assignments to several variables at once that need more than a move of each value.

    Versions before 2019 write the result of a call, unless it comes last, over another local.
    Those since 2023 assign the first variable before they read the second value.
    """
    return [line for line in text.splitlines() if _is_wrong(line)]


def _is_wrong(line: str) -> bool:
    found = _TARGETS.search(line)
    if found is None:
        return False
    targets, values = found[1].split(", "), _values(found[2])
    for position, target in enumerate(targets[: len(values) - 1]):
        later = values[position + 1 :]
        if values[position].endswith(")") or any(re.search(rf"\b{target}\b", v) for v in later):
            return True
    return False


def _values(text: str) -> list[str]:
    """Split at the commas that no bracket encloses."""
    values, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            values.append("")
        else:
            values[-1] += character
    return [value.strip() for value in values]


@pytest.mark.parametrize("name", verbs())
def test_a_script_has_no_such_assignment(name: str) -> None:
    assert wrong_assignments(compose(name)) == []


@pytest.mark.parametrize(
    "line",
    [
        "  a, b = b, a",
        'if x then a, b = math.max(0, n - q.b), "full" end',
        "a, b, c = 1, f(x, y), 3",
    ],
)
def test_such_an_assignment_is_recognised(line: str) -> None:
    assert wrong_assignments(line) == [line]


@pytest.mark.parametrize(
    "line",
    ["a, b = a + 1, b + 1", "a, b = 1, f(x, 2)", "local a, b = f(), 2", "q.a, q.b = f(), 2"],
)
def test_other_assignments_pass(line: str) -> None:
    assert wrong_assignments(line) == []


@pytest.mark.parametrize(
    ("assignment", "right", "wrong"),
    [("a, b = b, a", [0, 2, 1], [0, 2, 2]), ("a, b = math.max(7), 1", [0, 7, 1], [7, 7, 1])],
)
def test_gopherlua_compiles_one_of_them_wrongly(
    gopherlua: Run, assignment: str, right: list[int], wrong: list[int]
) -> None:
    script = (
        f"local function f(x) local a, b = 1, 2 {assignment} return {{x, a, b}} end return f(0)"
    )

    assert gopherlua("EVAL", script, 0) in (right, wrong)
