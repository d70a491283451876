"""A warning to a batch of phones.

A phone is warned by one job only, which takes it first: a fan-out that ran twice may have put it in
two. Expo has no idempotency key, so a job whose function dies between its request and the note of
it sends its warnings a second time: rather twice than never.
"""

from __future__ import annotations

import asyncio
import datetime as dt

from functions.providers.expo import expo

from .payloads import AlertBatch
from .tables import Tables

TITLE = "Weather warning"


async def send(batch: AlertBatch, tables: Tables, job_id: str) -> dict[str, object]:
    """Send the warning to those phones of the batch that this job has to warn."""
    alert = batch.alert
    name = f"{alert.place}-{alert.kind}-{alert.day}"
    today = dt.datetime.now(dt.UTC).date()
    tokens = await asyncio.to_thread(tables.take, name, today, batch.tokens, job_id)
    if not tokens:
        return {"sent": 0, "gone": 0, "failed": []}
    tickets = await expo().push(tokens, TITLE, alert.text)
    await asyncio.to_thread(tables.mark_sent, name, job_id)
    by_token = dict(zip(tokens, tickets, strict=True))
    gone = [token for token, ticket in by_token.items() if ticket.is_unregistered]
    await asyncio.to_thread(tables.unsubscribe, gone)
    failed = [t.message for t in tickets if t.status == "error" and not t.is_unregistered]
    sent = len(tokens) - len(gone) - len(failed)
    return {"sent": sent, "gone": len(gone), "failed": failed[:5]}
