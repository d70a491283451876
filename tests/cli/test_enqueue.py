"""`tidegate enqueue`: one job or many, and nothing stored if a payload is invalid."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli import sample
from tests.cli.conftest import Cli, Ran, Spawn, end, eventually

NOTES = "\n".join(json.dumps({"text": f"note {n}"}) for n in range(1, 1203))


def waiting(cli: Cli, queue: str = "work") -> int:
    (row,) = cli("status", queue, "--json").json["queues"]
    return int(row["counts"]["waiting"])


def test_one_job_is_stored_and_its_id_printed(cli: Cli) -> None:
    ran = cli("enqueue", "work", "note.keep", "--payload", '{"text": "hello"}')

    job_id, state = ran.out.split()
    assert (ran.code, state) == (Exit.OK, "waiting")
    assert '{"text": "hello"}' in cli("jobs", "show", job_id).out


SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("sign", [*SEPARATORS[5:], "\r"])
def test_a_line_ends_with_lf_and_nothing_else(
    cli: Cli, tmp_path: Path, end: str, sign: str
) -> None:
    text = "null" if sign == "\r" else f'"a{sign}b"'
    gap = sign if sign == "\r" else ""
    lines = [f'{{"text":{gap}"{n}", "more":{text}}}' for n in range(3)]
    bad = '{"text": 1}'
    file = tmp_path / "notes.ndjson"
    file.write_bytes(end.join([*lines, bad]).encode())

    refused = cli("enqueue", "work", "note.keep", "-p", f"@{file}")
    file.write_bytes(end.join(lines).encode())
    stored = cli("enqueue", "work", "note.keep", "-p", f"@{file}", "--job-id", "n", "--json")

    assert "line 4" in refused.err
    assert [job["id"] for job in stored.json["jobs"]] == ["n-1.work", "n-2.work", "n-3.work"]


def test_options_reach_the_job(cli: Cli) -> None:
    ran = cli(
        *("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--delay", "60"),
        *("--priority", "high", "--key", "user-1", "--job-id", "mine", "--json"),
    )

    assert ran.json["jobs"] == [{"id": "mine.work", "state": "delayed", "duplicate": False}]
    job = cli("jobs", "show", "mine.work", "--json").json
    assert (job["priority"], job["key"], job["state"]) == ("high", "user-1", "delayed")
    assert job["explanation"]["detail"] == "it is not due yet"


def test_a_time_has_its_zone(cli: Cli) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    for job_id, text in (("then", f"{day}T03:04:05Z"), ("too", f"{day}T04:04:05+01:00")):
        args = ("--job-id", job_id, "--run-at", text)
        cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', *args)
        shown = cli("jobs", "show", f"{job_id}.work", "--json").json
        assert shown["due_at"] == f"{day}T03:04:05Z"


def test_a_backoff_is_a_number_or_json(cli: Cli) -> None:
    for n, backoff in enumerate(("5", "[5]", '{"type": "fixed", "delay": 5}')):
        args = ("--backoff", backoff, "--attempts", "2", "--job-id", f"b{n}", "--json")
        ran = cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', *args)
        assert (ran.code, len(ran.json["jobs"])) == (Exit.OK, 1)


def test_a_key_that_came_before_with_another_payload_is_not_enqueued(cli: Cli) -> None:
    def keyed(text: str) -> Ran:
        payload = json.dumps({"text": text})
        return cli(
            "enqueue", "work", "note.keep", "-p", payload, "--idempotency-key", "k", "--json"
        )

    one, same, other = keyed("x"), keyed("x"), keyed("y")

    assert same.json["jobs"] == one.json["jobs"]
    assert (other.code, len(other.json["refused"])) == (Exit.FAILED, 1)
    assert (
        "1 not enqueued: their idempotency keys were used before, with other requests" in other.err
    )


def test_dedup_lets_one_job_stand_for_both(cli: Cli) -> None:
    one, two = (
        cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--dedup", "daily", "--json")
        for _ in range(2)
    )

    assert two.json["jobs"][0] == {**one.json["jobs"][0], "duplicate": True}
    assert waiting(cli) == 1


def test_lines_of_standard_input_become_jobs(cli: Cli) -> None:
    ran = cli("enqueue", "work", "note.keep", "--payload", "-", stdin=NOTES)

    assert (ran.code, ran.out) == (Exit.OK, "1,202 enqueued, 0 duplicates\n")
    assert waiting(cli) == 1202


def test_a_repeated_file_with_the_same_ids_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "notes.ndjson"
    file.write_text('{"text": "a"}\n\n{"text": "b"}\n')
    for _ in range(2):
        ran = cli("enqueue", "work", "note.keep", "-p", f"@{file}", "--job-id", "batch", "--json")

    assert [job["id"] for job in ran.json["jobs"]] == ["batch-1.work", "batch-3.work"]
    assert all(job["duplicate"] for job in ran.json["jobs"])
    assert waiting(cli) == 2


@pytest.mark.parametrize("option", ["--job-id", "--idempotency-key"])
@pytest.mark.parametrize("before", [1, 2])
def test_a_file_that_grew_adds_its_new_lines(
    cli: Cli, tmp_path: Path, before: int, option: str
) -> None:
    file, lines = tmp_path / "notes.ndjson", [f'{{"text": "{n}"}}\n' for n in range(3)]
    for count in (before, 3, 3):
        file.write_text("".join(lines[:count]))
        ran = cli("enqueue", "work", "note.keep", "-p", f"@{file}", option, "batch", "--json")

    assert len(ran.json["jobs"]) == waiting(cli) == 3


def test_a_file_may_hold_one_document_over_several_lines(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "note.json"
    file.write_text('{\n  "text": "pretty"\n}\n')

    ran = cli("enqueue", "work", "note.keep", "-p", f"@{file}", "--json")

    assert len(ran.json["jobs"]) == 1


def test_one_bad_line_keeps_all_from_being_sent(cli: Cli) -> None:
    lines = '{"text": "good"}\n{"text": ""}\nnot json\n'

    ran = cli("enqueue", "work", "note.keep", "-p", "-", "--json", stdin=lines)

    assert ran.code is Exit.USAGE
    assert [entry["line"] for entry in ran.json["invalid"]] == [2, 3]
    assert "payload.text: String should have at least 1 character" in ran.err
    assert "nothing was enqueued" in ran.err
    assert waiting(cli) == 0


def test_the_valid_lines_can_be_sent_alone(cli: Cli) -> None:
    lines = '{"text": "good"}\n{"text": ""}\n'

    ran = cli("enqueue", "work", "note.keep", "-p", "-", "--skip-invalid", "--json", stdin=lines)

    assert ran.code is Exit.FAILED
    assert (len(ran.json["jobs"]), len(ran.json["invalid"])) == (1, 1)
    assert waiting(cli) == 1


def test_the_first_twenty_of_many_bad_lines_are_printed(cli: Cli) -> None:
    ran = cli("enqueue", "work", "note.keep", "-p", "-", stdin="x\n" * 100)

    assert ran.err.count("\nline ") == 19
    assert "and 80 more invalid lines" in ran.err


def test_a_payload_over_the_queues_limit_is_refused(cli: Cli) -> None:
    payload = json.dumps({"text": "x" * 300})

    ran = cli("enqueue", "slow", "note.keep", "-p", payload)

    assert ran.code is Exit.USAGE
    assert "queue 'slow' takes 200" in ran.err
    assert ran.err.endswith("\nnothing was enqueued\n")  # of one payload there are no lines


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (("nowhere", "note.keep"), Exit.NOT_FOUND, "no queue 'nowhere'; known: slow, work"),
        (("work", "nothing"), Exit.NOT_FOUND, "has no job type 'nothing'; known: file.await"),
        (("work", "note.keep", "-p", "@missing"), Exit.USAGE, "can't read 'missing'"),
        (
            ("work", "note.keep", "-p", '{"text":"x"}', "--priority", "urgent"),
            Exit.USAGE,
            "priority: high, normal or low",
        ),
        (
            ("work", "note.keep", "-p", '{"text":"x"}', "--timeout", "0"),
            Exit.USAGE,
            "may have more than 0 and",
        ),
        (
            ("work", "note.keep", "-p", '{"text":"x"}', "--delay", "-1"),
            Exit.USAGE,
            "delay: a number of seconds, 0 to",
        ),
        (("work", "note.keep", "-p", '{"text":"x"}', "--job-id", "a b"), Exit.USAGE, "job_id"),
        (("work", "note.keep", "-p", '{"text":"x"}', "--delay", "soon"), Exit.USAGE, "delay"),
        (
            ("work", "note.keep", "-p", '{"text":"x"}', "--attempts", "3"),
            Exit.USAGE,
            "may have 1 to 2",
        ),
        (("work", "note.keep", "-p", '{"text":"x"}', "--backoff", "fast"), Exit.USAGE, "backoff"),
        (
            ("work", "note.keep", "-p", '{"text":"x"}', "--run-at", "2099-01-02T03:04:05"),
            Exit.USAGE,
            "with its offset",
        ),
    ],
)
def test_wrong_input_is_one_sentence(
    cli: Cli, args: tuple[str, ...], code: Exit, sentence: str
) -> None:
    ran = cli("enqueue", *args)

    assert ran.code is code
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert waiting(cli) == 0


def test_one_dedup_name_for_many_lines_is_refused(cli: Cli) -> None:
    ran = cli("enqueue", "work", "note.keep", "-p", "-", "--dedup", "d", stdin=NOTES)

    assert ran.code is Exit.USAGE
    assert "all lines would be one job" in ran.err


def test_a_binary_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "photo"
    file.write_bytes(b"\xff\xfe\x00")

    ran = cli("enqueue", "work", "note.keep", "-p", f"@{file}")

    assert (ran.code, "not UTF-8" in ran.err) == (Exit.USAGE, True)


@pytest.fixture
def small() -> Iterator[None]:
    """Queue "work" holds two jobs at most."""
    before = sample.work.max_jobs
    object.__setattr__(sample.work, "max_jobs", 2)  # a frozen value: `monkeypatch` can't
    yield
    object.__setattr__(sample.work, "max_jobs", before)


@pytest.mark.usefixtures("small")
def test_jobs_that_a_full_queue_refuses_are_counted_and_fail_the_command(cli: Cli) -> None:
    lines = '{"text": "x"}\n' * 5

    ran = cli("enqueue", "work", "note.keep", "-p", "-", stdin=lines)
    more = cli("enqueue", "work", "note.keep", "-p", "-", "--json", stdin=lines)

    assert (ran.code, waiting(cli)) == (Exit.FAILED, 2)
    assert "3 not enqueued: the queue is full" in ran.err
    assert "2 enqueued" in ran.out
    assert (len(more.json["jobs"]), len(more.json["refused"])) == (0, 5)


def test_ctrl_c_in_a_bulk_tells_how_many_jobs_are_stored(
    cli: Cli, spawn: Spawn, tmp_path: Path
) -> None:
    file = tmp_path / "notes.ndjson"
    file.write_text('{"text": "x"}\n' * 50_000, encoding="utf-8")
    process = spawn("enqueue", "work", "note.keep", "-p", f"@{file}", "--job-id", "n")
    eventually(lambda: waiting(cli) > 0, "the first jobs are stored")

    ran = end(process, signal.SIGINT)

    assert (ran.code, ran.out) == (Exit.INTERRUPTED, "")
    told = int(ran.err.split()[2].replace(",", ""))
    assert f"at least {told:,} of 50,000 jobs were enqueued" in ran.err
    assert told <= waiting(cli) < 50_000


def test_follow_ups_are_given_as_json(cli: Cli) -> None:
    note = '{"type": "note.keep", "payload": {"text": "%s"}}'
    ran = cli(
        *("enqueue", "work", "note.keep", "-p", '{"text": "x"}', "--job-id", "mine"),
        *("--then", note % "one", "--then", note % "two", "--on-dead", note % "three"),
    )
    cli("drain")

    assert ran.code == Exit.OK
    (row,) = cli("status", "work", "--json").json["queues"]
    assert row["counts"]["completed"] == 3
    shown = cli("jobs", "show", "mine.work", "--json").json
    assert [run["outcome"] for run in shown["runs"]] == ["done"]
    assert "outcome" in cli("jobs", "show", "mine.work").out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--then", "{"), "--then: not JSON"),
        (("--on-dead", '{"type": "none", "payload": {}}'), "on_dead.0: queue 'work' has no job"),
        (("--callback", "http://example.com"), "callback: an https:// address"),
    ],
)
def test_a_wrong_follow_up_is_refused(cli: Cli, arguments: tuple[str, str], told: str) -> None:
    ran = cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}', *arguments)

    assert ran.code == Exit.USAGE
    assert told in " ".join(ran.err.split()).replace("│ ", "")
    assert waiting(cli) == 0
