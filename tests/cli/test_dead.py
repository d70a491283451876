"""`tidegate dead`: list, show, redrive and delete dead letters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli


@pytest.fixture
def files(cli: Cli, tmp_path: Path) -> list[Path]:
    """Three missing files, each with a dead letter `letter-N.work`."""
    paths = [tmp_path / f"file-{n}" for n in (1, 2, 3)]
    lines = "\n".join(json.dumps({"path": str(path)}) for path in paths)
    cli("enqueue", "work", "file.read", "-p", "-", "--job-id", "letter", stdin=lines)
    cli("drain", "work")
    return paths


def letters(cli: Cli) -> set[str]:
    return {letter["id"] for letter in cli("dead", "list", "--json").json["dead_letters"]}


def test_an_empty_list_is_one_sentence(cli: Cli) -> None:
    assert cli("dead", "list").out == "no dead letters\n"


def test_dead_letters_are_listed_with_their_errors(cli: Cli, files: list[Path]) -> None:
    listed = cli("dead", "list", "--json").json["dead_letters"]

    assert {letter["id"] for letter in listed} == {f"letter-{n}.work" for n in (1, 2, 3)}
    assert {letter["error"]["message"] for letter in listed} == {
        f"there is no file-{n}" for n in (1, 2, 3)
    }
    assert "Discard  there is no file-1" in cli("dead", "list").out


def test_the_list_can_be_narrowed(cli: Cli, files: list[Path]) -> None:
    assert len(cli("dead", "list", "work", "--most", "2", "--json").json["dead_letters"]) == 2
    assert cli("dead", "list", "--type", "nap", "--json").json == {"dead_letters": [], "next": None}
    assert cli("dead", "list", "slow", "--json").json == {"dead_letters": [], "next": None}


def test_every_letter_of_several_pages_is_listed_once(cli: Cli) -> None:
    lines = '{"path": "/nowhere/at-all"}\n' * 450
    cli("enqueue", "work", "file.read", "-p", "-", stdin=lines)
    cli("drain", "work")

    listed = cli("dead", "list", "--most", "1000", "--json").json["dead_letters"]

    assert len(listed) == len({letter["id"] for letter in listed}) == 450
    head = cli("dead", "list", "--most", "300", "--json").json
    tail = cli("dead", "list", "--cursor", head["next"], "--most", "300", "--json").json
    assert head["dead_letters"] + tail["dead_letters"] == listed
    assert tail["next"] is None


def test_one_letter_is_shown_with_its_payload(cli: Cli, files: list[Path]) -> None:
    letter = cli("dead", "show", "letter-2.work", "--json").json

    assert letter["payload"] == {"path": str(files[1])}
    assert letter["errors"][0]["type"] == "Discard"
    assert "Discard  there is no file-2" in cli("dead", "show", "letter-2.work").out


def test_a_redriven_letter_runs_again_once_its_cause_is_gone(cli: Cli, files: list[Path]) -> None:
    files[0].write_text("here")

    assert cli("dead", "redrive", "letter-1.work", "--json").json == {
        "jobs": [{"id": "letter-1.work", "redriven": True, "state": None}],
        "redriven": 1,
        "next": None,
    }

    cli("drain", "work")
    job = cli("jobs", "show", "letter-1.work", "--json").json
    assert (job["state"], job["result"], job["redrives"]) == ("completed", {"bytes": 4}, 1)
    assert letters(cli) == {"letter-2.work", "letter-3.work"}


def test_a_whole_queue_is_redriven(cli: Cli, files: list[Path]) -> None:
    for file in files:
        file.touch()

    assert cli("dead", "redrive", "--queue", "work", "--yes").out == "3 redriven\n"

    assert cli("drain", "work", "--json").json["outcomes"] == {"done": 3}
    assert letters(cli) == set()


def test_letters_are_deleted_for_good(cli: Cli, files: list[Path]) -> None:
    assert cli("dead", "delete", "letter-1.work", "letter-3.work", "--yes").out == "2 deleted\n"
    assert cli("jobs", "show", "letter-1.work").code is Exit.NOT_FOUND
    assert letters(cli) == {"letter-2.work"}

    assert cli("dead", "delete", "--queue", "work", "--yes", "--json").json["deleted"] == 1
    assert letters(cli) == set()


def test_delete_never_takes_a_job_that_is_not_dead(cli: Cli, files: list[Path]) -> None:
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "fine")
    cli("drain", "work")

    ran = cli("dead", "delete", "fine.work", "letter-1.work", "gone.work", "-y", "--json")

    assert ran.code is Exit.NOT_FOUND
    deleted = {job["id"]: job["deleted"] for job in ran.json["jobs"]}
    assert deleted == {"fine.work": False, "letter-1.work": True, "gone.work": False}
    assert cli("jobs", "show", "fine.work", "--json").json["state"] == "completed"


def test_a_waiting_job_is_not_a_dead_letter(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "alive")

    shown, redriven = cli("dead", "show", "alive.work"), cli("dead", "redrive", "alive.work")

    assert (shown.code, "it is waiting" in shown.err) == (Exit.NOT_FOUND, True)
    assert (redriven.code, redriven.out) == (Exit.NOT_FOUND, "0 redriven\n")
    assert redriven.err == "tidegate: job alive.work is waiting, not dead\n"


def test_a_redrive_that_does_nothing_says_why(cli: Cli, files: list[Path]) -> None:
    cli("enqueue", "work", "file.read", "-p", '{"path": "/x"}', "--dedup", "n", "--job-id", "one")
    cli("drain", "work")
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--dedup", "n", "--job-id", "two")

    alone = cli("dead", "redrive", "one.work", "--json")
    beside = cli("dead", "redrive", "one.work", "letter-1.work", "gone.work", "--yes")

    assert (alone.code, alone.json["redriven"]) == (Exit.FAILED, 0)
    assert "one.work stays dead: another job holds its deduplication name 'n'" in alone.err
    assert (beside.code, beside.out) == (Exit.NOT_FOUND, "1 redriven\n")
    assert "one.work stays dead" in beside.err
    assert "no job gone.work" in beside.err


def test_of_many_that_were_left_the_first_say_why(cli: Cli) -> None:
    ran = cli("dead", "redrive", *(f"gone-{n}.work" for n in range(25)), "--yes")

    assert (ran.code, ran.err.count("no job gone-")) == (Exit.NOT_FOUND, 20)
    assert "and 5 more" in ran.err


@pytest.mark.parametrize("command", ["redrive", "delete"])
@pytest.mark.parametrize("args", [(), ("letter-1.work", "--queue", "work")])
def test_both_ids_and_a_queue_or_neither_are_refused(
    cli: Cli, command: str, args: tuple[str, ...]
) -> None:
    ran = cli("dead", command, *args)

    assert (ran.code, "--queue" in ran.err) == (Exit.USAGE, True)
