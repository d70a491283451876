"""`tidegate demo`: once from end to end, and the claims it makes, held and broken."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.demo.acts import Played
from functions.demo.claims import Bill, Evidence, claims
from shared.cli.exit_codes import Exit
from tests.cli.conftest import Spawn

WITHIN = 60.0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_demo_keeps_its_word(
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


PLAYED = Played(
    letters=[f"l{n}" for n in range(110)],
    early=["l0", "l1"],
    imported={"main": {"result": {"accepted": 9, "rows": 10}}},
    lines={"main": 10},
)
HELD = Evidence(
    recorded={"main": 9},
    sent=[n * 0.001 for n in range(100)] + [0.6 * n for n in range(1, 11)],
    outcomes={
        "email": Counter(done=110, retry=2),
        "import": Counter(done=1, dead=1),
        "default": Counter(done=9),
    },
    stats={
        "counts": {"waiting": 0, "delayed": 0, "active": 0, "parked": 0, "dead": 0},
        "totals": {"done": 120, "lost": 0, "crashed": 0, "cancelled": 0},
    },
    ours=Bill(10, 100),
    servers=Bill(10, 100),
    idle=1,
)


def broken(**found: Any) -> list[str]:
    """The claims that do not hold when this is found instead."""
    return [claim.said for claim in claims(PLAYED, replace(HELD, **found)) if not claim.holds]


def test_all_claims_hold_when_all_is_well() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("found", "claim"),
    [
        ({"servers": Bill(10, 101)}, "client and server agree on the bill"),
        ({"servers": Bill(11, 100)}, "client and server agree on the bill"),
        ({"idle": 2}, "a tick that finds nothing costs one command"),
        ({"recorded": {"main": 8}}, "account main: every accepted row is in the journal"),
        ({"sent": HELD.sent[:-1]}, "each letter is in the outbox once"),
        ({"sent": [0.0] * 110}, "no window has more letters than the limit allows"),
        (
            {"outcomes": {**HELD.outcomes, "email": Counter(done=110, retry=1)}},
            "each early letter failed, was tried again and sent",
        ),
        (
            {"outcomes": {**HELD.outcomes, "import": Counter(done=1)}},
            "one job was a dead letter",
        ),
        (
            {"stats": {**HELD.stats, "counts": {**HELD.stats["counts"], "dead": 1}}},
            "nothing is left and no dead letter remains",
        ),
        (
            {"stats": {**HELD.stats, "totals": {**HELD.stats["totals"], "lost": 1}}},
            "no job was lost",
        ),
        (
            {"stats": {**HELD.stats, "totals": {**HELD.stats["totals"], "done": 121}}},
            "the ticks reported as many done jobs as the store counted",
        ),
    ],
)
def test_a_claim_that_does_not_hold_is_found(found: dict[str, Any], claim: str) -> None:
    assert broken(**found) == [claim]
