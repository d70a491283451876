"""Follow-ups and log lines of encrypted jobs: they work, and the store holds nothing of them."""

from __future__ import annotations

import asyncio
import json

import pytest
import respx

from shared import Completed, ConfigurationError, Dead, Discard, JobContext
from shared.config.callbacks import VARIABLE
from tests.encryption.conftest import SECRET, Card, Vault


@pytest.mark.parametrize("end", ["completed", "dead"])
async def test_the_follow_ups_of_an_encrypted_job_are_encrypted_too(vault: Vault, end: str) -> None:
    dumps: list[str] = []
    seen: list[str] = []

    @vault.cards.job("pay")
    async def pay(card: Card, job: JobContext) -> str:
        job.log(f"paid with {card.number}")
        dumps.append(await vault.dump())
        await asyncio.sleep(0)
        if end == "dead":
            raise Discard(card.number)
        return card.number

    @pay.on_completed(queue=vault.others)
    async def completed(ended: Completed[Card]) -> None:
        dumps.append(await vault.dump())
        seen.append(f"{ended.payload.number} {ended.result}")

    @pay.on_dead
    async def dead(ended: Dead[Card]) -> None:
        assert ended.payload
        seen.append(f"{ended.payload.number} {ended.error.message}")

    @vault.others.job("note")
    async def note(card: Card) -> None:
        seen.append(card.number)

    told = [note.job(Card())]
    job = pay.job(Card(), job_id="j0", then=told, on_dead=told)
    await vault.store.enqueue(vault.cards, [job])
    dumps.append(await vault.dump())
    await vault.drained(vault.cards)
    dumps.append(await vault.dump())
    await vault.drained(vault.cards, vault.others)
    dumps.append(await vault.dump())

    assert sorted(seen) == [SECRET, f"{SECRET} {SECRET}"]
    assert [SECRET in dump for dump in dumps] == [False] * len(dumps)
    view = await vault.store.inspect(vault.cards, "j0", decrypt=True)
    assert [line.text for line in view.log] == [f"paid with {SECRET}"]
    hidden = await vault.store.inspect(vault.cards, "j0")
    assert (hidden.log, len(hidden.runs)) == ([], 1)


@pytest.mark.parametrize("end", ["completed", "dead"])
async def test_the_callback_of_an_encrypted_job_tells_nothing_that_was_encrypted(
    vault: Vault, end: str, monkeypatch: pytest.MonkeyPatch, respx_mock: respx.MockRouter
) -> None:
    monkeypatch.setenv(VARIABLE, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    route = respx_mock.post("https://93.184.216.34/hook").respond(204)

    @vault.cards.job("pay")
    async def pay(card: Card) -> str:
        if end == "dead":
            raise Discard(card.number)
        return card.number

    job = pay.job(Card(), job_id="j0", callback="https://93.184.216.34/hook")
    await vault.store.enqueue(vault.cards, [job])
    await vault.drained(vault.cards)
    await vault.drained(vault.cards)

    (call,) = route.calls
    body = json.loads(call.request.content)
    assert body["type"] == f"job.{end}"
    assert body["data"]["id"] == "j0.cards"
    assert SECRET not in call.request.content.decode()


def test_a_handler_on_a_plain_queue_can_not_be_given_encrypted_payloads(vault: Vault) -> None:
    plain = vault.app.queue("plain")

    @vault.cards.job("pay")
    async def pay(card: Card) -> None: ...

    with pytest.raises(ConfigurationError, match="declare queue 'plain' with encrypt, too"):

        @pay.on_completed(queue=plain)
        async def completed(ended: Completed[Card]) -> None: ...
