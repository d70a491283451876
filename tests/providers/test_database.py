"""Tables behave alike in Postgres and in a file."""

from __future__ import annotations

import os
import sqlite3
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from functions.providers.database import Database, close_databases, database
from functions.providers.postgres import Postgres
from functions.providers.sqlite import SqliteFile
from shared import ConfigurationError
from shared.jobs import redact

SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
    owner TEXT NOT NULL, name TEXT NOT NULL, size INTEGER, PRIMARY KEY (owner, name)
);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY);
"""
ADD = "INSERT INTO things (owner, name, size) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
ALL = "SELECT owner, name, size FROM things WHERE owner = ? ORDER BY name"


@pytest.fixture
def tables(tmp_path: Path, place: str) -> Iterator[Database]:
    yield database(tmp_path / "things.sqlite3", SCHEMA)
    close_databases()


def test_what_was_changed_is_selected(tables: Database) -> None:
    assert tables.change(ADD, ("ada", "bed", 2**40)) == 1
    assert tables.change(ADD, ("ada", "bed", 1)) == 0
    assert tables.change_many(ADD, [("ada", "木", None), ("ada", "bed", 3), ("bo", "cup", 4)]) == 2
    assert tables.change_many(ADD, []) == 0

    assert [tuple(row) for row in tables.select(ALL, ("ada",))] == [
        ("ada", "bed", 2**40),
        ("ada", "木", None),
    ]


def test_many_changes_are_made_together_or_not_at_all(tables: Database) -> None:
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        tables.change_many(ADD, [("ada", "bed", 1), ("ada", None, 2)])

    assert tables.select(ALL, ("ada",)) == []
    assert tables.change(ADD, ("ada", "bed", 1)) == 1


def test_texts_are_ordered_by_their_bytes(tables: Database) -> None:
    names = ["a::b", "a:b", "A", "b", "Z", "é", "a b", "ab"]
    tables.change_many(ADD, [("ada", name, 0) for name in names])

    assert [row[1] for row in tables.select(ALL, ("ada",))] == sorted(names)


def test_threads_lose_and_double_nothing(tables: Database) -> None:
    with ThreadPoolExecutor(5) as threads:
        added = threads.map(lambda n: tables.change(ADD, ("ada", f"{n % 100:03}", n)), range(200))

    assert sum(added) == len(tables.select(ALL, ("ada",))) == 100


def test_a_process_opens_a_database_once(tables: Database, tmp_path: Path) -> None:
    assert database(tmp_path / "things.sqlite3", SCHEMA) is tables


def test_processes_that_start_at_once_share_the_tables(tables: Database, tmp_path: Path) -> None:
    barrier, url = threading.Barrier(4), os.environ.get("DATABASE_URL")

    def begin(number: int) -> int:
        barrier.wait()
        own: Database = (
            Postgres(url, SCHEMA) if url else SqliteFile(tmp_path / "things.sqlite3", SCHEMA)
        )
        try:
            return own.change(ADD, ("ada", f"{number % 2}", number))
        finally:
            own.close()

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(begin, range(4))) == 2


def end_other_sessions() -> None:
    """As a server does that restarts, or ends what is idle; they have ended on return."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


CALLS: dict[str, Callable[[Database], object]] = {
    "change": lambda tables: tables.change(ADD, ("ada", "bed", 1)),
    "change_many": lambda tables: tables.change_many(ADD, [("ada", "bed", 1)]),
    "select": lambda tables: len(tables.select(ALL, ("bo",))),
}


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_session_that_ended_while_it_was_idle_costs_no_call(
    call: str, times: int, tables: Database
) -> None:
    """Hosted servers end idle ones, and a Postgres that is restarted ends all."""
    tables.change(ADD, ("bo", "cup", 1))
    for _ in range(times):
        end_other_sessions()

        assert CALLS[call](tables) == 1
        tables.change("DELETE FROM things WHERE owner = ?", ("ada",))


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_session_that_ends_within_a_call_fails_that_call_alone(tables: Database) -> None:
    """Nobody knows what it did: the queue tries the job again."""
    query = "SELECT pg_terminate_backend(pg_backend_pid()), owner FROM things WHERE owner <> ?"
    tables.change(ADD, ("bo", "cup", 1))

    with pytest.raises(psycopg.OperationalError):
        tables.select(query, ("ada",))

    assert tables.change(ADD, ("ada", "bed", 1)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:p%40ss-word-123@127.0.0.1:1/x?connect_timeout=1",
        "host=127.0.0.1 port=1 user=ada password=p@ss-word-123",
    ],
)
def test_its_password_is_blanked_wherever_text_is_kept(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redact, "_secrets", set[str]())
    with pytest.raises(psycopg.OperationalError):
        Postgres(url, SCHEMA)

    assert redact.redact(f"{url} and p@ss-word-123") == "[secret] and [secret]"


def test_a_url_that_can_not_be_read_is_not_quoted() -> None:
    word = "a-password"
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as raised:
        Postgres(f"postgresql://ada:{word}%zz@h/x", SCHEMA)

    assert word not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("host", ["AWS_LAMBDA_FUNCTION_NAME", "VERCEL"])
def test_a_file_is_refused_on_a_function_host(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv(host, "1")

    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        database(tmp_path / "things.sqlite3", SCHEMA)
