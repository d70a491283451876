"""A warning to a batch of phones.

A phone is warned by one job only, which takes it first: two fan-outs may have put it in two. What a
request has settled is noted before the next one, so a further run sends the rest. Expo has no
idempotency key, so a job whose function dies between its request and the note of it sends its
warnings a second time: rather twice than never. What became of those that Expo took, `receipts.py`
reads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from functions.providers.expo import BatchRefused, Ticket, expo
from shared import Discard

from .payloads import AlertBatch
from .tables import Tables

TITLE = "Weather warning"
MOST_REQUESTS = 20
"""Of one run, where Expo refuses batches for some of their phones."""
MOST_REASONS = 5


class NotAllSent(Exception):
    """Some phones could not be warned now. A further run warns them."""


@dataclass(slots=True)
class Report:
    """How many phones got the warning, how many are gone, why others get none."""

    sent: int = 0
    gone: int = 0
    failed: list[str] = field(default_factory=list)


class Sending:
    """One run: requests to Expo, and what the tables note of each."""

    def __init__(self, batch: AlertBatch, tables: Tables, job_id: str) -> None:
        self._batch, self._tables, self._job_id = batch, tables, job_id
        self._alert, self._expo = batch.alert, expo()
        self._wrong: list[str] = []
        self._later: list[str] = []
        self._report = Report()
        self.phones: dict[str, str] = {}
        """The phones whose warnings Expo has taken, by the ids of their tickets."""

    async def run(self) -> dict[str, object]:
        """Send the warning to those phones of the batch that this job has to warn. Raises Discard
        where the project's credentials are wrong or no phone is left to which it can be sent."""
        name, now = self._alert.name, int(time.time())
        tokens = await asyncio.to_thread(
            self._tables.take, name, now, self._batch.tokens, self._job_id
        )
        await self._send([tokens] if tokens else [])
        report = self._report
        if report.failed and not report.sent and not report.gone:
            raise Discard(f"no phone can be warned: {report.failed[0]}")
        return asdict(report) | {"failed": report.failed[:MOST_REASONS]}

    async def _send(self, parts: list[list[str]]) -> None:
        """Send to these parts of the batch. One that Expo refuses is divided."""
        requests = 0
        while parts:
            if requests == MOST_REQUESTS:
                raise NotAllSent(f"Expo refuses parts of the batch; {sum(map(len, parts))} wait")
            part, requests = parts.pop(0), requests + 1
            try:
                tickets = await self._expo.push(part, TITLE, self._alert.text)
            except BatchRefused as refusal:
                parts = [*refusal.parts, *parts]
                if not refusal.parts:
                    await self._settle(part, [Ticket(status="error", message=str(refusal))])
            else:
                await self._settle(part, tickets)
        if self._wrong:
            raise Discard(f"Expo: {self._wrong[0]}")
        if self._later:
            raise NotAllSent(f"Expo takes {len(self._later)} messages later: {self._later[0]}")

    async def _settle(self, tokens: Sequence[str], tickets: Sequence[Ticket]) -> None:
        """Note what these tickets say, each about the phone at its place. A phone whose message may
        be sent again stays unwarned."""
        by_token = dict(zip(tokens, tickets, strict=True))
        kinds: dict[str, list[str]] = {}
        for token, ticket in by_token.items():
            kinds.setdefault(ticket.meaning, []).append(token)
            if ticket.meaning == "sent" and ticket.id:
                self.phones[ticket.id] = token
        settled = [token for kind in ("sent", "gone", "refused") for token in kinds.get(kind, ())]
        await asyncio.to_thread(self._tables.mark_warned, self._alert.name, settled)
        gone = kinds.get("gone", [])
        await asyncio.to_thread(self._tables.unsubscribe, gone)
        self._report.sent += len(kinds.get("sent", ()))
        self._report.gone += len(gone)
        for kind, reasons in (
            ("refused", self._report.failed),
            ("wrong", self._wrong),
            ("later", self._later),
        ):
            reasons += [by_token[token].reason for token in kinds.get(kind, ())]
