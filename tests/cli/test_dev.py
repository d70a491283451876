"""`tidegate dev`: API, store and cron in one process, seen from outside."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, Spawn, end, eventually, printed_json

FREE = ("--port", "0", "--store-port", "0")


def client(up: dict[str, Any]) -> httpx.Client:
    return httpx.Client(
        base_url=up["url"], headers={"Authorization": f"Bearer {up['api_token']}"}, timeout=20
    )


def enqueue(http: httpx.Client, job_type: str, payload: dict[str, Any]) -> str:
    answer = http.post("/api/v1/queues/work/jobs", json={"type": job_type, "payload": payload})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_a_job_enqueued_by_http_is_run_by_a_tick(spawn: Spawn) -> None:
    process = spawn("dev", *FREE, "--volatile", "--every", "0.2", "--json")
    up = printed_json(process)
    with client(up) as http:
        job_id = enqueue(http, "note.keep", {"text": "hello"})

        eventually(
            lambda: bool(http.get(f"/api/v1/jobs/{job_id}").json()["state"] == "completed"),
            "a tick runs the job",
        )

    ran = end(process)
    assert ran.code is Exit.OK
    assert "tick: 1 done" in ran.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_gives_back_what_runs_and_ends_well(
    cli: Cli, spawn: Spawn, tmp_path: Path, number: int
) -> None:
    started = tmp_path / "started"
    process = spawn("dev", *FREE, "--every", "0.2", "--json")
    up = printed_json(process)
    with client(up) as http:
        job_id = enqueue(http, "nap", {"seconds": 15, "started": str(started)})
    eventually(started.exists, "a tick starts the job")

    ran = end(process, number)

    assert (ran.code, "Traceback" in ran.err) == (Exit.OK, False)
    job = cli("jobs", "show", job_id, "--json").json
    assert (job["state"], job["attempts"]) == ("waiting", 0)


def test_another_process_without_settings_meets_the_same_store(cli: Cli, spawn: Spawn) -> None:
    up = printed_json(spawn("dev", *FREE, "--no-ticks", "--json"))
    with client(up) as http:
        job_id = enqueue(http, "note.keep", {"text": "x"})

        assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}
        assert http.get(f"/api/v1/jobs/{job_id}").json()["state"] == "completed"


def test_a_client_elsewhere_uses_the_printed_store(
    cli: Cli, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = printed_json(spawn("dev", *FREE, "--volatile", "--no-ticks", "--json"))
    for name in ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
        monkeypatch.setenv(name, up[name])
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "mine")

    with client(up) as http:
        assert http.get("/api/v1/jobs/mine.work").json()["state"] == "waiting"


def test_without_ticks_the_cron_route_drains(spawn: Spawn) -> None:
    up = printed_json(spawn("dev", *FREE, "--volatile", "--no-ticks", "--json"))
    with client(up) as http:
        enqueue(http, "note.keep", {"text": "x"})
        tick = {"Authorization": f"Bearer {up['CRON_SECRET']}"}

        assert http.post("/api/cron/drain", headers=tick).json()["outcomes"] == {"done": 1}


def test_a_stranger_is_refused(spawn: Spawn) -> None:
    up = printed_json(spawn("dev", *FREE, "--volatile", "--no-ticks", "--json"))

    assert httpx.get(f"{up['url']}/api/v1/stats").status_code == 401
    assert httpx.post(f"{up['url']}/api/cron/drain").status_code == 401


def test_its_tokens_are_kept_with_the_data(spawn: Spawn, tmp_path: Path) -> None:
    first = spawn("dev", *FREE, "--data", str(tmp_path / "own"), "--no-ticks", "--json")
    before = printed_json(first)
    end(first)

    again = printed_json(
        spawn("dev", *FREE, "--data", str(tmp_path / "own"), "--no-ticks", "--json")
    )

    for name in ("api_token", "CRON_SECRET", "UPSTASH_REDIS_REST_TOKEN"):
        assert again[name] == before[name]


def test_the_environments_own_tokens_and_store_are_used(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = printed_json(spawn("store", "--port", "0", "--volatile", "--json"))
    for name in ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
        monkeypatch.setenv(name, local[name])
    monkeypatch.setenv("TIDEGATE_API_TOKENS", "admin:a-token-of-my-own-choice")
    monkeypatch.setenv("CRON_SECRET", "a-secret-of-my-own-choice")

    up = printed_json(spawn("dev", *FREE, "--no-ticks", "--json"))

    assert up == {"url": up["url"], "api_token": None}
    with client({**up, "api_token": "a-token-of-my-own-choice"}) as http:
        assert http.get("/api/v1/stats").status_code == 200


def test_people_get_the_address_and_lines_to_paste(spawn: Spawn) -> None:
    process = spawn("dev", *FREE, "--volatile", "--no-ticks")
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip() for _ in range(5)]

    ran = end(process)

    assert lines[0].split()[0] == "API"
    assert lines[0].split()[-1].startswith("http://127.0.0.1:")
    assert [line.partition("=")[0] for line in lines[2:]] == [
        *("CRON_SECRET", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN")
    ]
    assert "Ctrl-C stops it." in ran.err


def test_a_taken_port_is_one_sentence(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = spawn("dev", "--port", port, "--store-port", "0", "--volatile")
        _out, err = process.communicate(timeout=30)

    assert process.returncode == Exit.CONFIGURATION
    assert f"can't listen on 127.0.0.1:{port}" in err
    assert "Traceback" not in err


def test_applications_that_do_not_load_are_one_sentence(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "nowhere.at:all")

    process = spawn("dev", *FREE, "--volatile")
    _out, err = process.communicate(timeout=30)

    assert process.returncode == Exit.CONFIGURATION
    assert err.splitlines()[-1].startswith("tidegate: TIDEGATE_APPS: can't import")
    assert "Traceback" not in err
