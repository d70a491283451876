"""`tidegate demo`: one run from end to end, and its claims, both true and false."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.demo.claims import Bill, Claim, Evidence, check
from functions.demo.workloads import app_names
from functions.demo.workloads.trading_journal.claims import email_claims, row_claims
from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, Spawn

WITHIN = 120.0


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_the_demo_succeeds_and_leaves_nothing_behind(
    spawn: Spawn, environ: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(environ.rglob("*"))
    monkeypatch.setenv("RESEND_API_KEY", "would-send-real-mail")
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "https://someone-elses.invalid")
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "none")
    began = time.monotonic()

    process = spawn("demo", "--json")
    out, err = process.communicate(timeout=WITHIN)

    assert process.returncode == Exit.OK, err
    assert time.monotonic() - began < WITHIN
    summary = json.loads(out)
    assert summary["ok"] is True
    assert summary["jobs"] > 3500
    assert {claim["of"] for claim in summary["claims"]} == {"engine", *app_names()}
    queues = summary["queues"]
    assert (queues["email"]["done"], queues["import"]["done"]) == (110, 2)
    assert (queues["import"]["dead"], queues["import"]["redriven"]) == (1, 1)
    assert (queues["flrts.tasks.create"]["done"], queues["flrts.tasks.create"]["dead"]) == (53, 1)
    assert (queues["provisioning"]["done"], queues["color-extraction"]["dead"]) == (200, 1)
    faults = [one["faults"] for one in summary["providers"].values()]
    assert {"429", "503", "garbage", "slow", "lost answer"} == set().union(*faults)
    assert summary["store"]["client"] == summary["store"]["server"]
    assert summary["drain"]["longest"] < summary["drain"]["budget"]
    assert sorted(environ.rglob("*")) == before
    assert "Quandl WIKI" in err


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_application_is_shown_alone(spawn: Spawn) -> None:
    process = spawn("demo", "--json", "--app", "documents")
    out, err = process.communicate(timeout=WITHIN)

    assert process.returncode == Exit.OK, err
    summary = json.loads(out)
    assert set(summary["queues"]) == {"documentation-generation"}
    assert {claim["of"] for claim in summary["claims"]} == {"engine", "documents"}


def test_an_unknown_application_is_refused_with_those_there_are(cli: Cli) -> None:
    ran = cli("demo", "--app", "wether")

    assert ran.code is Exit.CONFIGURATION
    assert "the demonstration has no 'wether'; it has documents, " in ran.err


EVIDENCE = Evidence(
    outcomes={
        "email": Counter(done=110, retried=2),
        "import": Counter(done=1, dead=1),
        "default": Counter(done=9),
    },
    stats={
        "counts": {"waiting": 0, "delayed": 0, "active": 0, "parked": 0, "dead": 0},
        "totals": {"done": 120, "lost": 0, "crashed": 0, "cancelled": 0},
    },
    client=Bill(10, 100),
    server=Bill(10, 100),
    idle=1,
)
SENT = [n * 0.001 for n in range(100)] + [0.6 * n for n in range(1, 11)]
IMPORTS = {"main": {"result": {"accepted": 9, "rows": 10}}}


def false(claims: Iterator[Claim]) -> list[str]:
    return [claim.sentence for claim in claims if not claim.holds]


def test_all_claims_hold_on_good_evidence() -> None:
    assert false(check(EVIDENCE)) == []
    assert false(email_claims(SENT, 110, 2, 2)) == []
    assert false(row_claims(IMPORTS, {"main": 10}, {"main": 9})) == []


def changed(part: str, **numbers: int) -> dict[str, Any]:
    """The evidence's stats with other numbers in one part."""
    return {"stats": {**EVIDENCE.stats, part: {**EVIDENCE.stats[part], **numbers}}}


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"server": Bill(10, 101)}, "client and server agree on the bill"),
        ({"server": Bill(11, 100)}, "client and server agree on the bill"),
        ({"idle": 2}, "a tick without work costs one command"),
        ({"dead": 1}, "the dead letters are those that were meant"),
        (changed("counts", dead=1), "the dead letters are those that were meant"),
        (changed("counts", delayed=1), "no job is left"),
        (changed("totals", lost=1), "no job was lost"),
        (
            changed("totals", done=121),
            "the ticks reported as many done jobs as the store counted",
        ),
    ],
)
def test_bad_evidence_makes_one_claim_false(changes: dict[str, Any], claim: str) -> None:
    assert false(check(replace(EVIDENCE, **changes))) == [claim]


def test_rows_and_emails_that_are_missing_or_too_many_make_a_claim_false() -> None:
    rows = {"main": 8}
    assert false(row_claims(IMPORTS, {"main": 10}, rows)) == [
        "account main: every accepted row is in the journal"
    ]
    assert false(email_claims(SENT[:-1], 110, 2, 2)) == ["each email is in the mail folder once"]
    assert false(email_claims([0.0] * 110, 110, 2, 2)) == [
        "no window has more emails than the limit allows"
    ]
    assert false(email_claims(SENT, 110, 2, 1)) == ["each early email failed, was retried and sent"]


def test_without_the_repository_the_command_says_where_the_demo_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "functions.demo", None)

    ran = cli("demo")

    assert ran.code is Exit.CONFIGURATION
    assert "the demonstration lives in Tidegate's repository" in ran.err
    assert ran.err.count("\n") == 1
