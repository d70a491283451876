"""`tidegate store`: the embedded store as a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from shared.cli.dev_secrets import NAME
from shared.cli.exit_codes import Exit
from tests.cli.conftest import STORE_VARIABLES, Cli, Spawn, end, printed_json


@pytest.fixture
def upstash_environment(
    environ: Path, upstash: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The module's store as the store of the environment."""
    for name, value in upstash.items():
        monkeypatch.setenv(name, value)
    return upstash


def meter(upstash: dict[str, str]) -> tuple[int, int]:
    """Requests and billed commands so far."""
    url, token = (upstash[name] for name in STORE_VARIABLES)
    answer = httpx.get(f"{url}/_meter", headers={"Authorization": f"Bearer {token}"}).json()
    return answer["requests"], answer["commands"]


def test_other_processes_use_it_by_the_printed_variables(
    cli: Cli, upstash_environment: dict[str, str]
) -> None:
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}')

    assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}


def test_its_meter_counts_billed_commands(cli: Cli, upstash_environment: dict[str, str]) -> None:
    requests, commands = meter(upstash_environment)
    report = cli("drain", "work", "--json").json["store"]

    after = meter(upstash_environment)

    bill = (report["requests"], report["billed_commands"])
    assert (after[0] - requests, after[1] - commands) == bill


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(spawn: Spawn, number: int) -> None:
    process = spawn("store", "--port", "0", "--volatile", "--json")
    url = printed_json(process)["UPSTASH_REDIS_REST_URL"]

    assert end(process, number).code is Exit.OK
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_its_jobs_and_token_outlive_the_process(cli: Cli, spawn: Spawn, environ: Path) -> None:
    first = spawn("store", "--port", "0", "--json")
    token = printed_json(first)["UPSTASH_REDIS_REST_TOKEN"]
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "durable")
    assert end(first).code is Exit.OK

    process = spawn("store", "--port", "0")
    assert process.stdout is not None
    variables = dict(process.stdout.readline().rstrip().split("=", 1) for _ in range(2))
    ran = end(process)

    assert list(variables) == list(STORE_VARIABLES)
    assert variables["UPSTASH_REDIS_REST_TOKEN"] == token
    assert f"in {environ}" in ran.err
    assert (environ / NAME).stat().st_mode & 0o777 == 0o600
    assert cli("jobs", "show", "durable.work", "--json").json["state"] == "waiting"


def test_a_port_in_use_is_one_sentence(cli: Cli, upstash: dict[str, str]) -> None:
    port = str(urlsplit(upstash["UPSTASH_REDIS_REST_URL"]).port)

    ran = cli("store", "--port", port, "--volatile")

    assert ran.code is Exit.CONFIGURATION
    assert "choose another port" in ran.err
    assert ran.err.count("\n") == 1


def test_damaged_tokens_are_one_sentence(cli: Cli, environ: Path) -> None:
    (environ / NAME).write_text("{")

    ran = cli("store", "--port", "0")

    assert (ran.code, "delete it to get new tokens" in ran.err) == (Exit.CONFIGURATION, True)


@pytest.mark.parametrize("command", ["store", "dev"])
def test_a_folder_for_a_volatile_store_is_refused(cli: Cli, tmp_path: Path, command: str) -> None:
    ran = cli(command, "--volatile", "--data", str(tmp_path / "kept"))

    assert ran.code is Exit.USAGE
    assert "leave out --data or --volatile" in ran.err
    assert not (tmp_path / "kept").exists()
