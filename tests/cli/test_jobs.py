"""`tidegate jobs` and `queues`: one job looked at or cancelled, a queue stopped and let go."""

from __future__ import annotations

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli


@pytest.fixture
def job_id(cli: Cli) -> str:
    """A job that waits."""
    made = cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--json")
    return str(made.json["jobs"][0]["id"])


def test_a_waiting_job_says_what_it_waits_for(cli: Cli, job_id: str) -> None:
    out = cli("jobs", "show", job_id).out

    assert "state     waiting" in out
    assert "it waits for its turn" in out


def test_a_completed_job_shows_its_result_and_progress(cli: Cli, job_id: str) -> None:
    cli("drain", "work")

    job = cli("jobs", "show", job_id, "--json").json

    assert (job["state"], job["result"]) == ("completed", {"kept": "x"})
    assert job["ended"].endswith(" UTC")
    assert job["why"] is None


def test_a_paused_queue_is_the_reason_why(cli: Cli, job_id: str) -> None:
    assert cli("queues", "pause", "work").out == "work is paused\n"
    assert cli("queues", "pause", "work").out == "work is already paused\n"

    assert "paused" in cli("jobs", "show", job_id, "--json").json["why"]
    assert cli("drain", "work", "--json").json["stop"] == "paused"


def test_a_resumed_queue_runs_again(cli: Cli, job_id: str) -> None:
    cli("queues", "pause", "work", "slow")

    resumed = cli("queues", "resume", "work", "--json").json

    assert resumed == {"queues": [{"queue": "work", "paused": False, "was_paused": True}]}
    assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}


def test_a_waiting_job_is_cancelled_at_once(cli: Cli, job_id: str) -> None:
    assert cli("jobs", "cancel", job_id, "--json").json == {"id": job_id, "state": "cancelled"}
    assert cli("jobs", "show", job_id, "--json").json["state"] == "cancelled"
    assert cli("drain", "work", "--json").json["claimed"] == 0


def test_a_job_that_has_ended_can_not_be_cancelled(cli: Cli, job_id: str) -> None:
    cli("drain", "work")

    ran = cli("jobs", "cancel", job_id)

    assert (ran.code, ran.out) == (Exit.FAILED, "it has ended already: completed\n")


@pytest.mark.parametrize("command", [("jobs", "show"), ("jobs", "cancel"), ("dead", "show")])
@pytest.mark.parametrize(
    ("job_id", "sentence"),
    [
        ("nonsense", "is no job id"),
        ("gone.work", "no job gone.work: it never existed"),
        ("x.nowhere", "no queue 'nowhere'"),
        ("x.{work}", "is no job id"),
    ],
)
def test_what_is_not_there_is_not_found(
    cli: Cli, command: tuple[str, str], job_id: str, sentence: str
) -> None:
    ran = cli(*command, job_id)

    assert ran.code is Exit.NOT_FOUND
    assert sentence in ran.err


def test_pausing_an_unknown_queue_pauses_none(cli: Cli, job_id: str) -> None:
    assert cli("queues", "pause", "work", "nowhere").code is Exit.NOT_FOUND
    assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}


def test_foreign_text_does_not_steer_the_terminal(cli: Cli) -> None:
    made = cli("enqueue", "work", "note.keep", "-p", '{"text": "a\\u001b[2Jb"}', "--json").json
    cli("drain", "work")

    assert "\x1b" not in cli("jobs", "show", made["jobs"][0]["id"]).out
