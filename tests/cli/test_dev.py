"""`tidegate dev`: API, store and cron in one process, seen from outside."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import ROOT, STORE_VARIABLES, Cli, Spawn, end, eventually, printed_json

FREE = ("--port", "0", "--store-port", "0")


@dataclass(frozen=True, slots=True)
class Server:
    """A running `tidegate dev`: its data folder, and the variables that it printed."""

    data: Path
    printed: dict[str, str]


@pytest.fixture(scope="module")
def server(spawn_for_module: Spawn, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """One server without ticks for the tests of this module."""
    data = tmp_path_factory.mktemp("dev") / "data"
    process = spawn_for_module(
        *("dev", *FREE, "--no-ticks", "--json", "--data", str(data)),
        TIDEGATE_APPS="tests.cli.sample:app",
    )
    return Server(data, printed_json(process))


def client(printed: dict[str, Any]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {printed['api_token']}"}
    return httpx.Client(base_url=printed["url"], headers=headers, timeout=20)


def enqueue(http: httpx.Client, job_type: str, payload: dict[str, Any]) -> str:
    answer = http.post("/api/v1/queues/work/jobs", json={"type": job_type, "payload": payload})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ticks_run_jobs_until_a_signal_releases_them(
    cli: Cli, spawn: Spawn, tmp_path: Path, number: int
) -> None:
    started = tmp_path / "started"
    process = spawn("dev", *FREE, "--every", "0.2", "--json")
    with client(printed_json(process)) as http:
        note = enqueue(http, "note.keep", {"text": "hello"})
        eventually(
            lambda: bool(http.get(f"/api/v1/jobs/{note}").json()["state"] == "completed"),
            "a tick runs the job",
        )
        nap = enqueue(http, "nap", {"seconds": 15, "started": str(started)})
    eventually(started.exists, "a tick starts the job")

    ran = end(process, number)

    assert (ran.code, "Traceback" in ran.err) == (Exit.OK, False)
    assert "tick: 1 done" in ran.err
    job = cli("jobs", "show", nap, "--json").json
    assert (job["state"], job["attempts"]) == ("waiting", 0)


def test_another_process_with_the_same_data_folder_uses_the_same_store(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(server.data))
    with client(server.printed) as http:
        job_id = enqueue(http, "note.keep", {"text": "x"})

        assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}
        assert http.get(f"/api/v1/jobs/{job_id}").json()["state"] == "completed"


def test_a_client_with_the_printed_variables_uses_the_same_store(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in STORE_VARIABLES:
        monkeypatch.setenv(name, server.printed[name])
    cli(
        *("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "mine"),
        *("--delay", "3600"),
    )

    with client(server.printed) as http:
        assert http.get("/api/v1/jobs/mine.work").json()["state"] == "delayed"


def test_a_database_of_the_environment_is_named(
    spawn: Spawn, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in STORE_VARIABLES:
        monkeypatch.setenv(name, server.printed[name])
    process = spawn("dev", *FREE, "--no-ticks", "--json")
    printed_json(process)

    ran = end(process, signal.SIGTERM)

    host = urlsplit(server.printed["UPSTASH_REDIS_REST_URL"]).netloc
    assert f"Uses the database {host}, prefix 'tidegate': jobs that wait there run" in ran.err


def test_json_output_is_what_http_answers(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(server.data))
    with client(server.printed) as http:
        job_id = enqueue(http, "file.read", {"path": "/missing"})
        cli("drain", "work")

        for args, path in (
            (("jobs", "show", job_id), f"/api/v1/jobs/{job_id}"),
            (("dead", "show", job_id), f"/api/v1/dead-letters/{job_id}"),
            (("dead", "list"), "/api/v1/dead-letters"),
            (("jobs", "list", "--state", "dead"), "/api/v1/jobs?state=dead"),
            (("jobs", "list"), "/api/v1/jobs?state=waiting"),
        ):
            assert cli(*args, "--json").json == http.get(path).json()
        statuses = (cli("status", "--json").json, http.get("/api/v1/queues").json())
    for queue in (queue for status in statuses for queue in status["queues"]):
        queue["oldest_age"] = None
    assert statuses[0] == statuses[1]


def test_actions_answer_the_same_on_the_command_line_and_over_http(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_DATA", str(server.data))
    with client(server.printed) as http:
        ids = [enqueue(http, "file.read", {"path": "/missing"}) for _ in range(2)]
        cli("drain", "work")
        for args, path, body in (
            (("queues", "purge", "slow", "--yes"), "/api/v1/queues/slow/purge", None),
            (("queues", "purge-names", "slow", "-y"), "/api/v1/queues/slow/purge-names", None),
            (("dead", "redrive", ids[0]), "/api/v1/dead-letters/redrive", {"ids": ids[1:]}),
        ):
            here, there = cli(*args, "--json").json, http.post(path, json=body).json()
            assert _plain(here, ids) == _plain(there, ids)
        ended = [enqueue(http, "note.keep", {"text": "x"}) for _ in range(2)]
        here = cli("jobs", "cancel", ended[0], "--json").json
        there = http.delete(f"/api/v1/jobs/{ended[1]}").json()
        assert _plain(here, ended) == _plain(there, ended)
        cli("drain", "work")


def _plain(document: Any, ids: list[str]) -> str:
    text = json.dumps(document)
    for job_id in ids:
        text = text.replace(job_id, "ID")
    return text


def test_without_ticks_the_cron_route_drains(server: Server) -> None:
    with client(server.printed) as http:
        enqueue(http, "note.keep", {"text": "x"})
        tick = {"Authorization": f"Bearer {server.printed['CRON_SECRET']}"}

        assert http.post("/api/cron/drain", headers=tick).json()["outcomes"] == {"done": 1}


def test_a_request_without_a_token_is_refused(server: Server) -> None:
    url = server.printed["url"]

    assert httpx.get(f"{url}/api/v1/stats").status_code == 401
    assert httpx.post(f"{url}/api/cron/drain").status_code == 401


def test_people_get_the_address_and_the_tokens_of_the_data_folder(
    spawn: Spawn, server: Server
) -> None:
    process = spawn("dev", *FREE, "--no-ticks", "--data", str(server.data))
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip() for _ in range(5)]

    ran = end(process)

    assert lines[0].split()[0] == "API"
    assert lines[0].split()[-1].startswith("http://127.0.0.1:")
    assert lines[1].split()[-1] == server.printed["api_token"]
    variables = dict(line.split("=", 1) for line in lines[2:])
    assert list(variables) == ["CRON_SECRET", *STORE_VARIABLES]
    for name in ("CRON_SECRET", "UPSTASH_REDIS_REST_TOKEN"):
        assert variables[name] == server.printed[name]
    assert "Ctrl-C stops it." in ran.err


def test_the_tokens_and_the_store_of_the_environment_are_used(spawn: Spawn, server: Server) -> None:
    printed = printed_json(
        spawn(
            *("dev", *FREE, "--no-ticks", "--json"),
            **{name: server.printed[name] for name in STORE_VARIABLES},
            TIDEGATE_API_TOKENS="admin:a-token-of-my-own-choice",
            CRON_SECRET="a-secret-of-my-own-choice",
        )
    )

    assert printed == {"url": printed["url"], "api_token": None}
    with client({**printed, "api_token": "a-token-of-my-own-choice"}) as http:
        assert http.get("/api/v1/stats").status_code == 200


def test_a_port_in_use_is_one_sentence(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in STORE_VARIABLES:
        monkeypatch.setenv(name, server.printed[name])
    port = str(urlsplit(server.printed["url"]).port)

    ran = cli("dev", "--port", port)

    assert ran.code is Exit.CONFIGURATION
    assert f"can't listen on 127.0.0.1:{port}" in ran.err
    assert "choose another port with --port, 0 for any" in ran.err


def test_a_store_port_in_use_names_its_own_option(cli: Cli, server: Server) -> None:
    port = str(urlsplit(server.printed["url"]).port)

    dev, store = cli("dev", "--port", "0", "--store-port", port), cli("store", "--port", port)

    assert (dev.code, store.code) == (Exit.CONFIGURATION, Exit.CONFIGURATION)
    assert f"127.0.0.1:{port}" in dev.err
    assert "another port with --store-port" in dev.err
    assert "another port with --port" in store.err


def test_applications_that_do_not_load_are_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "nowhere.at:all")

    ran = cli("dev", *FREE, "--volatile")

    assert ran.code is Exit.CONFIGURATION
    assert ran.err.startswith("tidegate: TIDEGATE_APPS: can't import")
    assert ran.err.count("\n") == 1


JOBS = """
from pydantic import BaseModel
from shared import App
app = App("mine")
letters = app.queue("letters")

class Letter(BaseModel):
    to: str

@letters.job("letter.send")
async def send(payload: Letter) -> str:
    return {answer!r}

@letters.job("letter.print", isolate=True)
async def print_(payload: Letter) -> str:
    return {answer!r}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The one file of a user's application."""
    file = tmp_path / "project" / "letterbox.py"
    file.parent.mkdir()
    file.write_text(JOBS.format(answer="first"), encoding="utf-8")
    return file


def result(http: httpx.Client, job_id: str) -> Any:
    return http.get(f"/api/v1/jobs/{job_id}").json()["result"]


def send(http: httpx.Client, job_type: str) -> str:
    job = {"type": job_type, "payload": {"to": "Ann"}}
    return str(http.post("/api/v1/queues/letters/jobs", json=job).json()["id"])


@pytest.mark.parametrize("job_type", ["letter.send", "letter.print"])
def test_a_job_starts_at_once_and_changed_files_are_reloaded(
    job_type: str, spawn: Spawn, project: Path
) -> None:
    process = spawn(
        *("dev", *FREE, "--every", "3600", "--json"),
        PYTHONPATH=f"{project.parent}:{ROOT}",
        PYTHONDONTWRITEBYTECODE="1",
        TIDEGATE_APPS="letterbox:app",
    )
    with client(printed_json(process)) as http:
        first = send(http, job_type)
        eventually(lambda: bool(result(http, first) == "first"), "the job starts without a tick")

        project.write_text("raise ValueError('half written')", encoding="utf-8")
        time.sleep(1)
        still = send(http, job_type)
        eventually(lambda: bool(result(http, still) == "first"), "the old application goes on")

        project.write_text(JOBS.format(answer="second, longer"), encoding="utf-8")

        def renewed() -> bool:
            job_id = send(http, job_type)
            eventually(lambda: result(http, job_id) is not None, "the job ends")
            return bool(result(http, job_id) == "second, longer")

        eventually(renewed, "the new application is served")

    ran = end(process)

    assert (ran.code, "Traceback" in ran.err) == (Exit.OK, False)
    assert "ValueError: half written (letterbox.py:1 in <module>)" in ran.err
    assert "reloaded" in ran.err


def test_it_says_what_it_serves_and_when(spawn: Spawn, project: Path) -> None:
    process = spawn(
        *("dev", *FREE, "--every", "30"),
        PYTHONPATH=f"{project.parent}:{ROOT}",
        TIDEGATE_APPS="letterbox:app",
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("API ")

    err = end(process).err

    assert "Serves mine: letters (letter.send, letter.print)" in err
    assert "A tick every 30 s, and at once when a job or a schedule is due." in err


def test_occurrences_do_not_wait_for_the_next_tick(cli: Cli, spawn: Spawn) -> None:
    process = spawn(
        *("dev", *FREE, "--every", "3600", "--json"), TIDEGATE_APPS="tests.cli.second:app"
    )
    with client(printed_json(process)) as http:

        def done() -> int:
            return int(http.get("/api/v1/queues/seconds").json()["totals"]["done"])

        eventually(lambda: done() >= 3, "several occurrences run")
        http.post("/api/v1/schedules/second/refresh/pause").raise_for_status()
        after = done() + 1  # one may be under way
        time.sleep(2)
        assert done() <= after

    ran = end(process)

    assert (ran.code, "Traceback" in ran.err) == (Exit.OK, False)


def test_a_request_that_drains_ends_with_the_server(cli: Cli, spawn: Spawn, tmp_path: Path) -> None:
    started = tmp_path / "started"
    process = spawn("dev", *FREE, "--no-ticks", "--json")
    printed = printed_json(process)
    with client(printed) as http, ThreadPoolExecutor(1) as pool:
        nap = enqueue(http, "nap", {"seconds": 18, "started": str(started)})
        headers = {"Authorization": f"Bearer {printed['CRON_SECRET']}"}
        tick = pool.submit(http.post, "/api/cron/drain", headers=headers)
        eventually(started.exists, "the tick starts the job")

        ran = end(process)

        assert tick.result().json()["stop"] == "shutdown"
    assert (ran.code, "Traceback" in ran.err) == (Exit.OK, False)
    assert cli("jobs", "show", nap, "--json").json["state"] == "waiting"


def test_its_drains_tell_events(server: Server) -> None:
    cron = {"Authorization": f"Bearer {server.printed['CRON_SECRET']}"}
    with client(server.printed) as http:
        job_id = enqueue(http, "note.keep", {"text": "x"})
        http.get("/api/cron/drain", headers=cron)
        events = http.get("/api/v1/events").json()["events"]

    assert (job_id, "completed") in {(one["id"], one["event"]) for one in events}
