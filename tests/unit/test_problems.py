"""The problems that callers are sent: texts of their own, the same under `python -OO`, which drops
docstrings."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from shared import errors
from shared.errors import ArchiveError, ConfigurationError, MissingSecret, NoArchive, StoreError
from shared.web.problems import PROBLEM_TYPES

INNER = "redis-7.inner.example:6379 refused"
PROGRAM = """
import json, sys
from shared import errors
from shared.web.app import ROUTES
from shared.web.openapi import document
from shared.web.problems import PROBLEM_TYPES, problem_response

if (document.__doc__ is None) != (sys.flags.optimize == 2):
    sys.exit("the level of optimization is another one")
MADE = {
    errors.KeyLimited: errors.KeyLimited(5.0),
    errors.TokenLimited: errors.TokenLimited(5.0, "The token may make 5 requests a minute."),
    errors.InvalidOption: errors.InvalidOption("delay: 0 to 366 days", "delay"),
    errors.InvalidPayload: errors.InvalidPayload("The payload does not fit: n: a number"),
    errors.InvalidRequest: errors.InvalidRequest("The job does not fit."),
}
kinds = [*PROBLEM_TYPES, RuntimeError]
without = [MADE.get(kind) or kind() for kind in kinds]
inner = [MADE.get(kind) or kind(sys.argv[1]) for kind in kinds]
print(json.dumps({
    "without": {type(e).__name__: json.loads(problem_response(e).body) for e in without},
    "inner": {type(e).__name__: json.loads(problem_response(e).body) for e in inner},
    "openapi": document(ROUTES),
}))
"""
FOR_CALLERS = {MissingSecret, NoArchive}
"""Errors of the deployment whose text says to the caller what to set."""


@pytest.fixture(scope="module", params=[(), ("-OO",)], ids=["python", "python -OO"])
def told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a process answers to errors of each type, made without a text and with an inner one."""
    ran = subprocess.run(
        [sys.executable, *request.param, "-c", PROGRAM, INNER], capture_output=True, check=True
    )
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


@pytest.mark.parametrize("kind", [*PROBLEM_TYPES, RuntimeError])
def test_a_problem_is_one_line_that_says_something(
    told: dict[str, Any], kind: type[Exception]
) -> None:
    for answers in (told["without"], told["inner"]):
        document = answers[kind.__name__]
        assert document["title"]
        assert document["detail"] == " ".join(document["detail"].split()) != ""
        assert "Error(" not in document["detail"]


@pytest.mark.parametrize(
    "kind",
    [
        RuntimeError,
        *(
            kind
            for kind in PROBLEM_TYPES
            if issubclass(kind, StoreError | ArchiveError | ConfigurationError)
            and kind not in FOR_CALLERS
        ),
    ],
)
def test_inner_text_of_the_deployment_reaches_no_caller(
    told: dict[str, Any], kind: type[Exception]
) -> None:
    detail = told["inner"][kind.__name__]["detail"]

    assert INNER not in detail
    assert detail == told["without"][kind.__name__]["detail"]
    assert " " in detail


def test_every_store_error_has_a_text_for_callers() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, StoreError | ArchiveError)
    ]
    texts = {kind.__name__: PROBLEM_TYPES[kind].detail for kind in kinds if kind in PROBLEM_TYPES}

    assert len(texts) >= 6
    assert all(texts.values()), texts


def test_the_description_of_the_api_is_whole(told: dict[str, Any]) -> None:
    for operations in told["openapi"]["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert all(answer["description"] for answer in operation["responses"].values())
