"""`tidegate drain` and `status`: counts, costs, and the state after a signal."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import DEADLINE, Cli, Spawn, end, eventually
from tests.support.bugs import fail_on_queue


def test_all_queues_are_drained_and_counted(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "a"}\n{"text": "b"}')
    cli("enqueue", "slow", "note.keep", "-p", '{"text": "c"}')

    report = cli("drain", "--budget", "10", "--json").json

    assert report["outcomes"] == {"done": 3}
    assert report["store"]["requests"] >= 2
    totals = {row["name"]: row["totals"] for row in cli("status", "--json").json["queues"]}
    assert (totals["work"]["done"], totals["slow"]["done"]) == (2, 1)


def test_only_the_named_queue_is_drained(cli: Cli) -> None:
    for queue in ("work", "slow"):
        cli("enqueue", queue, "note.keep", "-p", '{"text": "x"}')

    ran = cli("drain", "slow")

    assert ran.code is Exit.OK
    assert ran.out.splitlines()[1].split()[:4] == ["slow", "empty", "1", "1"]
    assert "billed commands" in ran.err
    assert cli("status", "work", "--json").json["queues"][0]["counts"]["waiting"] == 1


@pytest.mark.parametrize("named", [(), ("work", "slow"), ("slow", "work")])
def test_what_handlers_enqueue_on_other_queues_runs_too(cli: Cli, named: tuple[str, ...]) -> None:
    cli("enqueue", "slow", "note.pass", "-p", '{"text": "x", "size": 1}')

    report = cli("drain", *named, "--json").json

    assert report["outcomes"] == {"done": 4}
    assert (report["stop"], set(report["queues"])) == ("empty", {"work", "slow"})
    rows = cli("status", "--json").json["queues"]
    assert [row["counts"]["waiting"] for row in rows] == [0, 0]
    assert cli("drain").out.count("work") == 1  # a queue is one row, however often it was drained


def test_what_handlers_enqueue_on_a_queue_that_is_not_named_waits(cli: Cli) -> None:
    cli("enqueue", "slow", "note.pass", "-p", '{"text": "x"}')

    assert cli("drain", "slow", "--json").json["outcomes"] == {"done": 1}
    assert cli("status", "work", "--json").json["queues"][0]["counts"]["waiting"] == 1


def test_a_bug_in_one_queue_s_part_is_a_failure_and_not_a_store_that_is_away(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on_queue(monkeypatch, "slow")
    for queue in ("work", "slow"):
        cli("enqueue", queue, "note.keep", "-p", '{"text": "x"}')

    ran = cli("drain", "--json")

    assert (ran.code, ran.json["stop"], ran.json["outcomes"]) == (Exit.FAILED, "error", {"done": 1})
    assert "Report it" in ran.err
    assert "ZeroDivisionError: inner words" in ran.err
    assert "reach" not in ran.err


def test_a_rate_limit_ends_the_drain_and_is_its_stop_reason(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_PATIENCE", "0")
    cli("enqueue", "slow", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * 5)

    report = cli("drain", "slow", "--json").json

    assert (report["stop"], report["outcomes"]) == ("limited", {"done": 2})
    (row,) = cli("status", "slow", "--json").json["queues"]
    assert row["counts"]["waiting"] + row["counts"]["delayed"] == 3
    assert row["limit"] | {"tokens": None} == {"rate": 2, "per": 600, "burst": 2, "tokens": None}


def test_a_failed_job_is_retried_and_keeps_its_errors(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "late"
    payload = f'{{"path": "{file}"}}'
    cli("enqueue", "work", "file.await", "-p", payload, "--job-id", "late")
    cli("queues", "pause", "work")
    cli("queues", "resume", "work")

    report = cli("drain", "work", "--json").json

    assert report["outcomes"] == {"retried": 1, "dead": 1}
    errors = cli("jobs", "show", "late.work", "--json").json["errors"]
    assert [error["attempt"] for error in errors] == [1, 2]
    assert errors[0]["type"] == "FileNotFoundError"


@pytest.mark.parametrize(("level", "lines"), [("INFO", 1), ("warning", 0)])
def test_a_job_may_log_and_the_level_is_obeyed(
    cli: Cli, spawn: Spawn, level: str, lines: int
) -> None:
    cli("enqueue", "work", "note.log", "-p", '{"text": "hello"}', "--job-id", "a")

    process = spawn("drain", "work", "--json", TIDEGATE_LOG_LEVEL=level)
    out, err = process.communicate(timeout=DEADLINE)

    assert json.loads(out)["outcomes"] == {"done": 1}
    logged = [line for line in err.splitlines() if "INFO hello" in line]
    assert [line.split()[-3:] for line in logged] == [
        ["job_id=a.work", "type=note.log", "attempt=1"]
    ] * lines


def test_a_failure_is_told_once_with_its_traceback(cli: Cli, spawn: Spawn) -> None:
    cli("enqueue", "work", "note.lose", "-p", '{"text": "x"}', "--job-id", "a", "--attempts", "1")

    _, err = spawn("drain", "work", "--json").communicate(timeout=DEADLINE)

    (line,) = (line for line in err.splitlines() if "job_failed" in line)
    assert "ERROR job_failed queue=work job_id=a.work type=note.lose attempt=1" in line
    assert err.count("Traceback") == 2  # the error, and what it was raised from
    assert "shared/drain" not in err
    shown = cli("jobs", "show", "a.work").out
    for text in (
        ": lost x",
        "KeyError: 'x'",
        "tests/cli/sample.py:",
        "in _find",
        "look on the desk",
    ):
        assert text in shown


def test_an_unknown_log_level_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_LOG_LEVEL", "LOUD")
    ran = cli("drain")
    assert (ran.code, "DEBUG, INFO" in ran.err) == (Exit.CONFIGURATION, True)


def test_an_unknown_queue_is_not_found(cli: Cli) -> None:
    for command in ("drain", "status"):
        ran = cli(command, "nowhere")
        assert (ran.code, "known: slow, work" in ran.err) == (Exit.NOT_FOUND, True)


def test_a_budget_of_zero_is_refused(cli: Cli) -> None:
    assert cli("drain", "--budget", "0").code is Exit.USAGE


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, Exit.TERMINATED), (signal.SIGINT, Exit.INTERRUPTED)]
)
def test_a_signal_releases_the_running_job(
    cli: Cli, spawn: Spawn, tmp_path: Path, number: int, code: Exit
) -> None:
    started = tmp_path / "started"
    payload = f'{{"seconds": 15, "started": "{started}"}}'
    cli("enqueue", "work", "nap", "-p", payload, "--job-id", "nap")
    process = spawn("drain", "--budget", "60", "--json")
    eventually(started.exists, "the job starts")

    ran = end(process, number)

    assert (ran.code, ran.json["outcomes"]) == (code, {"released": 1})
    assert "tidegate: interrupted" in ran.err
    assert (ran.json["stop"], ran.json["queues"]["work"]["stop"]) == ("shutdown", "shutdown")
    job = cli("jobs", "show", "nap.work", "--json").json
    assert (job["state"], job["attempts"]) == ("waiting", 0)


def test_a_job_whose_thread_ran_on_says_so(
    cli: Cli, spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.second:app")
    started = tmp_path / "started"
    payload = f'{{"started": "{started}"}}'
    cli("enqueue", "keyed", "photo.hold", "-p", payload, "--job-id", "held")
    process = spawn("drain", "--budget", "60", "--json")
    eventually(started.exists, "the job starts")

    assert end(process, signal.SIGINT).json["outcomes"]["released"] == 1

    explanation = cli("jobs", "show", "held.keyed", "--json").json["explanation"]
    assert explanation["code"] == "released"
    assert "its drain ended while it ran" in explanation["detail"]
    assert "its thread may run on" in cli("jobs", "show", "held.keyed").out


def test_status_is_a_plain_table_in_a_pipe(cli: Cli) -> None:
    head, *rows = cli("status").out.splitlines()

    assert head.split()[:3] == ["queue", "waiting", "delayed"]
    assert [row.split()[0] for row in rows] == ["work", "slow"]
    assert not any(ord(c) > 127 or c == "\x1b" for c in "".join([head, *rows]))


def test_status_shows_durations_over_all_types_of_a_queue(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * 12)
    cli("enqueue", "work", "file.read", "-p", "-", stdin='{"path": "/"}\n' * 12)
    cli("drain", "work")

    head, row = cli("status", "work").out.replace(" s ", "_s ").splitlines()

    shown = dict(zip(head.split(), row.split(), strict=True))
    assert float(shown["avg_s"]) <= float(shown["p95_s"]) < 20
