"""`tidegate maintain` and `tidegate archive`: dead letters in Postgres, from the command line."""

from __future__ import annotations

import asyncio
import json
import os

import psycopg
import pytest

from shared import App
from shared.cli.exit_codes import Exit
from shared.deployment import Deployment
from shared.jobs.erase_report import EraseReport
from tests.cli import sample
from tests.cli.conftest import Cli, Spawn, end, eventually
from tests.cli.test_confirm import at_terminal


@pytest.fixture
def archived(cli: Cli, empty_postgres: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Three archived dead letters, `letter-N.work`: id -> row."""
    monkeypatch.setenv("DATABASE_URL", empty_postgres)
    monkeypatch.setattr("shared.archive.move.KEEP_SECONDS", 0)
    lines = "\n".join(json.dumps({"path": f"/nowhere/file-{n}"}) for n in (1, 2, 3))
    cli("enqueue", "work", "file.read", "-p", "-", "--job-id", "letter", stdin=lines)
    cli("drain", "work")
    ran = cli("maintain")
    assert ran.out.startswith("3 archived, 3 removed from Redis, 0 refused")
    return {row["id"]: row["row"] for row in cli("archive", "list", "--json").json["rows"]}


def test_an_archived_letter_is_listed_and_shown(cli: Cli, archived: dict[str, int]) -> None:
    assert set(archived) == {f"letter-{n}.work" for n in (1, 2, 3)}
    assert cli("dead", "list").out == "no dead letters\n"
    assert "there is no file-1" in cli("archive", "list").out
    shown = cli("archive", "show", str(archived["letter-2.work"]), "--json").json
    assert shown["payload"] == {"path": "/nowhere/file-2"}
    assert "/nowhere/file-2" in cli("archive", "show", str(archived["letter-2.work"])).out


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--payload", '{"path": "/nowhere/file-3"}'), {3}),
        (("--error", "NO FILE-2"), {2}),
        (("--type", "nap"), set()),
        (("--since", "2999-01-01T00:00:00Z"), set()),
        (("--until", "2999-01-01T00:00:00Z", "work"), {1, 2, 3}),
        (("slow",), set()),
    ],
)
def test_the_list_can_be_narrowed(
    cli: Cli, archived: dict[str, int], options: tuple[str, ...], ids: set[int]
) -> None:
    rows = cli("archive", "list", *options, "--json").json["rows"]

    assert {row["id"] for row in rows} == {f"letter-{n}.work" for n in ids}


@pytest.mark.parametrize(
    "command", [("jobs", "show"), ("jobs", "cancel"), ("dead", "show"), ("dead", "redrive")]
)
def test_a_command_on_an_archived_job_names_its_row(
    cli: Cli, archived: dict[str, int], command: tuple[str, ...]
) -> None:
    row = archived["letter-2.work"]

    ran = cli(*command, "letter-2.work")

    assert ran.code is Exit.NOT_FOUND
    assert f"is row {row} of the archive. See tidegate archive show {row}" in ran.err
    assert "row" not in cli(*command, "letter-9.work").err


def test_a_job_is_not_found_also_where_the_archive_does_not_answer(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:the-password@127.0.0.1:9/none")
    ran = cli("jobs", "show", "gone.work")

    assert ran.code is Exit.NOT_FOUND
    assert "it never existed" in ran.err
    assert "the archive can't be asked" in ran.err
    assert "the-password" not in ran.err


def test_no_connection_is_held_while_somebody_thinks(
    archived: dict[str, int], empty_postgres: str
) -> None:
    """Hosted servers end those that are idle for minutes."""
    sessions = (
        "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with at_terminal("archive", "redrive", "--queue", "work") as (process, keyboard):
        asked = ""
        while "Go on?" not in asked:
            assert process.stdout is not None
            asked += process.stdout.read(1)
        with psycopg.connect(empty_postgres, autocommit=True) as other:
            held = other.execute(sessions).fetchone()
        os.write(keyboard, b"y\n")
        out, _ = process.communicate(timeout=30)

    assert (held, process.returncode) == ((0,), 0), out
    assert "3 redriven" in out


def test_a_row_is_redriven_once(cli: Cli, archived: dict[str, int]) -> None:
    row = str(archived["letter-1.work"])
    assert cli("archive", "redrive", row).out == "1 redriven\n"
    assert cli("jobs", "show", "letter-1.work", "--json").json["state"] == "waiting"
    again = cli("archive", "redrive", row)
    assert (again.code, again.out) == (Exit.FAILED, "0 redriven\n")
    assert "was redriven from this row before" in again.err

    assert cli("archive", "redrive", "--queue", "work").code is Exit.USAGE  # no terminal to ask at
    rest = cli("archive", "redrive", "--queue", "work", "--yes", "--json").json
    assert (rest["redriven"], len(rest["rows"])) == (2, 2)


def test_wrong_input_is_told(cli: Cli, archived: dict[str, int]) -> None:
    assert cli("archive", "show", "999999").code is Exit.NOT_FOUND
    assert cli("archive", "redrive").code is Exit.USAGE
    assert cli("archive", "redrive", "1", "--type", "x").code is Exit.USAGE
    for option in ("--payload", "--since", "--until", "--cursor"):
        ran = cli("archive", "list", option, "nonsense")
        assert (ran.code, option.strip("-") in ran.err) == (Exit.USAGE, True)


def test_without_a_database_they_say_what_to_set(cli: Cli) -> None:
    for command in (["maintain"], ["archive", "list"]):
        ran = cli(*command)
        assert (ran.code, "DATABASE_URL" in ran.err) == (Exit.CONFIGURATION, True)


def test_an_unreachable_database_is_a_failure_that_may_pass(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:the-password@127.0.0.1:9/none")
    listed, maintained = cli("archive", "list"), cli("maintain")

    assert (listed.code, maintained.code) == (Exit.STORE, Exit.FAILED)
    assert "refused" in listed.err
    assert "the-password" not in listed.err + maintained.err


def finding(cli: Cli) -> tuple[str, str, str]:
    """What doctor says of dead letters."""
    (found,) = (f for f in cli("doctor", "--json").json["findings"] if f["check"] == "dead")
    return found["verdict"], found["detail"], found["advice"]


def test_doctor_says_that_the_archive_answers_or_is_behind(
    cli: Cli, archived: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, detail, _ = finding(cli)
    assert (verdict, "keeps 30 days; 0 wait" in detail) == ("OK", True)

    cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere/at-all"}')
    cli("drain", "work")
    assert "1 wait" in finding(cli)[1]
    monkeypatch.setattr("shared.cli.diagnosis.archive.BEHIND_SECONDS", -1)
    verdict, detail, advice = finding(cli)
    assert (verdict, detail) == ("WARN", "the archive is behind: work (0 min)")
    assert "schedule" in advice


@pytest.mark.parametrize(
    ("url", "verdict", "said"),
    [
        ("", "OK", "no DATABASE_URL, so there is no archive"),
        ("mysql://somewhere/db", "WARN", "DATABASE_URL names no Postgres"),
        ("postgresql://u:the-password@127.0.0.1:9/x", "FAIL", "does not answer"),
    ],
)
def test_doctor_says_that_there_is_no_archive(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str, verdict: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    found, detail, _ = finding(cli)

    assert (found, said in detail) == (verdict, True)
    assert "the-password" not in detail


def test_doctor_says_it_loudly_where_letters_are_deleted_or_a_database_is_used(
    cli: Cli, upstash: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in upstash.items():
        monkeypatch.setenv(name, value)
    verdict, detail, advice = finding(cli)
    assert (verdict, "stay in Redis" in detail) == ("WARN", True)
    assert "set DATABASE_URL" in advice

    monkeypatch.setenv("TIDEGATE_APPS", "functions.apps.weather:app")
    verdict, detail, advice = finding(cli)
    assert (verdict, "are deleted for good: " in detail) == ("WARN", True)
    assert "leave out dead=Retention" in advice


def test_dev_archives_every_five_minutes(
    spawn: Spawn, cli: Cli, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_postgres)
    served = spawn("dev", "--port", "0", "--store-port", "0")
    assert served.stderr is not None
    assert any("Dead letters go to the archive" in line for line in served.stderr)

    def migrated() -> bool:
        with psycopg.connect(empty_postgres) as db:
            return db.execute("SELECT to_regclass('job_failures')").fetchone() != (None,)

    eventually(migrated, "the first run makes the table")
    assert end(served).code is Exit.OK


def test_erase_deletes_the_rows_of_a_person_too(
    cli: Cli, archived: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere/mine"}', "--key", "me")
    cli("drain", "work")
    cli("maintain")
    dry = cli("jobs", "erase", "--key", "me", "--dry-run", "--json").json
    assert (dry["deleted"], dry["rows"]) == (0, 1)
    assert "1 rows of the archive deleted" in cli("jobs", "erase", "--key", "me", "--yes").out

    left = {row["id"] for row in cli("archive", "list", "--json").json["rows"]}
    assert left == set(archived)


def test_an_application_erases_the_rows_of_its_own_queues_too(
    cli: Cli, archived: dict[str, int]
) -> None:
    cli("enqueue", "work", "file.read", "-p", '{"path": "/nowhere/mine"}', "--key", "me")
    cli("drain", "work")
    cli("maintain")

    async def erase() -> list[EraseReport]:
        deployment = Deployment.from_env()
        deployment.make_default()
        try:
            other = App("other")
            other.queue("elsewhere")
            return [
                await other.erase("me"),
                await sample.app.erase("me", dry_run=True),
                await sample.app.erase("me"),
                await sample.app.erase("me"),
            ]
        finally:
            await deployment.close()

    assert [one.rows for one in asyncio.run(erase())] == [0, 1, 1, 0]
    left = {row["id"] for row in cli("archive", "list", "--json").json["rows"]}
    assert left == set(archived)


def test_redrives_are_rows_of_the_audit(cli: Cli, archived: dict[str, int]) -> None:
    row = str(archived["letter-1.work"])
    cli("archive", "redrive", row)
    cli("archive", "redrive", "--queue", "work", "--yes")

    rows = cli("audit", "--json").json["rows"]
    told = [(one["verb"], one["object"]) for one in rows]
    second, third = (archived[f"letter-{n}.work"] for n in (2, 3))
    many = [f"2 rows of queues work: {a}, {b}" for a, b in ((second, third), (third, second))]
    assert told[:2] in [[("archive.redrive_many", about)] * 2 for about in many]
    assert told[2:] == [("archive.redrive", row)] * 2
