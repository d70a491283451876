"""What encryption costs: no command, and a known number of bytes."""

from __future__ import annotations

import pytest

from shared import Queue
from shared.store.meter import Meter
from tests.encryption.conftest import Card, Vault


async def bill(vault: Vault, queue: Queue, n: int) -> Meter:
    """The bill of `n` jobs from their enqueue to their end."""
    before = vault.store.meter.snapshot()
    charge = queue.types["charge"]
    await vault.store.enqueue(queue, [charge.job(Card(mode="fail")) for _ in range(n)])
    await vault.drained(queue)
    vault.clock.advance(60)
    await vault.drained(queue)
    return vault.store.meter.since(before)


@pytest.mark.parametrize("n", [1, 20, 100])
async def test_an_encrypted_job_costs_the_same_commands_and_requests(vault: Vault, n: int) -> None:
    plain = vault.declare("plain", encrypt=False)
    await bill(vault, vault.others, 1)  # every script is known, the clocks are set

    one, other = await bill(vault, plain, n), await bill(vault, vault.cards, n)

    assert (other.commands, other.requests) == (one.commands, one.requests)


@pytest.mark.parametrize("size", [0, 1, 2, 500, 100_000])
async def test_the_bytes_of_a_body_are_those_of_the_cost_page(vault: Vault, size: int) -> None:
    job = vault.cards.types["charge"].job(Card(number="x" * size))
    await vault.store.enqueue(vault.cards, [job])

    record = (await vault.probe.read("cards", "records"))[job.id]
    body = record.partition("\n")[2]
    label = ',"encryption":"test/01234567"'
    assert len(body) - len(job.body()) == len(label) - len(job.payload) + 4 * -(
        -(len(job.payload) + 28) // 3
    )
