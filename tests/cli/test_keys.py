"""`tidegate keys`, and the other commands with an encrypted queue: none shows a key or a payload
unless it is told to."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from shared.cli.exit_codes import Exit
from shared.encryption.setting import VARIABLE, parse_keys
from tests.cli.conftest import Cli, Ran

SECRET = "planted-4111"
KEYS = {name: base64.b64encode(name.encode() * 4).decode() for name in ("2026-05.", "2026-11.")}
NEW, OLD = f"2026-11:{KEYS['2026-11.']}", f"2026-05:{KEYS['2026-05.']}"
pytestmark = pytest.mark.usefixtures("encrypted")


@pytest.fixture
def encrypted(environ: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application of these tests, with one key."""
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.encrypted:app")
    monkeypatch.setenv(VARIABLE, OLD)


def post(cli: Cli, text: str = SECRET, *options: str) -> str:
    ran = cli("enqueue", "letters", "post", "-p", f'{{"text": "{text}"}}', "--json", *options)
    assert ran.code is Exit.OK, ran.err
    return str(ran.json["jobs"][0]["id"])


def test_a_generated_key_is_one_that_the_settings_take(cli: Cli) -> None:
    ran = cli("keys", "generate", "2027-01")

    (key,) = parse_keys(ran.out)
    assert (key.name, len(key.secret)) == ("2027-01", 32)
    assert "Put it in front of 2026-05" in ran.err
    assert KEYS["2026-05."] not in ran.out + ran.err
    assert cli("keys", "generate", "2027-01").out != ran.out


def test_the_first_key_comes_as_a_line_of_an_environment_file(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)

    variable, _, entry = cli("keys", "generate").out.partition("=")

    assert variable == VARIABLE
    assert parse_keys(entry)[0].name == f"{datetime.now(UTC):%Y-%m}"


def test_a_name_that_is_taken_or_no_name_is_refused(cli: Cli) -> None:
    for name, sentence in (("2026-05", "give this one another name"), ("No Name", "use a-z")):
        ran = cli("keys", "generate", name)
        assert (ran.code, ran.out) == (Exit.USAGE, "")
        assert sentence in ran.err


def test_the_list_counts_what_each_key_is_needed_for(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(cli)
    post(cli, "delayed", "--delay", "60")
    cli("enqueue", "lists", "add", "-p", '{"text": "plain"}')
    monkeypatch.setenv(VARIABLE, NEW)
    post(cli)
    monkeypatch.setenv(VARIABLE, f"{NEW},2027-01:{base64.b64encode(b'y' * 32).decode()}")

    ran = cli("keys", "list", "--count", "--json")

    rows = [(row["name"], row["use"], row["jobs"]) for row in ran.json["keys"]]
    assert rows == [
        ("2026-11", "encrypts", 1),
        ("2027-01", "decrypts, names", 0),
        ("(not encrypted)", "", 1),
        ("2026-05", "missing", 2),
    ]
    assert not [key for key in KEYS.values() if key in ran.out]
    assert "2026-05" in cli("keys", "list", "--count").out
    assert "2026-05" not in cli("keys", "list").out


@pytest.mark.parametrize(
    ("keys", "code", "sentence"),
    [
        (OLD, Exit.OK, "OK 2026-05 encrypts; encrypted queues: letters"),
        (
            f"{NEW},{OLD}",
            Exit.OK,
            "OK 2026-11 encrypts, 2026-05 decrypt; encrypted queues: letters",
        ),
        ("", Exit.FAILED, "is not set -> make a key: tidegate keys generate"),
    ],
)
def test_check_and_doctor_say_whether_jobs_can_be_encrypted(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, keys: str, code: Exit, sentence: str
) -> None:
    monkeypatch.setenv(VARIABLE, keys)

    ran, doctor = cli("keys", "check"), cli("doctor", "--json")

    assert ran.code is code
    assert sentence in ran.out
    (finding,) = [one for one in doctor.json["findings"] if one["check"] == "keys"]
    assert finding["verdict"] == cli("keys", "check", "--json").json["verdict"]
    assert (doctor.code is Exit.OK) is (code is Exit.OK)


def test_a_malformed_setting_stops_every_command_with_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"2026-05:{KEYS['2026-05.']}x")

    for arguments in (["status"], ["keys", "list"], ["drain"]):
        ran = cli(*arguments)
        assert ran.code is Exit.CONFIGURATION
        assert ran.err.startswith(f"tidegate: {VARIABLE}: key '2026-05'")
        assert ran.err.count("\n") == 1
        assert KEYS["2026-05."] not in ran.err


def test_no_output_shows_a_payload_unless_it_is_told_to(cli: Cli) -> None:
    done, lost = post(cli), post(cli, f"lost {SECRET}", "--attempts", "1")
    waits = post(cli, SECRET, "--delay", "60")
    commands = [
        ["drain", "letters"], ["drain", "letters", "--json"], ["status"], ["status", "--json"],
        ["jobs", "list", "--state", "completed"], ["jobs", "list", "--state", "dead", "--json"],
        ["dead", "list"], ["dead", "list", "--json"], ["keys", "list", "--count"], ["doctor"],
        ["dead", "show", lost], ["dead", "show", lost, "--json"],
    ]  # fmt: skip
    commands += [["jobs", "show", job_id] for job_id in (done, lost, waits)]
    commands += [["jobs", "show", job_id, "--json"] for job_id in (done, lost, waits)]

    ran: list[Ran] = [cli(*command) for command in commands]

    assert all(one.code is Exit.OK for one in ran)
    assert not [
        command for command, one in zip(commands, ran, strict=True) if SECRET in one.out + one.err
    ]
    shown = cli("jobs", "show", done, "--decrypt").out
    assert f'"{SECRET}"' in shown
    assert cli("jobs", "show", done, "--decrypt", "--json").json["result"] == SECRET
    assert SECRET in cli("dead", "show", lost, "--decrypt").out


def test_erase_asks_and_reports(cli: Cli) -> None:
    ann, bob = post(cli, "a", "--key", "ann"), post(cli, "b", "--key", "bob")

    assert cli("jobs", "erase", "--key", "ann").code is Exit.USAGE
    assert cli("jobs", "erase", "--key", "ann", "--dry-run").out == "1 jobs would be deleted\n"
    assert cli("jobs", "show", ann).code is Exit.OK
    erased = cli("jobs", "erase", "--key", "ann", "--yes", "--json")

    assert erased.json == {"deleted": 1, "rows": None, "running": [], "dry_run": False}
    assert cli("jobs", "show", ann).code is Exit.NOT_FOUND
    assert cli("jobs", "show", bob).code is Exit.OK
