"""`tidegate repair`: what a hand at the database left is reported, repaired, and told by doctor."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, Spawn, printed_json

NOTE = ("note.keep", "-p", '{"text": "x"}')


@pytest.fixture
def lose(spawn: Spawn, data: Path) -> object:
    """Remove an id from the list of queue "work" behind the tool's back."""
    printed = printed_json(spawn("store", "--port", "0", "--data", str(data), "--json"))
    url, token = printed["UPSTASH_REDIS_REST_URL"], printed["UPSTASH_REDIS_REST_TOKEN"]

    def remove(job_id: str) -> None:
        command = ["LREM", "{tidegate:work}:normal", "1", job_id]
        reply = httpx.post(url, json=command, headers={"Authorization": f"Bearer {token}"})
        assert reply.json() == {"result": 1}

    return remove


def test_a_job_that_no_list_names_is_reported_and_then_runs(cli: Cli, lose: object) -> None:
    for job_id in ("kept", "lost"):
        cli("enqueue", "work", *NOTE, "--job-id", job_id)
    lose("lost")  # type: ignore[operator]

    reported = cli("repair", "--dry-run", "--json")
    assert reported.code is Exit.FAILED
    assert [q["requeued"] for q in reported.json["queues"] if q["queue"] == "work"] == [1]
    findings = cli("doctor", "--json").json["findings"]
    assert [f["verdict"] for f in findings if f["check"] == "jobs"] == ["WARN"]

    assert cli("repair", "work").code is Exit.OK
    assert cli("repair", "--dry-run").code is Exit.OK
    cli("drain")
    assert json.loads(cli("jobs", "show", "lost.work", "--json").out)["state"] == "completed"


def test_a_sound_store_is_a_table_of_zeros(cli: Cli) -> None:
    cli("enqueue", "work", *NOTE)

    ran = cli("repair")

    assert ran.code is Exit.OK
    assert ["work", "1", "0", "0", "0", "right"] in [line.split() for line in ran.out.splitlines()]


def test_an_unknown_queue_is_named(cli: Cli) -> None:
    ran = cli("repair", "nothing")

    assert ran.code is Exit.NOT_FOUND
    assert "nothing" in ran.err
