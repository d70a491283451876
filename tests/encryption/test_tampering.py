"""A record that was changed, or moved from another job, never reaches a handler."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.encryption.history import INTEGRITY
from shared.jobs.ids import local_id
from tests.encryption.conftest import Card, Vault


class StoredRecord:
    """One waiting job's record, in parts."""

    def __init__(self, record: str) -> None:
        self.header, self.line, self.payload = record.split("\n")

    def text(self) -> str:
        """The record, with the length of its body in the header as it is now."""
        words = self.header.split(" ")
        words[5] = str(len(self.line) + 1 + len(self.payload))
        return "\n".join((" ".join(words), self.line, self.payload))


async def stored(vault: Vault, job_id: str, queue: str = "cards") -> StoredRecord:
    records = await vault.probe.read(queue, "records")
    return StoredRecord(records[local_id(job_id)])


async def state(vault: Vault, job_id: str, queue: str = "cards") -> tuple[str, str]:
    """The state of a job after a drain, and its last error or the reason of its park."""
    declared = vault.app.queues[queue]
    await vault.drained(declared)
    view = await vault.store.inspect(declared, local_id(job_id))
    error = view.errors[-1]["type"] if view.errors else str(view.history.get("parked"))
    return view.state, error


@pytest.mark.parametrize("region", ["nonce", "first", "middle", "tag", "cut", "longer", "not64"])
async def test_a_changed_payload_ends_dead(vault: Vault, region: str) -> None:
    handle = await vault.cards.types["charge"].enqueue(Card())
    record = await stored(vault, handle.id)
    data = bytearray(base64.b64decode(record.payload))
    if region in ("nonce", "first", "middle", "tag"):
        data[{"nonce": 3, "first": 12, "middle": len(data) // 2, "tag": -1}[region]] ^= 1
    elif region == "cut":
        data = data[:20]
    elif region == "longer":
        data += b"\0"
    record.payload = base64.b64encode(data).decode() if region != "not64" else "{}"
    await vault.probe.replace("cards", local_id(handle.id), record.text())

    assert await state(vault, handle.id) == ("dead", "integrity")
    assert vault.ran == []


async def test_no_changed_byte_of_the_body_reaches_a_handler(vault: Vault) -> None:
    charge = vault.cards.types["charge"]
    (handle,) = await charge.enqueue_many([charge.job(Card(), attempts=1)])
    whole = await stored(vault, handle.id)
    body = f"{whole.line}\n{whole.payload}"
    (copies) = await charge.enqueue_many([charge.job(Card(), attempts=1) for _ in body])
    for at, copy in enumerate(copies):
        one = await stored(vault, copy.id)
        text = f"{one.line}\n{one.payload}"
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        words = one.header.split(" ")
        words[5] = str(len(changed))
        await vault.probe.replace("cards", local_id(copy.id), f"{' '.join(words)}\n{changed}")

    await vault.drained(vault.cards)

    assert [vault.ran, vault.payloads] == [[local_id(handle.id)], [Card()]]
    states = [(await vault.store.inspect(vault.cards, local_id(copy.id))) for copy in copies]
    assert {view.state for view in states} == {"dead", "parked"}  # parked: a key of another name
    of_payload = states[len(whole.line) + 1 :]
    assert {(view.state, view.errors[-1]["type"]) for view in of_payload} == {("dead", "integrity")}


@pytest.mark.parametrize("part", ["payload", "body"])
async def test_the_bodies_of_two_jobs_do_not_swap(vault: Vault, part: str) -> None:
    charge = vault.cards.types["charge"]
    one, two = await charge.enqueue_many([charge.job(Card(order=n)) for n in (1, 2)])
    records = {handle.id: await stored(vault, handle.id) for handle in (one, two)}
    first, second = records.values()
    first.payload, second.payload = second.payload, first.payload
    if part == "body":
        first.line, second.line = second.line, first.line
    for job_id, record in records.items():
        await vault.probe.replace("cards", local_id(job_id), record.text())

    for job_id in records:
        assert await state(vault, job_id) == ("dead", "integrity")
    assert vault.ran == []


@pytest.mark.parametrize("line", [
    {"type": "refund"}, {"type": "charge", "attempts": 1}, {"type": "charge", "timeout": 0.1},
])  # fmt: skip
async def test_another_type_or_other_numbers_end_it_dead(vault: Vault, line: Any) -> None:
    handle = await vault.cards.types["charge"].enqueue(Card())
    record = await stored(vault, handle.id)
    label = json.loads(record.line)["encryption"]
    record.line = json.dumps({**line, "encryption": label}, separators=(",", ":"))
    await vault.probe.replace("cards", local_id(handle.id), record.text())

    assert await state(vault, handle.id) == ("dead", "integrity")
    assert vault.ran == []


async def test_a_body_of_another_queue_ends_dead(vault: Vault) -> None:
    mine = await vault.cards.types["charge"].enqueue(Card(), job_id="same")
    other = await vault.others.types["charge"].enqueue(Card(), job_id="same")
    record = await stored(vault, mine.id)
    await vault.probe.replace("others", "same", record.text())

    assert await state(vault, other.id, "others") == ("dead", "integrity")
    assert vault.ran == []


async def test_a_plain_body_in_its_place_is_parked(vault: Vault) -> None:
    handle = await vault.cards.types["charge"].enqueue(Card())
    record = await stored(vault, handle.id)
    record.line, record.payload = '{"type":"charge"}', '{"number":"forged"}'
    await vault.probe.replace("cards", local_id(handle.id), record.text())

    at, reason = await state(vault, handle.id)

    assert (at, vault.ran) == ("parked", [])
    assert 'encrypt="new" lets it run' in reason


async def test_a_foreign_record_of_an_encrypted_queue_is_dead(vault: Vault) -> None:
    await vault.probe.run("RPUSH", vault.probe.key("cards", "inbox"),
                          '{"type":"charge","payload":{"number":"foreign"}}')  # fmt: skip

    await vault.drained(vault.cards)

    (row,) = await vault.store.browse(vault.cards, "dead")
    assert row.errors[-1]["type"] == "PlainPayload"
    assert "enqueue the job" in row.errors[-1]["message"]
    assert vault.ran == []


async def test_a_changed_history_ends_it_dead(vault: Vault) -> None:
    handle = await vault.cards.types["charge"].enqueue(Card(mode="fail"))
    await vault.drained(vault.cards)
    record = (await vault.probe.read("cards", "records"))[local_id(handle.id)]
    label = '"encrypted":"test/'
    at = record.index(label) + len(label) + 40
    changed = record[:at] + ("A" if record[at] != "A" else "B") + record[at + 1 :]
    await vault.probe.replace("cards", local_id(handle.id), changed)
    vault.clock.advance(20)
    ran = len(vault.ran)

    assert await state(vault, handle.id) == ("dead", "integrity")
    assert len(vault.ran) == ran
    view = await handle.status()
    assert [one["type"] for one in view.errors] == ["ValueError", "integrity"]
    assert view.errors[-1]["message"] == INTEGRITY["message"]
