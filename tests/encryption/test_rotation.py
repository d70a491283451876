"""Keys are rotated, missing and back again: no job is lost and no name matches less than before."""

from __future__ import annotations

import pytest

from shared import Retry
from shared.errors import IdempotencyMismatch, MissingSecret, NoResult
from shared.extras import MissingExtra, packages_of
from shared.jobs.ids import local_id
from shared.store import Store
from shared.store.views import JobView
from tests.encryption.conftest import NEW, OLD, OTHER, SECRET, Card, Vault


async def enqueue(vault: Vault, store: Store, *modes: str, **options: int) -> list[str]:
    """Jobs of these modes, through this function; their ids."""
    charge = vault.cards.types["charge"]
    jobs = [charge.job(Card(mode=mode), **options) for mode in modes]  # type: ignore[arg-type]  # as the model says
    return [local_id(one.id) for one in await store.enqueue(vault.cards, jobs)]


async def view(vault: Vault, store: Store, job_id: str) -> JobView:
    return await store.inspect(vault.cards, job_id, decrypt=True)


async def test_a_rotation_loses_no_job_in_any_state(vault: Vault) -> None:
    before, during = vault.with_keys(OLD), vault.with_keys(NEW, OLD)
    (waiting,) = await enqueue(vault, before, "done")
    (delayed,) = await enqueue(vault, before, "done", delay=60)
    (dead,) = await enqueue(vault, before, "fail", attempts=1)
    (retried,) = await enqueue(vault, before, "fail")
    await vault.drained(vault.cards, store=before)  # `waiting` is completed under the old key
    (later,) = await enqueue(vault, before, "done")

    vault.clock.advance(100)
    await vault.drained(vault.cards, store=during)
    await during.redrive(vault.cards, [dead])
    await vault.drained(vault.cards, store=during)

    for job_id in (waiting, delayed, later):
        assert (await view(vault, during, job_id)).result == {"charged": SECRET}
    for job_id in (dead, retried):
        errors = (await view(vault, during, job_id)).errors
        assert all(SECRET in error["message"] for error in errors)
        assert len(errors) == 2


async def test_after_a_rotation_new_jobs_need_the_new_key_only(vault: Vault) -> None:
    during, after = vault.with_keys(NEW, OLD), vault.with_keys(NEW)
    (job_id,) = await enqueue(vault, during, "done")

    await vault.drained(vault.cards, store=after)

    assert (await view(vault, after, job_id)).result == {"charged": SECRET}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([NEW], 'encryption key "2026-05" is missing'),
        ([], 'encryption key "2026-05" is missing'),
        ([OTHER], 'encryption key "2026-05" has another value here than when the job was enqueued'),
    ],
)
async def test_a_job_whose_key_is_missing_waits_for_it(
    vault: Vault, keys: list[object], reason: str
) -> None:
    right, wrong = vault.with_keys(OLD), vault.with_keys(*keys)  # type: ignore[arg-type]  # keys
    (job_id,) = await enqueue(vault, right, "done")

    await vault.drained(vault.cards, store=wrong)

    parked = await view(vault, wrong, job_id)
    assert (parked.state, parked.history["parked"], parked.attempts) == ("parked", reason, 0)
    assert parked.encryption is not None
    assert parked.encryption.locked == reason
    assert parked.payload == ""
    vault.clock.advance(901)
    await vault.drained(vault.cards, store=right)
    done = await view(vault, right, job_id)
    assert (done.state, done.result, vault.ran) == ("completed", {"charged": SECRET}, [job_id])


async def test_errors_of_an_old_key_outlive_a_park(vault: Vault) -> None:
    right, wrong = vault.with_keys(OLD), vault.with_keys(NEW)
    (job_id,) = await enqueue(vault, right, "fail", attempts=2)
    await vault.drained(vault.cards, store=right)
    vault.clock.advance(20)
    await vault.drained(vault.cards, store=wrong)
    assert (await view(vault, wrong, job_id)).state == "parked"

    vault.clock.advance(901)
    await vault.drained(vault.cards, store=right)

    ended = await view(vault, right, job_id)
    assert (ended.state, len(ended.errors)) == ("dead", 2)
    assert all(SECRET in error["message"] for error in ended.errors)


async def test_a_result_whose_key_is_missing_says_so(vault: Vault) -> None:
    (job_id,) = await enqueue(vault, vault.with_keys(OLD), "done")
    await vault.drained(vault.cards, store=vault.with_keys(OLD))
    vault.store.keyring = vault.with_keys(NEW).keyring

    with pytest.raises(NoResult, match='encryption key "2026-05" is missing'):
        await vault.cards.handle(job_id).result()


async def test_without_keys_an_enqueue_says_what_to_do(vault: Vault) -> None:
    store = vault.with_keys()

    with pytest.raises(MissingSecret, match=r"TIDEGATE_ENCRYPTION_KEYS is not set.*keys generate"):
        await enqueue(vault, store, "done")


async def test_a_payload_is_recognised_through_a_rotation(vault: Vault) -> None:
    charge = vault.cards.types["charge"]
    job = charge.job(Card(), dedup={})
    (first,) = await vault.with_keys(OLD).enqueue(vault.cards, [job])

    again = await vault.with_keys(NEW, OLD).enqueue(vault.cards, [charge.job(Card(), dedup={})])
    other = await vault.with_keys(NEW, OLD).enqueue(
        vault.cards, [charge.job(Card(order=1), dedup={})]
    )

    assert [(one.id, one.duplicate) for one in again] == [(first.id, True)]
    assert [one.duplicate for one in other] == [False]


async def test_an_idempotency_key_is_recognised_through_a_rotation(vault: Vault) -> None:
    charge, before, after = vault.cards.types["charge"], OLD, (NEW, OLD)
    job = charge.job(Card(), idempotency_key="k")
    first = await vault.with_keys(before).enqueue_one(vault.cards, job)

    same = charge.job(Card(), idempotency_key="k")
    again = await vault.with_keys(*after).enqueue_one(vault.cards, same)
    assert again == first
    other = charge.job(Card(order=2), idempotency_key="k")
    with pytest.raises(IdempotencyMismatch):
        await vault.with_keys(*after).enqueue_one(vault.cards, other)


async def test_names_of_payloads_do_not_reveal_them(vault: Vault) -> None:
    charge, plain = vault.cards.types["charge"], vault.declare("plain", encrypt=False)
    job = charge.job(Card(), dedup_ttl=60, idempotency_key="k")
    assert job.dedup is not None
    assert job.idempotency is not None
    await vault.store.enqueue(vault.cards, [job])
    await plain.types["charge"].enqueue(Card())

    dump = await vault.dump()
    assert job.dedup.name.partition("sha256:")[2] not in dump
    assert job.idempotency.fingerprint not in dump
    assert "dedup:hmac:test:" in dump


async def test_equal_payloads_of_two_queues_have_different_names(vault: Vault) -> None:
    for queue in (vault.cards, vault.others):
        await queue.types["charge"].enqueue(Card(), dedup={})

    names = [
        next(name for name in await vault.probe.read(queue, "dedup") if name.startswith("dedup:"))
        for queue in ("cards", "others")
    ]
    assert names[0] != names[1]


async def test_turning_it_on_and_off_loses_no_job(vault: Vault) -> None:
    app = vault.app
    plain = vault.declare("q", encrypt=False)
    (first,) = await vault.store.enqueue(plain, [plain.types["charge"].job(Card(order=1))])
    del app.queues["q"]
    both = vault.declare("q", encrypt="new")
    (second,) = await vault.store.enqueue(both, [both.types["charge"].job(Card(order=2))])
    await vault.drained(both)
    (third,) = await vault.store.enqueue(both, [both.types["charge"].job(Card(order=3))])
    del app.queues["q"]
    off = vault.declare("q", encrypt=False)
    await vault.drained(off)

    assert [card.order for card in vault.payloads] == [1, 2, 3]
    assert (await off.handle(third.id).result()) == {"charged": SECRET}
    dump = await vault.dump()
    assert dump.count(SECRET) == 2  # payload and result of the plain one
    assert {first.state, second.state} == {"waiting"}


async def test_a_job_that_does_not_fit_hides_what_it_holds(vault: Vault) -> None:
    valid = vault.app.queue("strict", encrypt=True, retry=Retry.waits([1.0]))
    valid.job("charge")(vault.charge)
    text = f'{{"number":"invalid {SECRET}"}}'
    job = valid.types["charge"].job(Card())
    await vault.store.enqueue(valid, [type(job)("charge", text, "bad")])

    await vault.drained(valid)

    parked = await vault.store.inspect(valid, "bad")
    assert parked.history["parked"] == "the payload does not fit Card"
    vault.clock.advance(2 * 86_400)
    await vault.drained(valid)
    dead = await vault.store.inspect(valid, "bad", decrypt=True)
    assert SECRET in dead.errors[-1]["message"]
    assert SECRET not in await vault.dump()


async def test_a_function_without_the_package_parks_the_job(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await vault.cards.types["charge"].enqueue(Card())

    def missing() -> None:
        with packages_of("encryption", "an encrypted queue"):
            raise ModuleNotFoundError(name="cryptography")

    with monkeypatch.context() as patch:
        patch.setattr("shared.encryption.cipher._library", missing)
        await vault.drained(vault.cards)
        parked = await handle.status()
        assert parked.encryption is not None
        for reason in (parked.history["parked"], parked.encryption.locked):
            assert "pip install 'tidegate[encryption]'" in str(reason)
        with pytest.raises(MissingExtra, match=r"tidegate\[encryption\]"):
            await vault.cards.types["charge"].enqueue(Card())

    vault.clock.advance(901)
    await vault.drained(vault.cards)

    assert await handle.result() == {"charged": SECRET}
