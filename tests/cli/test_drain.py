"""`tidegate drain` and `status`: what ran, what it cost, and what a signal leaves behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, Spawn, end, eventually


def test_all_queues_are_drained_and_counted(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "a"}\n{"text": "b"}')
    cli("enqueue", "slow", "note.keep", "-p", '{"text": "c"}')

    report = cli("drain", "--budget", "10", "--json").json

    assert report["outcomes"] == {"done": 3}
    assert report["store"]["requests"] >= 2
    totals = {row["queue"]: row["totals"] for row in cli("status", "--json").json["queues"]}
    assert (totals["work"]["done"], totals["slow"]["done"]) == (2, 1)


def test_only_the_named_queue_is_drained(cli: Cli) -> None:
    for queue in ("work", "slow"):
        cli("enqueue", queue, "note.keep", "-p", '{"text": "x"}')

    ran = cli("drain", "slow")

    assert ran.code is Exit.OK
    assert ran.out.splitlines()[1].split()[:4] == ["slow", "empty", "1", "1"]
    assert "billed commands" in ran.err
    assert cli("status", "work", "--json").json["queues"][0]["waiting"] == 1


def test_a_rate_limit_ends_the_drain_and_is_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_PATIENCE", "0")
    cli("enqueue", "slow", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * 5)

    report = cli("drain", "slow", "--json").json

    assert (report["stop"], report["outcomes"]) == ("limited", {"done": 2})
    (row,) = cli("status", "slow", "--json").json["queues"]
    assert row["waiting"] + row["sizes"]["delayed"] == 3
    assert row["limit"] == {"rate": 2, "per": 60, "burst": 2}


def test_a_failed_job_is_tried_again_and_its_result_kept(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "late"
    payload = f'{{"path": "{file}"}}'
    cli("enqueue", "work", "file.await", "-p", payload, "--job-id", "late")
    cli("queues", "pause", "work")
    cli("queues", "resume", "work")

    report = cli("drain", "work", "--json").json

    assert report["outcomes"] == {"retry": 1, "dead": 1}
    errors = cli("jobs", "show", "late.work", "--json").json["errors"]
    assert [error["attempt"] for error in errors] == [1, 2]
    assert errors[0]["type"] == "FileNotFoundError"


def test_an_unknown_queue_is_not_found(cli: Cli) -> None:
    for command in ("drain", "status"):
        ran = cli(command, "nowhere")
        assert (ran.code, "known: slow, work" in ran.err) == (Exit.NOT_FOUND, True)


def test_a_budget_that_is_none_is_refused(cli: Cli) -> None:
    assert cli("drain", "--budget", "0").code is Exit.USAGE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_gives_back_what_runs(cli: Cli, spawn: Spawn, tmp_path: Path, number: int) -> None:
    started = tmp_path / "started"
    payload = f'{{"seconds": 15, "started": "{started}"}}'
    cli("enqueue", "work", "nap", "-p", payload, "--job-id", "nap")
    process = spawn("drain", "work", "--budget", "60", "--json")
    eventually(started.exists, "the job starts")

    ran = end(process, number)

    assert (ran.code, ran.json["outcomes"]) == (Exit.OK, {"release": 1})
    job = cli("jobs", "show", "nap.work", "--json").json
    assert (job["state"], job["attempts"]) == ("waiting", 0)


def test_status_is_a_plain_table_in_a_pipe(cli: Cli) -> None:
    head, *rows = cli("status").out.splitlines()

    assert head.split()[:3] == ["queue", "waiting", "delayed"]
    assert [row.split()[0] for row in rows] == ["work", "slow"]
    assert not any(ord(c) > 127 or c == "\x1b" for c in "".join([head, *rows]))
