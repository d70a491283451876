"""A planted secret is found in no dump, no log, no answer and no output."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import pytest

from shared import JobFailure
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.encryption.history import HIDDEN
from shared.observe.json_log import JsonFormatter
from shared.observe.text_log import TextFormatter
from shared.store import Store
from tests.encryption.conftest import SECRET, Card, Vault
from tests.scenario.world import TOKENS, Client, application

MODES = ["done", "fail", "progress", "group"]


class RecordingHandler(logging.Handler):
    """Every record of every logger, in both formats."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.formatters = [TextFormatter(), JsonFormatter()]

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [formatter.format(record) for formatter in self.formatters]


@pytest.fixture
def written() -> Iterator[RecordingHandler]:
    """What is logged during the test."""
    handler, root = RecordingHandler(), logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def producer(vault: Vault, store: Store) -> Client:
    """A client of an API that stores its jobs through this store."""
    return Client(application(vault, store, vault.clock), TOKENS["producer"])


async def play(vault: Vault) -> list[str]:
    """Jobs that complete, fail for good, do not fit, and report progress; their public ids."""
    charge = vault.cards.types["charge"]
    handles = [await charge.enqueue(Card(mode=mode), dedup={}) for mode in MODES]
    handles += await charge.enqueue_many([charge.job(Card(order=n)) for n in range(3)])
    for _ in range(3):
        await vault.drained(vault.cards)
        vault.clock.advance(60)
    return [handle.id for handle in handles]


async def test_the_store_holds_no_secret_at_any_time(vault: Vault) -> None:
    charge = vault.cards.types["charge"]
    await charge.enqueue(Card(mode="fail"), idempotency_key="once", delay=60)
    waiting = await vault.dump()
    await play(vault)
    ended = await vault.dump()

    assert len(vault.payloads) == 11
    assert {card.number for card in vault.payloads} == {SECRET}
    assert SECRET not in waiting
    assert SECRET not in ended


async def test_the_dump_sees_the_secret_of_a_queue_that_is_not_encrypted(vault: Vault) -> None:
    plain = vault.declare("plain", encrypt=False)
    await plain.types["charge"].enqueue(Card())

    assert SECRET in await vault.dump()


async def test_the_logs_hold_no_secret(vault: Vault, written: RecordingHandler) -> None:
    await play(vault)

    text = "\n".join(written.lines)
    assert text.count("job_failed") >= 4  # attempts in two formats
    assert "ValueError" in text
    assert SECRET not in text


async def test_a_hook_gets_the_error_and_its_own_failure_is_logged_without_texts(
    vault: Vault, written: RecordingHandler
) -> None:
    errors: list[str] = []

    @vault.app.on_failure
    def hook(error: BaseException, _failure: JobFailure) -> None:
        errors.append(str(error))
        raise RuntimeError(f"can't report {error}") from error

    await play(vault)

    assert SECRET in errors[0]
    text = "\n".join(written.lines)
    assert "failure_hook_failed" in text
    assert "RuntimeError" in text
    assert SECRET not in text


async def test_jobs_that_come_over_http_are_encrypted_one_or_many(
    vault: Vault, written: RecordingHandler
) -> None:
    path, charge = "/api/v1/queues/cards/jobs", {"type": "charge", "payload": {"number": SECRET}}

    async with producer(vault, vault.store) as client:
        one = await client.post(path, json={**charge, "options": {"dedup": {}}})
        same = await client.post(path, json={**charge, "options": {"dedup": {}}})
        keyed = [
            await client.post(path, json=charge, headers={"Idempotency-Key": "k"}) for _ in range(2)
        ]
        many = await client.post(path, json={"jobs": [charge] * 3})
    async with producer(vault, vault.with_keys()) as client:
        refused = await client.post(path, json=charge)

    assert [one.status_code, many.status_code] == [202, 202]
    assert same.json() == {**one.json(), "duplicate": True}
    assert keyed[0].json() == keyed[1].json()
    assert refused.status_code == 503
    assert "TIDEGATE_ENCRYPTION_KEYS is not set" in refused.json()["detail"]
    assert SECRET not in await vault.dump()
    await vault.drained(vault.cards)
    assert [card.number for card in vault.payloads] == [SECRET] * 5
    assert SECRET not in "\n".join(written.lines)


async def test_the_jobs_of_a_schedule_are_encrypted_under_their_own_ids(vault: Vault) -> None:
    charge = vault.cards.types["charge"]
    vault.app.schedule("monthly", charge, Card(), every=60, missed="all")
    drain = partial(Drain, vault.store, Registry([vault.app]), patience=0.0, sweep_every=1.0)
    await drain(Budget.of(60, clock=vault.clock)).tick()
    vault.clock.advance(185)

    await drain(Budget.of(60, clock=vault.clock)).tick()

    assert len(vault.payloads) in (3, 4)  # as the minutes of today fall
    assert {card.number for card in vault.payloads} == {SECRET}
    assert SECRET not in await vault.dump()


async def test_a_bug_of_the_model_or_of_a_schedule_is_logged_without_texts(
    vault: Vault, written: RecordingHandler
) -> None:
    path, bad = "/api/v1/queues/cards/jobs", f"bug {SECRET}"
    job = {"type": "charge", "payload": {"number": bad}}

    def payload(_at: datetime) -> Card:
        raise LookupError(SECRET)

    vault.app.schedule("broken", vault.cards.types["charge"], payload, every=60)
    async with producer(vault, vault.store) as client:
        answers = [await client.post(path, json=body) for body in (job, {"jobs": [job]})]
    drain = partial(Drain, vault.store, Registry([vault.app]), patience=0.0, sweep_every=1.0)
    for _ in range(4):
        await drain(Budget.of(60, clock=vault.clock)).tick()
        vault.clock.advance(400)

    text = "\n".join(written.lines)
    assert [answer.status_code for answer in answers] == [500, 500]
    assert "RuntimeError" in text
    assert "schedule_payload_failed" in text
    assert "schedule_occurrence_skipped" in text
    assert "LookupError" in text
    assert SECRET not in text + answers[0].text + answers[1].text


async def test_a_role_without_payloads_sees_no_secret_and_an_operator_does(vault: Vault) -> None:
    ids = await play(vault)
    app = application(vault, vault.store, vault.clock)
    paths = [f"/api/v1/jobs/{job_id}" for job_id in ids]
    paths += [f"/api/v1/dead-letters/{ids[1]}", "/api/v1/dead-letters", "/api/v1/queues"]
    paths += [f"/api/v1/dead-letters?error={SECRET}", "/api/v1/jobs?state=dead"]

    answers = {}
    for role in ("viewer", "operator"):
        async with Client(app, TOKENS[role]) as client:
            answers[role] = [(await client.get(path)) for path in paths]

    assert all(answer.status_code == 200 for some in answers.values() for answer in some)
    assert not [answer.text for answer in answers["viewer"] if SECRET in answer.text]
    done, failed = (answers["viewer"][n].json() for n in (0, 1))
    assert (done["state"], done["result"], done["encryption_key"]) == ("completed", None, "test")
    assert failed["error"]["message"] == HIDDEN
    assert failed["error"]["type"] in ("ValueError", "KeyError")
    assert failed["error"]["where"]
    assert failed["locked"] == 'encrypted with key "test"'
    assert answers["operator"][0].json()["result"] == {"charged": SECRET}
    assert SECRET in answers["operator"][1].json()["error"]["message"]
    assert answers["operator"][len(ids)].json()["payload"]["number"] == SECRET
    assert len(json.loads(answers["operator"][-2].text)["dead_letters"]) == 2
    assert not json.loads(answers["viewer"][-2].text)["dead_letters"]


async def test_the_handle_reads_the_result_the_error_and_the_note(vault: Vault) -> None:
    ids = await play(vault)
    done, failed, slow = (vault.cards.handle(job_id) for job_id in ids[:3])

    assert await done.result() == {"charged": SECRET}
    assert SECRET in (await failed.status()).errors[-1]["message"]
    assert len((await failed.status()).errors) == 2
    assert (await slow.status()).note == f"half of {SECRET}"
