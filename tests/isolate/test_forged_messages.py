"""A handler that writes into its child's connection ends its own job, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.drain.child_messages import (
    MOST_DETAIL,
    ChildResult,
    read_billed,
    read_ended,
    read_failed,
    read_log_record,
    read_reported,
    read_request,
)
from shared.errors import LONGEST_DELAY, ChildDied
from shared.jobs.context import JobContext
from shared.jobs.history import add_to_history
from shared.jobs.outcome import Kind
from shared.store import Store
from tests.isolate.test_isolated import Drained, children, until
from tests.support.isolated import Deed, handle, in_process
from tests.support.values import claim


def ended(
    kind: Any = "done", delay: Any = 0, detail: Any = None, started: Any = True, **more: Any
) -> dict[str, Any]:
    outcome = [kind, delay, {} if detail is None else detail, started]
    return {"outcome": outcome, "error": None, "retire": False} | more


ERROR = {"type": "ValueError", "message": "no"}
FORGED: dict[str, Any] = {
    "no object": 5,
    "nothing": {},
    "short": {"outcome": ["done"], "error": None, "retire": False},
    "no kind": ended(5),
    "unknown kind": ended("nonsense"),
    "decide": ended("decide"),
    "keep": ended("keep"),
    "no delay": ended("retry", "soon", {"error": ERROR}),
    "nan": ended("retry", float("nan")),
    "infinite": ended("retry", float("inf")),
    "negative": ended("park", -1),
    "beyond a year": ended("snooze", LONGEST_DELAY + 1),
    "huge": ended("snooze", 10**400),
    "no detail": ended("done", 0, 5),
    "a note of the drain": ended("done", 0, {"end": {"kind": "done"}}),
    "errors": ended("done", 0, {"errors": []}),
    "no error": ended("retry", 0, {"error": 5}),
    "an error without a type": ended("retry", 0, {"error": {"message": "x"}}),
    "no reason": ended("park", 1, {"parked": 5}),
    "no log": ended("done", 0, {"log": 5}),
    "lone surrogate": ended("done", 0, {"result": "\ud800"}),
    "lone surrogate in a name": ended("done", 0, {"result": {"\ud800": 1}}),
    "no JSON": ended("done", 0, {"result": [float("nan")]}),
    "large": ended("done", 0, {"result": "x" * MOST_DETAIL}),
    "not started": ended(started="no"),
    "no triple": ended(error=5),
    "a pair": ended(error=["a", "b"]),
    "no text": ended(error=["a", "b", 5]),
    "large error": ended(error=["a", "b", "x" * 100_000]),
    "retire": ended(retire="no"),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_no_end_of_ours_is_the_death_of_the_child(name: str) -> None:
    with pytest.raises(ChildDied, match="wrote into its child process's connection"):
        read_ended(json.loads(json.dumps(FORGED[name])))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_child_gives_the_outcomes_of_execute_and_no_others(kind: str) -> None:
    value = ended(kind, LONGEST_DELAY, {"error": ERROR, "parks": None}, error=["a", "b", ""])

    if kind in ("decide", "keep"):
        with pytest.raises(ChildDied):
            read_ended(value)
    else:
        told = read_ended(value)
        assert (told.outcome.kind, told.outcome.delay) == (kind, LONGEST_DELAY)
        assert str(told.error) == "a: b"


RECORD = {"name": "a", "levelno": 20, "msg": "x"}
OTHERS: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "reported": (
        read_reported,
        [5, {"progress": "x"}, {"progress": -1}, {"progress": 101}, {"progress": float("nan")},
         {"note": 5}, {"log": 5}, {"note": "\ud800"}, {"end": {}}, {"note": "x" * MOST_DETAIL}],
    ),
    "billed": (
        read_billed,
        [5, [], {"x": "y"}, {"x": -1}, {"x": 1.5}, {"x": True}, {"x": 10**30}, {"x" * 65: 1},
         {str(n): 1 for n in range(101)}],
    ),
    "log": (
        read_log_record,
        [{"log": fields, "raised": None} for fields in (
            5, {}, RECORD | {"name": 5}, RECORD | {"levelno": "x"}, RECORD | {"msg": None},
            RECORD | {str(n): n for n in range(101)},
         )] + [{"log": RECORD, "raised": raised} for raised in (5, ["a", 5, "b"], ["a"])]
        + [{"log": RECORD}],
    ),
    "nudge": (
        read_request,
        [{"id": 1, "nudge": queues} for queues in (5, "q", [5], ["q\n"], [""], ["q"] * 101)]
        + [{"id": "1", "nudge": ["q"]}],
    ),
    "command": (
        read_request,
        [{"id": id_, "command": command, "verb": verb, "within": within}
         for id_, command, verb, within in (
             ("1", ["GET"], "x", None), (1, 5, "x", None), (1, [], "x", None),
             (1, "GET", "x", None),
             (1, [None], "x", None), (1, [["GET"]], "x", None), (1, ["\ud800"], "x", None),
             (1, ["GET"], 5, None), (1, ["GET"], "x" * 65, None), (1, ["GET"], "x", "soon"),
             (1, ["GET"], "x", -1), (1, ["GET"], "x", float("nan")), (1, ["GET"], "x", 10**400),
         )] + [{"command": ["GET"]}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_message_of_ours_is_the_death_of_the_child(kind: str) -> None:
    read, values = OTHERS[kind]
    for value in values:
        with pytest.raises(ChildDied, match="wrote into its child process's connection"):
            read(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from([*FORGED["keep"], "result", "error", "progress", "note", "log"])
            | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    value=JSON,
    kind=st.sampled_from(get_args(Kind)) | JSON,
    delay=st.floats() | st.integers() | JSON,
    detail=JSON,
)
def test_any_json_is_a_message_or_the_death_of_the_child(
    value: Any, kind: Any, delay: Any, detail: Any
) -> None:
    """And what is an end can be put into the history, and reported."""
    for read in (read_reported, read_billed, read_failed):
        _read(read, value)
    _read(read_log_record, {"log": detail, "raised": value})
    _read(read_log_record, {"log": RECORD | {"x": value, "args": detail}, "raised": None})
    _read(read_request, {"id": 1, "nudge": value})
    _read(read_request, {"id": 1, "command": value, "verb": "x", "within": delay})
    for one in (value, ended(kind, delay, detail), ended("dead", 0, detail, error=value)):
        told = _read(read_ended, one)
        if isinstance(told, ChildResult):
            assert 0 <= told.outcome.delay_ms <= LONGEST_DELAY * 1000
            add_to_history(claim(), told.outcome, 1).encode()
    reported = _read(read_reported, detail)
    if reported is not None:
        context = JobContext(claim(), "t", budget_left=float)
        context.take_over(reported)
        json.dumps(context.reported(), allow_nan=False, ensure_ascii=False).encode()


def _read(read: Any, value: Any) -> Any:
    try:
        return read(value)
    except ChildDied:
        return None


FRAMES = [
    json.dumps({"ended": FORGED["no object"]}),
    json.dumps({"ended": FORGED["decide"]}),
    json.dumps({"ended": FORGED["nan"]}),
    json.dumps({"ended": FORGED["lone surrogate"]}),
    json.dumps({"id": 1, "command": ["GET", 5.5]}),
    json.dumps({"reported": 5}),
    json.dumps({"billed": 5}),
    json.dumps({"log": 5}),
    json.dumps({"id": 1, "nudge": 5}),
    json.dumps({"failed": 1}),
    json.dumps({"something": 1}),
    "[" * 100_000,
    "5",
]


async def test_a_forged_message_spends_an_attempt_of_its_job_alone(
    drain: Drained, store: Store
) -> None:
    before = children()
    forging = await handle.enqueue_many(
        [handle.job(Deed(do="forge", arg=frame)) for frame in FRAMES]
    )
    good = await in_process.enqueue(Deed())

    report = await drain(handle, in_process)

    assert report.error is None
    assert report.outcomes == {"done": 1, "retried": len(FRAMES)}
    assert (await good.status()).state == "completed"
    for frame, job in zip(FRAMES, forging, strict=True):
        view = await job.status()
        assert (view.state, view.attempts) == ("delayed", 1), frame[:80]
        assert view.errors[-1]["type"] == "ChildDied", frame[:80]
    await until(lambda: children() <= before)
