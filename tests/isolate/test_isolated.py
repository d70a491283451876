"""What an isolated handler does stays its own: outcomes, deaths, output, progress, enqueues."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shared import ConfigurationError, Isolation
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.conversation import MOST_OUTPUT
from shared.drain.drain import Drain
from shared.drain.report import Report
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import server
from shared.errors import IsolatedError
from shared.isolate import idle
from shared.jobs.ids import child_id, unique_id
from shared.jobs.job import Job
from shared.jobs.redact import keep_secret
from shared.store import Store
from shared.store.views import JobView
from shared.testing import TOKEN, embedded_store
from tests.isolate.conftest import RunOne
from tests.support.isolated import (
    MEMORY,
    Deed,
    app,
    handle,
    handle_bounded,
    handle_def,
    handle_ids,
    handle_large,
    handle_length,
    handle_secret,
    handle_secret_ids,
    handle_short,
    handle_short_def,
    in_process,
)
from tests.support.values import Declare
from tests.support.world import World

ROOT = Path(__file__).parents[2]

Drained = Callable[..., Awaitable[Report]]


def children() -> set[int]:
    """The processes that this one has started and not waited for."""
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("job_type", [handle, handle_def], ids=["async", "def"])
async def test_a_handler_runs_in_one_child_that_is_used_again(
    job_type: JobType[Any], run_one: RunOne
) -> None:
    jobs = [await run_one(job_type, Deed()) for _ in range(3)]

    pids = {job.result["pid"] for job in jobs}
    assert [job.state for job in jobs] == ["completed"] * 3
    assert len(pids) == 1
    assert os.getpid() not in pids


async def test_fifty_jobs_of_one_drain_share_few_children(drain: Drained, store: Store) -> None:
    jobs = await handle.enqueue_many([handle.job(Deed()) for _ in range(50)])

    report = await drain(handle)

    pids = {(await job.status()).result["pid"] for job in jobs}
    assert report.outcomes == {"done": 50}
    assert len(pids) <= 4


async def test_children_end_and_no_descriptor_is_left(run_one: RunOne) -> None:
    await run_one(in_process, Deed())
    opened, before = descriptors(), children()
    for deed in (Deed(), Deed(do="exit", arg="1"), Deed(do="segfault"), Deed()):
        await run_one(handle, deed)

    await idle.end_idle()

    assert descriptors() == opened
    assert children() == before


DEATHS = {
    "segfault": (Deed(do="segfault"), "ended by signal 11 (SIGSEGV)"),
    "exit 7": (Deed(do="exit", arg="7"), "ended with exit code 7"),
    "exit 0": (Deed(do="exit", arg="0"), "ended with exit code 0"),
    "closed": (Deed(do="close"), "child process"),
}


@pytest.mark.parametrize("death", DEATHS)
async def test_a_death_is_a_failed_attempt_of_that_job_alone(
    death: str, drain: Drained, store: Store
) -> None:
    deed, message = DEATHS[death]
    guilty = await handle.enqueue(deed)
    innocent = await handle.enqueue_many([handle.job(Deed()) for _ in range(8)])

    report = await drain(handle)

    view = await guilty.status()
    assert (view.state, view.attempts, view.crashes) == ("delayed", 1, 0)
    (error,) = view.errors
    assert error["type"] == "ChildDied"
    assert message in error["message"]
    assert "where" not in error
    assert report.outcomes == {"retried": 1, "done": 8}
    assert {(await job.status()).attempts for job in innocent} == {1}


@pytest.mark.parametrize("deed", ["spin", "swallow"])
@pytest.mark.parametrize("job_type", [handle_short, handle_short_def], ids=["async", "def"])
async def test_a_handler_that_does_not_stop_is_killed_at_its_timeout(
    deed: str, job_type: JobType[Any], run_one: RunOne
) -> None:
    view = await run_one(job_type, Deed(do=deed))

    assert (view.state, view.attempts) == ("delayed", 1)
    assert view.errors[0]["type"] == "TimeoutError"
    assert view.errors[0]["message"] == "killed at its timeout of 0.5 s"


async def test_a_handler_that_obeys_ends_as_in_process(run_one: RunOne) -> None:
    view = await run_one(handle_short, Deed(do="hang"))
    assert view.errors[0]["message"] == "not done after 0.5 s"
    assert "hang" in view.errors[0]["where"]


@pytest.mark.parametrize("deed", ["spin", "swallow", "hang"])
async def test_at_the_end_of_the_budget_the_job_is_given_back_in_time(
    deed: str, drain: Drained, run_one: RunOne, tmp_path: Path
) -> None:
    await run_one(handle, Deed())  # its child is ready, however busy the machine is
    job = await handle.enqueue(Deed(do=deed, arg=str(tmp_path / "began")))

    report = await drain(handle, budget=4.0)

    view = await job.status()
    assert report.outcomes == {"released": 1}
    assert report.seconds_left > 0
    assert (view.state, view.attempts) == ("waiting", 0)
    await until(lambda: not is_running(int((tmp_path / "began").read_text())) or deed == "hang")


async def test_an_operator_can_cancel_a_handler_that_swallows_cancellation(
    drain: Drained, store: Store, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    job = await handle.enqueue(Deed(do="swallow", arg=str(began)))
    draining = asyncio.ensure_future(drain(handle))
    await until(began.exists)

    await job.cancel()
    report = await draining

    assert report.outcomes == {"cancelled": 1}
    assert (await job.status()).state == "cancelled"


RAISED = ["value", "unpicklable", "group", "later", "throttled", "snooze", "discard", "cancel"]
INSTANTS = {"at", "snoozed_since"}


def described(view: JobView) -> dict[str, Any]:
    """All that the end of its attempt has left, without instants. Frames: without the handler's
    own, whose name differs."""
    errors = [{k: v for k, v in error.items() if k not in INSTANTS} for error in view.errors]
    for error in errors:
        error["stack"] = error.get("stack", [])[1:]
    waits = view.state == "delayed" and round((view.at_ms - view.now_ms) / 10_000)
    return {"state": view.state, "attempts": view.attempts, "errors": errors, "waits": waits}


@pytest.mark.parametrize("raised", RAISED)
async def test_an_exception_means_what_it_means_in_process(raised: str, run_one: RunOne) -> None:
    expected = await run_one(in_process, Deed(do="raise", arg=raised))

    view = await run_one(handle, Deed(do="raise", arg=raised))

    assert view.state in ("delayed", "dead", "cancelled")
    assert described(view) == described(expected)


async def test_a_call_of_exit_is_an_exception_as_in_process(run_one: RunOne) -> None:
    view = await run_one(handle, Deed(do="leave"))
    assert (view.errors[0]["type"], view.errors[0]["message"]) == ("SystemExit", "3")


async def test_a_failure_hook_gets_an_error_that_names_the_class_and_has_the_traceback(
    run_one: RunOne,
) -> None:
    told: list[BaseException] = []
    app.on_failure(lambda error, failure: told.append(error))
    try:
        await run_one(handle, Deed(do="raise", arg="value"))
    finally:
        handle.queue.failure_hooks.pop()  # type: ignore[attr-defined]  # a list of the application

    (error,) = told
    assert isinstance(error, IsolatedError)
    assert (error.type, str(error)) == ("ValueError", "ValueError: bad value")
    assert "in raise_one" in error.__notes__[0]


async def test_a_result_that_is_too_large_is_told_and_the_job_is_done(run_one: RunOne) -> None:
    view = await run_one(handle_large, Deed())

    assert (view.state, view.result) == ("completed", None)
    assert "5000002 bytes" in str(view.result_error)


async def test_memory_within_the_bound_is_given_and_beyond_it_the_job_fails(
    run_one: RunOne,
) -> None:
    small = await run_one(handle_bounded, Deed(arg=str(MEMORY // 4)))
    large = await run_one(handle_bounded, Deed(arg=str(MEMORY * 2)))
    free = await run_one(handle, Deed())

    assert small.result == MEMORY // 4
    assert (large.state, large.attempts) == ("delayed", 1)
    assert large.errors[0]["type"] == "MemoryError"
    assert large.errors[0]["message"] == "exceeded its memory bound of 128 MiB"
    assert free.state == "completed"


async def test_output_goes_to_the_log_with_its_job_and_is_bounded(
    run_one: RunOne, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tidegate.job"):
        view = await run_one(handle, Deed(do="garbage"))

    written = [record for record in caplog.records if record.msg == "job_output"]
    texts = [vars(record)["text"] for record in written]
    text = "\n".join(texts)
    assert view.state == "completed"
    assert {vars(record)["job_id"] for record in written} == {view.id}
    assert text.startswith("\ufffd\0{not json")
    assert "line 1\n" in text
    assert sum(map(len, texts)) <= MOST_OUTPUT
    assert [r.msg for r in caplog.records].count("job_output_dropped") == 1


async def test_log_records_and_progress_reach_the_function(
    run_one: RunOne, caplog: pytest.LogCaptureFixture
) -> None:
    view = await run_one(handle, Deed(do="progress"))

    (own,) = [record for record in caplog.records if record.msg == "half way"]
    (beside,) = [record for record in caplog.records if record.name == "shop"]
    assert (view.progress, view.note) == (40, "nearly")
    assert (own.name, own.levelname, own.funcName) == ("tidegate.job", "WARNING", "progress")
    assert (vars(own)["job_id"], vars(own)["step"]) == (view.id, 2)
    assert beside.msg == "beside"


@pytest.mark.parametrize("job_type", [handle, handle_def], ids=["async", "def"])
async def test_a_handler_enqueues_through_the_functions_store(
    job_type: JobType[Any], run_one: RunOne, drain: Drained, store: Store
) -> None:
    before = store.meter.snapshot()
    await run_one(job_type, Deed(do="enqueue", arg="work"))

    assert store.meter.since(before).by_verb["enqueue"] >= 5 + 5
    assert (await drain(in_process)).outcomes == {"done": 1}


@pytest.mark.parametrize("deed", ["fork", "fork_and_die"])
async def test_a_grandchild_does_not_keep_the_job_and_ends_with_its_child(
    deed: str, run_one: RunOne, tmp_path: Path
) -> None:
    view = await run_one(handle, Deed(do=deed, arg=str(tmp_path / "pids")))

    await idle.end_idle()

    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert (view.state == "completed") == (deed == "fork")
    await until(lambda: not any(map(is_running, pids)))


@pytest.mark.parametrize("deed", ["spin", "hang", "swallow"])
async def test_a_child_ends_when_its_function_is_killed(
    deed: str, protocol: UpstashProtocol, world: World, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    await handle.enqueue(Deed(do=deed, arg=str(began)))
    web = server(protocol, port=0)
    serving = asyncio.create_task(web.serve())
    await until(lambda: web.started)
    url = f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
    function = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.isolated", url, TOKEN), cwd=ROOT
    )
    await until(lambda: began.exists() and began.read_text() != "", 30.0)

    function.kill()
    await function.wait()

    await until(lambda: not is_running(int(began.read_text())))
    web.should_exit = True
    await serving


def test_a_child_serves_drains_of_several_event_loops() -> None:
    pids = set()

    async def invocation() -> None:
        async with embedded_store() as store:
            job = await handle.enqueue(Deed())
            await Drain(store, Registry([app]), Budget.of(30.0), patience=0).run([handle.queue])
            pids.add((await job.status()).result["pid"])

    for _ in range(2):
        asyncio.run(invocation())
    asyncio.run(idle.end_idle())

    assert len(pids) == 1


async def test_four_jobs_run_at_a_time(drain: Drained, store: Store, tmp_path: Path) -> None:
    await handle.enqueue_many([handle.job(Deed(do="meet", arg=str(tmp_path))) for _ in range(6)])
    assert (await drain(handle)).outcomes == {"done": 6}


async def test_an_idle_child_that_does_not_answer_is_replaced(run_one: RunOne) -> None:
    first = (await run_one(handle, Deed())).result["pid"]
    os.kill(first, signal.SIGSTOP)

    again = await run_one(handle, Deed())

    assert again.state == "completed"
    assert again.result["pid"] != first
    await until(lambda: not is_running(first))


async def test_no_secret_of_the_function_is_kept_in_an_error(run_one: RunOne) -> None:
    keep_secret(["a-secret-of-this-test"])
    view = await run_one(handle, Deed(do="leak", arg="a-secret-of-this-test"))
    assert view.errors[0]["message"] == "the token is [secret]"


async def test_an_encrypted_job_runs_isolated_and_stays_encrypted(
    store: Store, run_one: RunOne
) -> None:
    done = await run_one(handle_secret, Deed(arg="attic-key"))
    failed = await run_one(handle_secret, Deed(do="fail", arg="attic-key"))

    assert (done.state, done.result) == ("completed", {"said": "attic-key"})
    assert (failed.state, failed.errors[0]["message"]) == ("delayed", "no attic-key")
    stored = await store.rest.execute(["HGETALL", "{test:secret}:records"], "test")
    assert "attic-key" not in str(stored)


@pytest.mark.parametrize("job_type", [handle_ids, handle_secret_ids])
async def test_a_job_has_the_same_unique_id_in_a_child_process(
    run_one: RunOne, job_type: JobType[Any]
) -> None:
    view = await run_one(job_type, Deed(), job_id="order-7")
    unique = unique_id(view.id, view.created_ms)
    assert view.result == [unique, child_id(unique, "next")]
    assert unique != view.id


async def test_a_large_payload_arrives_whole(run_one: RunOne) -> None:
    text = "\u00e4" * 100_000
    view = await run_one(handle_length, Deed(arg=text))
    assert view.result == len(text)


async def test_a_payload_that_does_not_fit_is_parked_as_in_process(
    store: Store, drain: Drained
) -> None:
    await store.enqueue(handle.queue, [Job("t", '{"do": 7}', "wrong")])
    assert (await drain(handle)).outcomes == {"parked": 1}


async def test_an_application_that_a_child_cannot_import_fails_the_job_with_a_sentence(
    store: Store,
) -> None:
    registry = Registry([app])
    registry.references = ("no_such_module:app",)
    job = await handle.enqueue(Deed())

    await Drain(store, registry, Budget.of(30.0), patience=0).run([handle.queue])

    (error,) = (await job.status()).errors
    assert error["type"] == "ChildDied"
    assert "can't be imported" in error["message"]
    assert "no_such_module" in error["message"]


async def test_a_handler_of_a_script_fails_with_a_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch, declare: Declare
) -> None:
    async def handler(payload: Deed) -> None: ...

    handler.__module__ = "__main__"
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    queue = declare()
    job = await queue.job("t", isolate=True)(handler).enqueue(Deed())

    await Drain(store, Registry([]), Budget.of(30.0), patience=0).run([queue])

    (error,) = (await job.status()).errors
    assert "move it into a module" in error["message"]


async def test_a_dead_idle_child_is_replaced(run_one: RunOne) -> None:
    first = (await run_one(handle, Deed())).result["pid"]
    os.kill(first, signal.SIGKILL)

    again = await run_one(handle, Deed())

    assert again.state == "completed"
    assert again.result["pid"] != first


ON_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "tidegate",
    "UPSTASH_REDIS_REST_URL": "https://example.invalid",
    "UPSTASH_REDIS_REST_TOKEN": "none",
}


async def test_a_function_without_isolated_jobs_imports_nothing_of_it() -> None:
    code = "import sys, functions.drain; print([m for m in sys.modules if 'isolate' in m])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=ON_LAMBDA
    )
    assert (await process.communicate())[0].strip() == b"[]"


def test_a_declaration_that_makes_no_sense_says_what_to_write(declare: Declare) -> None:
    with pytest.raises(
        ConfigurationError, match="isolate is True or False or an Isolation, not 'yes'"
    ):
        declare().job("t", isolate="yes")(lambda payload: None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="memory=1000 bytes; choose 67108864"):
        Isolation(memory=1000)
