"""`tidegate demo`: one run from end to end, and its claims, both true and false."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.demo.checks import Bill, Evidence, Workload, check
from shared.cli.exit_codes import Exit
from tests.cli.conftest import Cli, Spawn

WITHIN = 60.0


@pytest.mark.slow
@pytest.mark.timeout(120)
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
    assert summary["jobs"] > 2000
    queues = summary["queues"]
    assert (queues["email"]["done"], queues["import"]["done"]) == (110, 2)
    assert queues["email"]["retries"] >= 3
    assert (queues["import"]["dead"], queues["import"]["redriven"]) == (1, 1)
    assert summary["rate_limit"]["held_back"] >= 5
    assert summary["store"]["client"] == summary["store"]["server"]
    assert summary["drain"]["longest"] < summary["drain"]["budget"]
    assert sorted(environ.rglob("*")) == before
    assert "Quandl WIKI" in err


WORKLOAD = Workload(
    emails=[f"e{n}" for n in range(110)],
    early=["e0", "e1"],
    imports={"main": {"result": {"accepted": 9, "rows": 10}}},
    lines={"main": 10},
)
EVIDENCE = Evidence(
    recorded={"main": 9},
    sent=[n * 0.001 for n in range(100)] + [0.6 * n for n in range(1, 11)],
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


def false_claims(**changes: Any) -> list[str]:
    """The claims that do not hold if the evidence is changed."""
    claims = check(WORKLOAD, replace(EVIDENCE, **changes))
    return [claim.sentence for claim in claims if not claim.holds]


def test_all_claims_hold_on_good_evidence() -> None:
    assert false_claims() == []


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"server": Bill(10, 101)}, "client and server agree on the bill"),
        ({"server": Bill(11, 100)}, "client and server agree on the bill"),
        ({"idle": 2}, "a tick without work costs one command"),
        ({"recorded": {"main": 8}}, "account main: every accepted row is in the journal"),
        ({"sent": EVIDENCE.sent[:-1]}, "each email is in the mail folder once"),
        ({"sent": [0.0] * 110}, "no window has more emails than the limit allows"),
        (
            {"outcomes": {**EVIDENCE.outcomes, "email": Counter(done=110, retried=1)}},
            "each early email failed, was retried and sent",
        ),
        (
            {"outcomes": {**EVIDENCE.outcomes, "import": Counter(done=1)}},
            "one job was a dead letter",
        ),
        (
            {"stats": {**EVIDENCE.stats, "counts": {**EVIDENCE.stats["counts"], "dead": 1}}},
            "no job is left and no dead letter remains",
        ),
        (
            {"stats": {**EVIDENCE.stats, "totals": {**EVIDENCE.stats["totals"], "lost": 1}}},
            "no job was lost",
        ),
        (
            {"stats": {**EVIDENCE.stats, "totals": {**EVIDENCE.stats["totals"], "done": 121}}},
            "the ticks reported as many done jobs as the store counted",
        ),
    ],
)
def test_bad_evidence_makes_one_claim_false(changes: dict[str, Any], claim: str) -> None:
    assert false_claims(**changes) == [claim]


def test_without_the_repository_the_command_says_where_the_demo_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "functions.demo", None)

    ran = cli("demo")

    assert ran.code is Exit.CONFIGURATION
    assert "the demonstration lives in Tidegate's repository" in ran.err
    assert ran.err.count("\n") == 1
