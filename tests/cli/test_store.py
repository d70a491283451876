"""`tidegate store`: the embedded store as a process of its own."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import pytest

from shared.cli.dev_secrets import NAME
from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, Spawn, end, printed_json


def use(monkeypatch: pytest.MonkeyPatch, local: dict[str, str]) -> None:
    for name in ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
        monkeypatch.setenv(name, local[name])


def test_other_processes_use_it_by_the_printed_lines(
    cli: Cli, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = printed_json(spawn("store", "--port", "0", "--volatile", "--json"))
    use(monkeypatch, local)
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}')

    assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}


def test_its_meter_counts_what_clients_are_billed(
    cli: Cli, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = printed_json(spawn("store", "--port", "0", "--volatile", "--json"))
    use(monkeypatch, local)
    report = cli("drain", "work", "--json").json["store"]

    answer = httpx.get(
        f"{local['UPSTASH_REDIS_REST_URL']}/_meter",
        headers={"Authorization": f"Bearer {local['UPSTASH_REDIS_REST_TOKEN']}"},
    ).json()

    assert (answer["requests"], answer["commands"]) == (
        report["requests"],
        report["billed_commands"],
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(spawn: Spawn, number: int) -> None:
    process = spawn("store", "--port", "0", "--volatile", "--json")
    url = printed_json(process)["UPSTASH_REDIS_REST_URL"]

    assert end(process, number).code is Exit.OK
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_kept_store_keeps_jobs_and_token(cli: Cli, spawn: Spawn, environ: Path) -> None:
    first = spawn("store", "--port", "0", "--json")
    before = printed_json(first)
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "kept")
    assert end(first).code is Exit.OK

    again = printed_json(spawn("store", "--port", "0", "--json"))

    assert again["UPSTASH_REDIS_REST_TOKEN"] == before["UPSTASH_REDIS_REST_TOKEN"]
    assert (environ / NAME).stat().st_mode & 0o777 == 0o600
    assert cli("jobs", "show", "kept.work", "--json").json["state"] == "waiting"


def test_people_get_lines_to_paste(spawn: Spawn) -> None:
    process = spawn("store", "--port", "0", "--volatile")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]

    ran = end(process)

    assert [line.partition("=")[0] for line in lines] == [
        "UPSTASH_REDIS_REST_URL",
        "UPSTASH_REDIS_REST_TOKEN",
    ]
    assert "volatile: its jobs end with this process" in ran.err


def test_a_taken_port_is_one_sentence(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = spawn("store", "--port", str(taken.getsockname()[1]), "--volatile")
        _out, err = process.communicate(timeout=30)

    assert process.returncode == Exit.CONFIGURATION
    assert "choose another port" in err
    assert "Traceback" not in err


def test_damaged_tokens_are_one_sentence(cli: Cli, environ: Path) -> None:
    (environ / NAME).write_text("{")

    ran = cli("store", "--port", "0")

    assert (ran.code, "delete it to get new tokens" in ran.err) == (Exit.CONFIGURATION, True)
