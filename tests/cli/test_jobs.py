"""`tidegate jobs` and `queues`: show and cancel a job, pause and resume a queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli

IN_A_DAY = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
def job_id(cli: Cli) -> str:
    """The id of a waiting job."""
    enqueued = cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--json")
    return str(enqueued.json["jobs"][0]["id"])


def test_a_waiting_job_shows_its_explanation(cli: Cli, job_id: str) -> None:
    out = cli("jobs", "show", job_id).out

    shown = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert shown["state"] == "waiting"
    assert shown["explanation"].startswith("it waits for its turn")
    assert shown["payload"] == '{"text": "x"}'


def test_a_completed_job_shows_its_result(cli: Cli, job_id: str) -> None:
    cli("drain", "work")

    job = cli("jobs", "show", job_id, "--json").json

    assert (job["state"], job["result"]) == ("completed", {"kept": "x"})
    assert job["ended_at"] > job["created_at"]
    assert job["explanation"] is None


def test_a_paused_queue_is_the_explanation(cli: Cli, job_id: str) -> None:
    assert cli("queues", "pause", "work").out == "work is paused\n"
    assert cli("queues", "pause", "work").out == "work is already paused\n"

    assert cli("jobs", "show", job_id, "--json").json["explanation"]["code"] == "paused"
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

    assert (ran.code, ran.out) == (Exit.FAILED, "the job has ended already: completed\n")


@pytest.mark.parametrize("command", [("jobs", "show"), ("jobs", "cancel"), ("dead", "show")])
@pytest.mark.parametrize(
    ("job_id", "sentence"),
    [
        (
            "nonsense",
            "'nonsense' has no queue; a job id ends with it: nonsense.work or nonsense.slow",
        ),
        ("~mine", "'~mine' has no queue; a job id ends with it: ~mine.work"),
        ("no id", "is no job id; an enqueue answers one, such as order-7.orders"),
        ("", "is no job id"),
        ("x" * 65, "is no job id"),
        ("gone.work", "no job gone.work: it never existed"),
        ("x.nowhere", "no queue 'nowhere'"),
        ("x.{work}", "is no job id"),
    ],
)
def test_an_unknown_job_is_not_found(
    cli: Cli, command: tuple[str, str], job_id: str, sentence: str
) -> None:
    ran = cli(*command, job_id)

    assert ran.code is Exit.NOT_FOUND
    assert sentence in ran.err


def test_pausing_an_unknown_queue_pauses_none(cli: Cli, job_id: str) -> None:
    assert cli("queues", "pause", "work", "nowhere").code is Exit.NOT_FOUND
    assert cli("drain", "work", "--json").json["outcomes"] == {"done": 1}


def test_control_characters_do_not_reach_the_terminal(cli: Cli) -> None:
    answer = cli("enqueue", "work", "note.keep", "-p", '{"text": "a\\u001b[2Jb"}', "--json").json
    cli("drain", "work")

    assert "\x1b" not in cli("jobs", "show", answer["jobs"][0]["id"]).out


def test_jobs_are_listed_by_state(cli: Cli) -> None:
    for text in "abc":
        cli("enqueue", "work", "note.keep", "-p", f'{{"text": "{text}"}}', "--job-id", text)
    cli("enqueue", "slow", "note.keep", "-p", '{"text": "d"}', "--delay", "60", "--job-id", "d")

    head, *rows = cli("jobs", "list").out.splitlines()
    first = cli("jobs", "list", "--most", "2", "--json").json
    rest = cli("jobs", "list", "--cursor", first["next"], "--json").json

    assert head.split()[:3] == ["id", "type", "state"]
    assert [row.split()[0] for row in rows] == ["a.work", "b.work", "c.work"]
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == ["a.work", "b.work", "c.work"]
    (delayed,) = cli("jobs", "list", "slow", "--state", "delayed", "--json").json["jobs"]
    assert (delayed["id"], delayed["due_at"] is not None) == ("d.slow", True)
    assert cli("jobs", "list", "--state", "parked").out == "no parked jobs\n"


def test_until_when_a_key_holds_a_job_is_printed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.second:app")
    for n in range(3):
        cli("enqueue", "keyed", "photo.scale", "--key", "cat", "--job-id", f"j{n}")
    cli("drain", "keyed")

    job = cli("jobs", "show", "j2.keyed", "--json").json
    shown = cli("jobs", "show", "j2.keyed").out

    assert job["explanation"]["code"] == "key_limited"
    until = job["explanation"]["until"][:19].replace("T", " ")
    assert f"start before it (until {until} UTC)" in shown
    assert cli("jobs", "list", "keyed", "--state", "delayed").out.count("its key has room") == 2


@pytest.mark.parametrize("options", [("--delay", "60"), ("--run-at", IN_A_DAY)])
def test_until_when_a_job_is_delayed_is_printed(cli: Cli, options: tuple[str, ...]) -> None:
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "later", *options)

    due = cli("jobs", "show", "later.work", "--json").json["due_at"][:19].replace("T", " ")

    assert f"it is not due yet (until {due} UTC)" in cli("jobs", "show", "later.work").out


def test_a_cancel_may_be_repeated(cli: Cli, job_id: str) -> None:
    first, second = (cli("jobs", "cancel", job_id) for _ in range(2))

    assert (first.code, first.out) == (second.code, second.out) == (Exit.OK, "cancelled\n")


def test_an_unknown_state_is_refused(cli: Cli) -> None:
    ran = cli("jobs", "list", "--state", "running")
    assert (ran.code, "waiting, delayed" in ran.err) == (Exit.USAGE, True)
