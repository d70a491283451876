"""Every expected error has an exit code and one sentence."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from shared import errors
from shared.cli.exit_codes import Exit, exit_of
from tests.cli.conftest import ROOT, Cli


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidPayload("x"), Exit.USAGE),
        (errors.InvalidOption("x", "delay"), Exit.USAGE),
        (errors.InvalidRequest("x"), Exit.USAGE),
        (errors.PayloadTooLarge(), Exit.USAGE),
        (errors.JobNotFound(), Exit.NOT_FOUND),
        (errors.UnknownQueue(), Exit.NOT_FOUND),
        (errors.UnknownType(), Exit.NOT_FOUND),
        (errors.Unreachable(), Exit.STORE),
        (errors.UnknownOutcome(), Exit.STORE),
        (errors.Throttled(), Exit.STORE),
        (errors.QuotaExceeded(), Exit.STORE),
        (errors.Refused(), Exit.CONFIGURATION),
        (errors.ConfigurationError(), Exit.CONFIGURATION),
        (errors.ScriptError(), Exit.FAILED),
    ],
)
def test_an_error_has_its_code(error: errors.TidegateError, code: Exit) -> None:
    assert exit_of(error) is code


def test_the_codes_are_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    for code in Exit:
        assert f"| {code.value} |" in page


def test_an_unreachable_store_is_one_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "none")

    ran = cli("drain", "work", "--budget", "1", "--json")

    assert ran.code is Exit.STORE
    assert ran.err.startswith("tidegate: can't reach the store at 127.0.0.1")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("UPSTASH_REDIS_REST_URL", "https://x.invalid", "UPSTASH_REDIS_REST_TOKEN is not"),
        ("UPSTASH_REDIS_REST_TOKEN", "a-token", "UPSTASH_REDIS_REST_URL is not"),
        ("UPSTASH_REDIS_REST_URL", "", "set, but empty"),
        ("TIDEGATE_PREFIX", "{x}", "TIDEGATE_PREFIX"),
        ("TIDEGATE_APPS", "nowhere.at:all", "can't import 'nowhere.at'"),
        ("TIDEGATE_BATCH", "many", "TIDEGATE_BATCH"),
    ],
)
def test_a_setting_that_can_not_work_is_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)

    ran = cli("status")

    assert ran.code is Exit.CONFIGURATION
    assert sentence in ran.err
    assert ran.err.count("\n") == 1


def test_a_reader_that_closes_the_pipe_early_is_no_error(environ: object) -> None:
    command = f"{sys.executable} -m shared.cli status --json | head -c 1"

    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "{", "")


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("jobs list", Exit.OK),
        ('enqueue work note.keep --payload \'{"text": "x"}\'', Exit.OK),
        ("drain work", Exit.OK),
        ("jobs show 1.work", Exit.NOT_FOUND),
        ("queues purge work", Exit.USAGE),  # can't ask
    ],
)
def test_a_closed_standard_stream_changes_no_exit_code(
    environ: object, command: str, code: Exit, closed: str
) -> None:
    closing = " ".join(f"{number}>&-" for number in closed)

    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m shared.cli {command} {closing}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == code, ran.stderr
    assert bool(ran.stdout) == (code is Exit.OK and "1" not in closed)
    assert bool(ran.stderr) == ("2" not in closed and (code is not Exit.OK or "drain" in command))


def test_what_a_closed_standard_input_would_give_is_empty(environ: object) -> None:
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m shared.cli enqueue work note.keep -p - --json <&-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, json.loads(ran.stdout)["jobs"]) == (0, []), ran.stderr
