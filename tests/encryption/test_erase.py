"""`app.erase(key)` deletes a person's jobs in every state, and nobody else's."""

from __future__ import annotations

import pytest

from shared.errors import InvalidOption
from shared.jobs.erase_report import EraseReport
from shared.jobs.ids import public_id
from tests.encryption.conftest import NEW, OLD, Card, Vault
from tests.support.values import Number

ANN, BOB = "user-ann", "user-bob"


async def fill(vault: Vault, key: str) -> list[str]:
    """Jobs of this key in every state but active."""
    charge, first = vault.cards.types["charge"], key[-3:]
    jobs = [
        charge.job(Card(), key=key, job_id=f"{first}-done"),
        charge.job(Card(mode="fail"), key=key, job_id=f"{first}-dead", attempts=1),
        charge.job(Card(), key=key, job_id=f"{first}-cancelled"),
    ]
    await vault.store.enqueue(vault.cards, jobs)
    await vault.store.cancel(vault.cards, f"{first}-cancelled")
    await vault.drained(vault.cards)
    parked = charge.job(Card(), key=key, job_id=f"{first}-parked")
    await vault.with_keys(OLD).enqueue(vault.cards, [parked])
    await vault.drained(vault.cards, store=vault.with_keys(NEW))
    rest = [
        charge.job(Card(), key=key, job_id=f"{first}-waiting"),
        charge.job(Card(), key=key, job_id=f"{first}-delayed", delay=60),
        charge.job(Card(), job_id=f"{first}-none"),
    ]
    await vault.store.enqueue(vault.cards, rest)
    other = vault.others.types["charge"].job(Card(), key=key, job_id=f"{first}-other")
    await vault.store.enqueue(vault.others, [other])
    return [job.id for job in (*jobs, parked, *rest, other)]


async def stored(vault: Vault) -> set[str]:
    """The ids of everything stored."""
    queues = [await vault.probe.read(name, "records") for name in ("cards", "others")]
    return {name for records in queues for name in records if not name.startswith(":")}


async def test_all_jobs_of_a_key_go_and_no_others(vault: Vault) -> None:
    ann, bob = await fill(vault, ANN), await fill(vault, BOB)
    before = await stored(vault)
    assert before == {*ann, *bob}

    assert await vault.app.erase(ANN, dry_run=True) == EraseReport(7)
    assert await stored(vault) == before
    assert await vault.app.erase(ANN) == EraseReport(7)

    assert await stored(vault) == {*bob, "ann-none"}
    assert ANN not in await vault.dump()
    assert await vault.app.erase(ANN) == EraseReport(0)
    vault.ran.clear()
    vault.clock.advance(100)
    await vault.drained(vault.cards, vault.others)
    assert {job_id for job_id in vault.ran if job_id.startswith("ann")} <= {"ann-none"}


async def test_a_running_job_is_cancelled_and_reported_and_a_repeat_deletes_it(
    vault: Vault,
) -> None:
    erased: list[EraseReport] = []
    queue = vault.app.queue("busy", encrypt=True)

    @queue.job("charge")
    async def charge(_card: Card) -> None:
        erased.append(await vault.app.erase(ANN))
        await vault.clock.sleep(30)

    await charge.enqueue(Card(), key=ANN, job_id="mine")
    await vault.drained(queue)

    assert erased == [EraseReport(0, (public_id("mine", "busy"),))]
    assert (await queue.handle("mine").status()).state in ("cancelled", "completed")
    assert await vault.app.erase(ANN) == EraseReport(1)


@pytest.mark.parametrize("key", ["-", "", "two words", "x" * 129])
async def test_what_is_no_key_erases_nothing(vault: Vault, key: str) -> None:
    ann = await fill(vault, ANN)

    with pytest.raises(InvalidOption, match="key: 1 to 128"):
        await vault.app.erase(key)

    assert await stored(vault) == set(ann)


async def test_many_jobs_go_page_by_page(vault: Vault) -> None:
    charge = vault.cards.types["charge"]
    jobs = [charge.job(Card(), key=(ANN, BOB)[n % 2], delay=9) for n in range(1500)]
    await vault.store.enqueue(vault.cards, jobs)
    before = vault.store.meter.snapshot()

    assert await vault.app.erase(ANN, dry_run=True) == EraseReport(750)

    assert vault.store.meter.since(before).requests < 20
    assert await vault.app.erase(ANN) == EraseReport(750)
    assert (await vault.store.stats(vault.cards)).sizes["delayed"] == 750


async def test_a_handler_without_an_event_loop_erases_too(vault: Vault) -> None:
    await vault.cards.types["charge"].enqueue(Card(), key=ANN)
    queue, erased = vault.app.queue("threads"), list[EraseReport]()

    @queue.job("forget")
    def forget(_number: Number) -> None:
        erased.append(vault.app.erase_sync(ANN))

    await forget.enqueue(Number())
    await vault.drained(queue)

    assert erased == [EraseReport(1)]


async def test_a_job_whose_follow_ups_alone_have_the_key_is_left_until_it_ends(
    vault: Vault,
) -> None:
    charge = vault.cards.types["charge"]
    parent = charge.job(Card(), job_id="parent", then=[charge.job(Card(), key=ANN)])
    await vault.store.enqueue(vault.cards, [parent])

    assert await vault.app.erase(ANN) == EraseReport(0)
    assert await stored(vault) == {"parent"}
    await vault.drained(vault.cards)

    assert await vault.app.erase(ANN) == EraseReport(1)
    assert await stored(vault) == {"parent"}
    assert await vault.store.delete(vault.cards, ["parent"]) == [True]
    assert ANN not in await vault.dump()
