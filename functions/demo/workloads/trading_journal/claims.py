"""The claims about the journal: its rows and its emails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...claims import Claim, equal, within_limit

BURST, RATE = 100, 100 / 60
"""The limit of emails: 100 per 60 s."""
LAG = 3.0
"""Seconds that may lie between an email's start, which the limit counts, and its file."""


def row_claims(
    imports: Mapping[str, Mapping[str, Any]], lines: Mapping[str, int], rows: Mapping[str, int]
) -> Iterator[Claim]:
    """By account: the import job after its end, the lines of its file below the header, the rows in
    the journal."""
    for account, job in imports.items():
        result = job["result"] or {"accepted": -1, "rows": -1}
        sentence = f"account {account}: every accepted row is in the journal"
        yield equal(sentence, rows.get(account, 0), result["accepted"])
        sentence = f"account {account}: every line of the file was accepted or rejected"
        yield equal(sentence, result["rows"], lines[account])


def email_claims(sent: Sequence[float], emails: int, early: int, retried: int) -> Iterator[Claim]:
    """`sent`: when each email reached the mail folder; `early`: emails that had to fail once."""
    yield equal("each email is in the mail folder once", len(sent), emails)
    sentence = "no window has more emails than the limit allows"
    yield within_limit(sentence, sent, burst=BURST, rate=RATE, lag=LAG)
    sentence = "each early email failed, was retried and sent"
    yield Claim(sentence, retried >= early, f"{retried} retries")
