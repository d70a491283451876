"""What an isolated handler leaves in its child process, and what it needs of the function."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.child.logs import LONGEST_TEXT
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.nudge.hops import Origin
from shared.observe.json_log import JsonFormatter
from shared.store import Store
from tests.isolate.conftest import RunOne
from tests.support.isolated_traces import (
    MIB,
    SLOW_IMPORT,
    STRICT,
    Card,
    Work,
    app,
    cards,
    charge,
    charge_isolated,
    count,
    count_isolated,
    enqueue,
    enqueue_encrypted,
    enqueue_isolated,
    fail_with_bug,
    fail_with_exit,
    keep,
    print_wide,
    queue,
    spoil_streams,
    take_bounded,
    take_huge,
    use_cache,
    use_cache_in_thread,
    values,
    write_log,
)
from tests.support.nudges import SeenNudges
from tests.support.turns import Owner

NUMBER = "planted-4111"


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Every record that is logged, with its traceback."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    handler, root = Handler(), logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("how", ["replace", "close", "close descriptors", "delete"])
async def test_a_spoiled_stdout_costs_neither_the_result_nor_time(
    how: str, run_one: RunOne
) -> None:
    view = await run_one(spoil_streams, Work(do=how))
    assert (view.state, view.attempts, view.result) == ("completed", 1, how)


@pytest.mark.parametrize(
    ("job_type", "kind"), [(fail_with_bug, "RuntimeError"), (fail_with_exit, "SystemExit")]
)
async def test_a_policy_that_raises_in_the_child_is_a_bug_as_in_process(
    job_type: JobType[Any], kind: str, run_one: RunOne, log: list[str]
) -> None:
    began = time.monotonic()

    view = await run_one(job_type, Work())

    assert time.monotonic() - began < job_type.timeout
    (error,) = view.errors
    assert (view.state, error["type"]) == ("delayed", kind)
    assert error["message"].startswith("no outcome could be made of attempt 1")
    (bug,) = [line for line in log if '"message":"job_bug"' in line]
    assert "delay_after" in bug


async def test_log_records_keep_their_fields_and_tracebacks(
    run_one: RunOne, log: list[str]
) -> None:
    await run_one(write_log, Work())

    facts, long, raised = (json.loads(line) for line in log if '"type":"log"' in line)
    assert facts["facts"] == {"a": 1, "b": [1, None, "x"]}
    assert facts["key"] == "{(1,): 2}"
    assert len(long["facts"]) == LONGEST_TEXT
    assert "in write_log" in raised["exception"]
    assert "KeyError: 'inner'" in raised["exception"]


@pytest.mark.parametrize("digits", [4000, 5000])
async def test_a_result_that_no_history_can_hold_is_told_in_both(
    digits: int, run_one: RunOne
) -> None:
    views = [await run_one(job_type, Work(amount=digits)) for job_type in (count, count_isolated)]

    for view in views:
        assert (view.state, view.attempts) == ("completed", 1)
        assert (view.result is None) == (digits > 4300)
        assert ("digits" in str(view.result_error)) == (digits > 4300)


async def test_a_host_with_a_lower_memory_bound_runs_the_job_under_its_own(
    run_one: RunOne, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -H -d 2000000\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    view = await run_one(take_huge, Work())

    assert (view.state, view.attempts) == ("completed", 1)


async def test_a_bound_counts_what_the_job_takes_not_what_others_have_left(
    run_one: RunOne,
) -> None:
    grown = await run_one(keep, Work(amount=200 * MIB))
    first = await run_one(take_bounded, Work(amount=1 * MIB))
    left = [await run_one(take_bounded, Work(do="keep", amount=20 * MIB)) for _ in range(3)]
    whole = await run_one(take_bounded, Work(amount=60 * MIB))

    pids = [view.result for view in (first, *left, whole)]
    assert {view.state for view in (grown, first, *left, whole)} == {"completed"}
    assert grown.result not in pids
    assert pids[0] == pids[1]  # a little that is left ends no process
    assert len(set(pids)) > 1  # but more and more does


async def suspects_of(store: Store, secret: Card) -> None:
    """A job of `charge` whose functions died twice in a row."""
    await charge.enqueue(secret)
    for name in ("dead1", "dead2"):
        await Owner(store, cards, name, lease_ms=1).claim(100, exclusive=False)
        time.sleep(0.002)  # noqa: ASYNC251 - by the store's own clock
    await Owner(store, cards, "recovers").turn(0)


async def stored(store: Store) -> str:
    """Everything that the queue's records hold."""
    return str(await store.rest.execute(["HGETALL", "{test:cards}:records"], "test"))


@pytest.mark.parametrize("suspect", [False, True])
@pytest.mark.parametrize("strict", [False, True])
async def test_no_text_of_an_encrypted_job_leaves_its_child(
    suspect: bool, strict: bool, store: Store, log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if suspect:
        await suspects_of(store, Card(number=NUMBER))
    else:
        await charge_isolated.enqueue(Card(number=NUMBER))
    if strict:
        monkeypatch.setenv(STRICT, "1")

    drain = Drain(store, Registry([app]), Budget.of(30.0), patience=0, isolates_suspects=True)
    report = await drain.run([cards])

    assert report.outcomes == ({"parked": 1} if strict else {"retried": 1})
    assert NUMBER not in await stored(store)
    assert NUMBER not in "\n".join(log)
    assert strict or "job_bug" in "\n".join(log)


@pytest.mark.parametrize("job_type", [enqueue, enqueue_isolated])
async def test_its_enqueue_calls_a_drain(job_type: JobType[Any], store: Store) -> None:
    await job_type.enqueue(Work())
    seen = SeenNudges()
    seen.on(store)

    origin = Origin(3, nudged=True)
    await Drain(store, Registry([app]), Budget.of(30.0), patience=0, origin=origin).run(
        [job_type.queue]
    )

    assert seen.calls == [(["others"], 4)]


async def test_it_enqueues_encrypted_jobs_with_the_keys_of_the_function(
    run_one: RunOne, store: Store
) -> None:
    view = await run_one(enqueue_encrypted, Work())

    assert view.state == "completed"
    assert "of a child" not in await stored(store)
    child = await store.inspect(cards, view.result.partition(".")[0], decrypt=True)
    assert "of a child" in str(child.payload)


@pytest.mark.parametrize("do", ["whole", "halves"])
async def test_output_without_lines_is_cut_between_characters(
    do: str, run_one: RunOne, log: list[str]
) -> None:
    await run_one(print_wide, Work(do=do))

    texts = [json.loads(line)["text"] for line in log if "job_output" in line]
    expected = "\u00e4" * 20 if do == "halves" else "x\u00e4\u20ac\U0001f600" * 10_000
    assert "".join(texts) == expected


@pytest.mark.parametrize("job_type", [use_cache, use_cache_in_thread])
async def test_its_cache_is_the_one_of_the_function(
    job_type: JobType[Any], run_one: RunOne, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(tmp_path / "data"))
    await values.set("k", "of the function")

    view = await run_one(job_type, Work())

    assert view.result == "of the function"
    assert await values.get("k") == "of the child"
    assert not (tmp_path / "data").exists()


async def test_a_path_in_the_import_path_does_no_harm(
    run_one: RunOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere"), type("Text", (str,), {})("x")])
    assert (await run_one(keep, Work())).state == "completed"


async def test_an_import_that_needs_more_than_a_window_is_bounded(
    store: Store, log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SLOW_IMPORT, "30")
    job = await keep.enqueue(Work())

    reports = [
        await Drain(store, Registry([app]), Budget.of(1.5), patience=0).run([queue])
        for _ in range(4)
    ]

    view = await job.status()
    assert [report.outcomes for report in reports[:3]] == [{"released": 1}] * 3
    assert reports[3].outcomes == {"parked": 1}
    assert (view.state, view.attempts) == ("parked", 0)
    assert [run.outcome for run in view.runs] == ["release"] * 3
    assert sum("child_late" in line for line in log) == 3
