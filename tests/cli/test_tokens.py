"""`tidegate tokens`: a stored token is printed once, and never again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.access.token_text import read_text
from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli


def test_a_token_is_printed_once_and_listed_without_its_secret(cli: Cli) -> None:
    made = cli("tokens", "create", "ci", "--role", "producer", "--queue", "work", "--days", "1.5")
    text = made.out.strip()
    token = read_text(text, "tidegate")
    assert token is not None
    assert (made.code, made.err) == (
        Exit.OK,
        f"This is token {token.id}; its text is shown this once.\n",
    )

    listed = cli("tokens", "list")
    (row,) = cli("tokens", "list", "--json").json["tokens"]
    assert (row["id"], row["role"], row["rights"]) == (token.id, "producer", ["enqueue"])
    assert (row["name"], row["queues"]) == ("ci", ["work"])
    created, expires = (datetime.fromisoformat(row[at]) for at in ("created_at", "expires_at"))
    assert expires - created == timedelta(days=1.5)
    for shown in (listed.out, str(row), cli("audit", "--json").out):
        assert text not in shown
        assert token.digest not in shown


def test_roles_and_rights_add_up(cli: Cli) -> None:
    options = ["--role", "producer", "--role", "viewer", "--right", "drain"]
    made = cli("tokens", "create", "x", *options, "--json").json

    assert made["rights"] == ["drain", "enqueue", "metrics", "read"]
    assert (made["role"], made["queues"], made["expires_at"]) == (None, None, None)
    assert "drain, enqueue, metrics, read" in cli("tokens", "list").out


def test_limits_are_stored_listed_and_audited(cli: Cli) -> None:
    options = ["--type", "note.keep", "--key", "ada", "--per-minute", "60", "--jobs-a-day", "9"]
    made = cli("tokens", "create", "x", "--role", "producer", *options, "--json").json
    words = "types note.keep; keys ada; 60 requests a minute; 9 jobs a day"

    assert (made["types"], made["keys"]) == (["note.keep"], ["ada"])
    assert (made["requests_a_minute"], made["jobs_a_day"]) == (60, 9)
    assert words in cli("tokens", "list").out
    assert words in cli("audit").out


@pytest.mark.parametrize("option", [
    ("--type", "none"), ("--key", "a b"), ("--per-minute", "0"), ("--jobs-a-day", "-1"),
])  # fmt: skip
def test_limits_that_make_no_sense_are_refused(cli: Cli, option: tuple[str, str]) -> None:
    assert cli("tokens", "create", "x", "--role", "producer", *option).code == Exit.USAGE


def test_a_rotation_ends_the_old_one_and_keeps_its_subject(cli: Cli) -> None:
    old = cli("tokens", "create", "x", "--role", "viewer", "--json").json
    new = cli("tokens", "rotate", old["id"], "--overlap", "0", "--json").json
    again = cli("tokens", "rotate", new["id"], "--json").json
    rows = {row["id"]: row for row in cli("tokens", "list", "--json").json["tokens"]}

    assert len({old["token"], new["token"], again["token"]}) == 3
    assert {row["subject"] for row in rows.values()} == {old["id"]}
    assert rows[old["id"]]["expires_at"] <= new["created_at"]
    assert rows[again["id"]]["expires_at"] is None
    ends = datetime.fromisoformat(rows[new["id"]]["expires_at"])
    assert ends - datetime.fromisoformat(again["created_at"]) == timedelta(hours=24)


def test_a_revoked_token_is_gone(cli: Cli) -> None:
    made = cli("tokens", "create", "x", "--role", "viewer", "--json").json

    assert "is revoked" in cli("tokens", "revoke", made["id"]).out
    assert cli("tokens", "list").out.startswith("no stored tokens")
    assert cli("tokens", "revoke", made["id"]).code is Exit.NOT_FOUND


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("create x", Exit.USAGE, "name a role or a right"),
        ("create x --role king", Exit.USAGE, "choose from producer"),
        ("create x --right fly", Exit.USAGE, "choose from enqueue"),
        ("create x --role viewer --queue none", Exit.NOT_FOUND, "no queue 'none'"),
        ("create x --role viewer --days 0", Exit.USAGE, "days"),
        ("rotate 0123456789ab", Exit.NOT_FOUND, "no token '0123456789ab'"),
        ("revoke odd", Exit.NOT_FOUND, "no token 'odd'"),
    ],
)
def test_wrong_input_is_told_and_makes_no_token(
    cli: Cli, words: str, code: Exit, text: str
) -> None:
    ran = cli("tokens", *words.split())

    assert ran.code is code
    assert text in ran.err
    assert cli("tokens", "list", "--json").json == {"tokens": []}
