"""The schedule's function: an event in, a report out; warm, misconfigured, without its store, and
ended by its platform."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from shared.config.settings import Settings
from shared.connect import connect
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.errors import ConfigurationError, UnknownQueue
from shared.hosts.aws import DrainFunction
from shared.store import Store
from shared.store.client.rest import Rest
from tests.functions.recorded import Context, event
from tests.functions.sample import Number, double, fail, other, sample, sigterm

ROOT = Path(__file__).parents[2]


@pytest.fixture
def drain(environment: Callable[..., None], cold_start: Callable[[str], ModuleType]) -> Any:
    environment("lambda")
    return cold_start("functions.drain").handler


def lines(text: str) -> list[dict[str, Any]]:
    """What a function printed; every line must be JSON."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_tick_drains_what_is_due_and_returns_its_report(
    drain: Any, store_says: Callable[..., Any]
) -> None:
    (job,) = store_says("enqueue", sample, [double.job(Number(n=21))])

    report = drain(event("schedule"), Context())

    assert (report["stop"], report["outcomes"]) == ("empty", {"done": 1})
    assert set(report["queues"]) == {"sample"}
    view = store_says("inspect", sample, job.id.partition(".")[0])
    assert (view.state, view.history["result"]) == ("completed", {"twice": 42})
    assert json.loads(json.dumps(report)) == report


def test_the_budget_is_what_lambda_says_is_left(drain: Any) -> None:
    report = drain(event("schedule"), Context(seconds=12))

    assert 11 < report["seconds"]["used"] + report["seconds"]["left"] <= 12


def test_the_store_and_the_loop_outlive_the_invocation(environment: Callable[..., None]) -> None:
    environment("lambda")
    opened: list[Store] = []

    def store(settings: Settings) -> Store:
        opened.append(connect(settings))
        return opened[-1]

    settings = Settings.from_env()
    registry = Registry.load(settings.apps)
    drain = DrainFunction(Deployment(settings, registry, open_store=lambda: store(settings)))
    reports = [drain(event("schedule"), Context()) for _ in range(3)]
    drain.close()

    assert [report["stop"] for report in reports] == ["idle"] * 3
    assert [one.meter.requests for one in opened] == [4]


def test_somebody_elses_asyncio_run_between_two_ticks_does_no_harm(
    drain: Any, store_says: Callable[..., Any]
) -> None:
    drain(event("schedule"), Context())
    store_says("enqueue", sample, [double.job(Number(n=1))])  # by asyncio.run

    assert drain(event("schedule"), Context())["outcomes"] == {"done": 1}


def test_an_event_may_name_the_queues(drain: Any, store_says: Callable[..., Any]) -> None:
    store_says("enqueue", sample, [double.job(Number(n=1))])
    store_says("enqueue", other, [fail.job(Number(n=1))])

    report = drain({"queues": ["other"]}, Context())

    assert set(report["queues"]) == {"other"}
    assert store_says("stats", sample).waiting == 1


@pytest.mark.parametrize("wrong", [{"queues": "sample"}, {"queues": [1]}, {"queues": {"a": 1}}])
def test_an_event_that_makes_no_sense_is_an_error(drain: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="list of queue names"):
        drain(wrong, Context())


def test_an_event_for_a_queue_that_nobody_declares_is_an_error(drain: Any) -> None:
    with pytest.raises(UnknownQueue, match="known: other, sample"):
        drain({"queues": ["nowhere"]}, Context())


@pytest.mark.parametrize("nothing", [None, {}, {"queues": []}, {"queues": None}])
def test_an_event_that_names_nothing_is_a_tick(drain: Any, nothing: Any) -> None:
    assert drain(nothing, Context())["stop"] == "idle"


def test_a_store_that_fails_is_told_in_the_report_and_not_raised(
    environment: Callable[..., None],
) -> None:
    environment("lambda")
    reply = httpx.Response(400, json={"error": "ERR max daily request limit exceeded"})

    def store(settings: Settings) -> Store:
        transport = httpx.MockTransport(lambda _request: reply)
        return Store(Rest("https://x.invalid", "token", transport=transport), settings.prefix)

    settings = Settings.from_env()
    registry = Registry.load(settings.apps)
    drain = DrainFunction(Deployment(settings, registry, open_store=lambda: store(settings)))
    tick, named = drain({}, Context()), drain({"queues": ["sample"]}, Context())
    drain.close()

    assert (tick["stop"], named["stop"]) == ("store", "store")
    assert "max daily request limit" in tick["error"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"UPSTASH_REDIS_REST_URL": None}, "UPSTASH_REDIS_REST_URL is not set"),
        ({"UPSTASH_REDIS_REST_TOKEN": None}, "UPSTASH_REDIS_REST_TOKEN is not"),
        ({"TIDEGATE_APPS": "no.such.module:APPS"}, "can't import 'no.such.module'"),
        ({"TIDEGATE_PREFIX": "{bad}"}, "TIDEGATE_PREFIX"),
    ],
)
@pytest.mark.parametrize("module", ["functions.drain", "functions.api"])
def test_a_configuration_that_can_not_work_fails_the_cold_start(
    environment: Callable[..., None], module: str, changes: dict[str, str | None], sentence: str
) -> None:
    environment("lambda", **changes)

    start = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert start.returncode != 0
    assert sentence in start.stderr


def test_sigterm_gives_back_what_runs_and_still_reports(
    drain: Any, store_says: Callable[..., Any]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    (job,) = store_says("enqueue", sample, [sigterm.job(Number(n=1))])

    began = time.monotonic()
    report = drain(event("schedule"), Context())

    assert time.monotonic() - began < 3
    assert (report["stop"], report["outcomes"]) == ("shutdown", {"released": 1})
    view = store_says("inspect", sample, job.id.partition(".")[0])
    assert (view.state, view.attempts, view.crashes) == ("waiting", 0, 0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_writes_one_json_line_an_event_with_the_job_it_speaks_of(
    environment: Callable[..., None],
    cold_start: Callable[[str], ModuleType],
    store_says: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment("lambda")
    drain = cold_start("functions.drain").handler  # here: it takes stdout as it is now
    (job,) = store_says("enqueue", sample, [double.job(Number(n=3))])

    drain(event("schedule"), Context())

    logged = [line for line in lines(capsys.readouterr().out) if "_aws" not in line]
    assert [line["message"] for line in logged] == ["doubled", "drained"]
    doubled, drained = logged
    assert (doubled["job_id"], doubled["queue"], doubled["type"]) == (job.id, "sample", "double")
    assert (doubled["attempt"], doubled["n"], doubled["level"]) == (1, 3, "INFO")
    assert drained["report"]["outcomes"] == {"done": 1}
    assert drained["request_id"] == doubled["request_id"] == Context().aws_request_id


def test_its_counts_become_cloudwatch_metrics_by_queue(
    environment: Callable[..., None],
    cold_start: Callable[[str], ModuleType],
    store_says: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment("lambda")
    drain = cold_start("functions.drain").handler
    store_says("enqueue", sample, [double.job(Number(n=n)) for n in range(3)])
    store_says("enqueue", other, [fail.job(Number(n=1))])

    report = drain(event("schedule"), Context())

    emitted = [line for line in lines(capsys.readouterr().out) if "_aws" in line]
    by_queue = {line["queue"]: line for line in emitted if "queue" in line}
    (whole,) = (line for line in emitted if "queue" not in line)
    assert by_queue["sample"]["Claimed"] == by_queue["sample"]["Done"] == [3.0]
    assert by_queue["sample"]["Dead"] == [0.0]
    assert by_queue["other"]["Done"] == [0.0]
    assert whole["BilledCommands"] == [float(report["store"]["billed_commands"])]
    assert whole["DurationSeconds"][0] > 0
    for line in emitted:
        (metrics,) = line["_aws"]["CloudWatchMetrics"]
        assert metrics["Namespace"] == "Tidegate"


def test_a_failure_is_one_json_line_with_its_traceback_and_without_our_secrets(
    environment: Callable[..., None],
    cold_start: Callable[[str], ModuleType],
    store_says: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment("lambda", CRON_SECRET="there-is-no-such-number")  # as the error of the handler says
    drain = cold_start("functions.drain").handler
    (job,) = store_says("enqueue", other, [fail.job(Number(n=1))])

    drain(event("schedule"), Context())

    out = capsys.readouterr().out
    (failed,) = (line for line in lines(out) if line.get("message") == "job_failed")
    assert (failed["job_id"], failed["queue"], failed["type"]) == (job.id, "other", "fail")
    assert (failed["attempt"], failed["level"], failed["outcome"]) == (1, "WARNING", "retry")
    assert 'raise ValueError("[secret]")' in failed["exception"]
    assert out.count("Traceback") == 1
    assert "there-is-no-such-number" not in out


def test_elsewhere_it_logs_text_to_stderr_and_emits_nothing(
    environment: Callable[..., None],
    cold_start: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment("local")

    report = cold_start("functions.drain").handler({}, Context())

    assert report["stop"] == "idle"
    assert capsys.readouterr().out == ""


def test_it_starts_nothing_before_it_is_called(drain: Any) -> None:
    assert drain._loop is None  # noqa: SLF001 - nothing public tells
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
