"""Short histories of encrypted jobs that meet functions without the key: what these can't decrypt
they do not cut, so the job goes on as if it had met none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import Completed, Dead, Discard, JobContext, Queue, Retry, Snooze
from shared.encryption.history import HIDDEN, decrypt_history, encrypt_history
from shared.encryption.keyring import NO_KEYS, EncryptionKey, Keyring
from shared.jobs.body import byte_length
from shared.jobs.history import read_history
from shared.jobs.job import Job
from shared.jobs.short_history import (
    CUT,
    LONGEST_OF_MINIMAL,
    LONGEST_TEXT,
    HistoryLevel,
    shorten_history,
)
from shared.store import Store
from shared.store.codec import read_record
from tests.encryption.conftest import NEW, OLD, OTHER, Card, Vault
from tests.support.turns import Owner

CROWDING: dict[HistoryLevel, float] = {"full": 0.5, "short": 1.4, "minimal": 2.0}
"""How many times its bytes a queue of this level holds."""
levels = pytest.mark.parametrize("level", list(CROWDING))
lengths = pytest.mark.parametrize("length", [0, 20, 90, 150, 1900])
"""Characters of a text: encrypted it is shorter than each cut, between them, and longer."""
keyrings = pytest.mark.parametrize("keys", [(), (NEW,), (OTHER,)], ids=["none", "new", "other"])
KeysOf = Sequence[EncryptionKey]


class Story:
    """One encrypted queue, a function that has the key and one that does not."""

    def __init__(
        self, vault: Vault, length: int, keys: KeysOf, *, letter: str = "é", encrypt: bool = True
    ) -> None:
        self.vault, self.text = vault, letter * length
        self.right, self.wrong = vault.with_keys(OLD), vault.with_keys(*keys)
        self.told: list[Completed[Card] | Dead[Card]] = []
        self.queue = vault.app.queue("q", encrypt=encrypt, retry=Retry.waits([10.0, 10.0]))
        self.narrow = vault.app.queue("narrow", encrypt=True, max_jobs=1)
        self._declare(self.queue)

    def _declare(self, queue: Queue) -> None:
        @queue.job("t")
        async def handle(card: Card, job: JobContext) -> str:
            self.vault.began(job)
            if card.mode == "wide":
                raise ValueError("a" * 200 if job.attempt == 1 else self.text)
            job.log(f"logged {self.text}")
            job.progress(50, f"noted {self.text}")
            if job.attempt == 1 and card.mode == "fail":
                raise ValueError(f"failed {self.text}")
            if job.attempt == 1 and card.mode == "snooze":
                raise Snooze(60)
            if card.mode == "dead":
                raise Discard(f"died {self.text}")
            return self.text

    def follow(self) -> None:
        """Have both ends followed by jobs of a queue that is full."""

        @self.queue.types["t"].on_completed(queue=self.narrow)
        async def completed(end: Completed[Card]) -> None:
            self.told.append(end)

        @self.queue.types["t"].on_dead(queue=self.narrow)
        async def dead(end: Dead[Card]) -> None:
            self.told.append(end)

    async def enqueue(self, mode: str) -> None:
        await self.right.enqueue(self.queue, [Job("t", f'{{"mode":"{mode}"}}', id="one")])

    async def crowd(self, level: HistoryLevel) -> None:
        """Have the queue be of this level from now on."""
        filler = [Job("t", "x" * 9000, delay_ms=86_400_000) for _ in range(60)]
        await self.right.enqueue(self.queue, filler)
        used = sum(one.bytes for one in (await self.right.stats(self.queue)).usage)
        object.__setattr__(self.queue, "max_bytes", round(used / CROWDING[level]))

    async def drained(self, store: Store, after: float, queue: Queue | None = None) -> str:
        """The state of the job after a drain through this function, so many seconds later."""
        self.vault.clock.advance(after)
        drain = self.vault.drain(store, budget=50, patience=0)
        report = await drain.run([queue or self.queue])
        assert not any(one.error for one in report.queues), report.queues
        return (await self.right.inspect(self.queue, "one")).state

    async def stored(self) -> str:
        """The history as it is stored."""
        record = (await self.vault.probe.read("q", "records"))["one"]
        return str(read_record(record)[2])

    async def history(self) -> dict[str, Any]:
        return read_history(await self.stored())

    async def parked_without_key(self, after: float) -> None:
        """A drain without the key parks the job, and its encrypted part is as it was."""
        before = (await self.history()).get("encrypted")
        assert await self.drained(self.wrong, after) == "parked"
        stored = await self.history()
        assert stored.get("encrypted") == before
        assert str(stored["parked"]).startswith('encryption key "2026-05" ')


@levels
@lengths
@keyrings
async def test_a_failed_job_waits_for_its_key_and_goes_on(
    vault: Vault, level: HistoryLevel, length: int, keys: KeysOf
) -> None:
    story = Story(vault, length, keys)
    await story.enqueue("fail")
    assert await story.drained(story.right, 0) == "delayed"
    await story.crowd(level)

    await story.parked_without_key(20)
    await story.parked_without_key(901)
    view = await story.right.inspect(story.queue, "one", decrypt=True)
    assert view.errors[-1]["message"] == f"failed {story.text}"
    assert [view.note, len(view.log)] == [f"noted {story.text}", 1]

    assert await story.drained(story.right, 901) == "completed"
    assert vault.ran == ["one", "one"]


@levels
@lengths
async def test_a_dead_job_is_redriven_past_functions_without_its_key(
    vault: Vault, level: HistoryLevel, length: int
) -> None:
    story = Story(vault, length, ())
    await story.enqueue("dead")
    assert await story.drained(story.right, 0) == "dead"
    await story.crowd(level)

    for store in (story.right, story.wrong):  # a dead one, a parked one
        assert await store.redrive(story.queue, ["one"]) == [True]
        await story.parked_without_key(1)
    assert await story.drained(story.right, 901) == "dead"

    assert vault.ran == ["one", "one"]
    (last,) = (await story.right.inspect(story.queue, "one", decrypt=True)).errors[-1:] or [{}]
    assert last.get("type", "Discard") == "Discard"


@levels
@lengths
@pytest.mark.parametrize("mode", ["done", "dead"])
async def test_a_decided_end_is_the_same_after_functions_without_its_key(
    vault: Vault, level: HistoryLevel, length: int, mode: str
) -> None:
    story = Story(vault, length, (NEW,))
    story.follow()
    await story.right.enqueue(story.narrow, [Job("x", "{}", delay_ms=86_400_000)])
    await story.enqueue(mode)
    await story.crowd(level)
    assert await story.drained(story.right, 0) == "delayed"

    await story.parked_without_key(61)
    await story.right.purge(story.narrow)
    await story.parked_without_key(901)
    ended = await story.drained(story.right, 901)
    await story.drained(story.right, 1, story.narrow)

    assert (ended, vault.ran) == ("completed" if mode == "done" else "dead", ["one"])
    (end,) = story.told
    is_whole = level != "minimal"
    if isinstance(end, Completed):
        whole = is_whole or length <= LONGEST_TEXT - 2  # the quotes of its JSON
        assert end.result == (story.text if whole else None)
    else:
        text = f"died {story.text}"
        cuts = [  # a short one, where that makes the record no longer
            text if len(text) <= most else text[: most - len(CUT)] + CUT
            for most in (LONGEST_OF_MINIMAL, LONGEST_TEXT)
        ]
        assert end.error.message in ([text] if is_whole else cuts)


@levels
@lengths
async def test_what_a_snoozed_job_has_reported_outlives_functions_without_its_key(
    vault: Vault, level: HistoryLevel, length: int
) -> None:
    story = Story(vault, length, ())
    await story.enqueue("snooze")
    assert await story.drained(story.right, 0) == "delayed"
    await story.crowd(level)

    await story.parked_without_key(61)

    view = await story.right.inspect(story.queue, "one", decrypt=True)
    assert (view.progress, view.note) == (50, f"noted {story.text}")


@levels
@lengths
async def test_a_job_whose_function_died_waits_for_its_key_too(
    vault: Vault, level: HistoryLevel, length: int
) -> None:
    story = Story(vault, length, (OTHER,))
    await story.enqueue("fail")
    await story.drained(story.right, 0)
    await story.crowd(level)
    vault.clock.advance(20)
    assert (await Owner(story.right, story.queue).turn(1)).claims  # and dies with it

    await story.parked_without_key(61)

    assert await story.drained(story.right, 901) == "completed"
    assert vault.ran == ["one", "one"]


@levels
@pytest.mark.parametrize("is_first", [True, False], ids=["no history", "history"])
@pytest.mark.parametrize(
    "line", ['"type": 1 ', '"type":"t","timeout":"number"'], ids=["type", "number"]
)
async def test_a_function_without_keys_ends_a_job_that_it_can_not_read(
    vault: Vault, level: HistoryLevel, line: str, *, is_first: bool
) -> None:
    story = Story(vault, 1900, ())
    await story.enqueue("fail")
    if not is_first:
        await story.drained(story.right, 0)
    await story.crowd(level)
    record = (await vault.probe.read("q", "records"))["one"]
    damaged = record.replace('"type":"t"', line)
    words = damaged.split(" ")
    words[5] = str(int(words[5]) + len(damaged) - len(record))
    damaged = " ".join(words)
    assert damaged != record
    await vault.probe.replace("q", "one", damaged)

    assert await story.drained(story.wrong, 20) == "dead"

    ended = (await vault.probe.read("q", "records"))["one"]
    words = ended.replace(line, '"type":"t"').split(" ")
    words[5] = record.split(" ")[5]
    await vault.probe.replace("q", "one", " ".join(words))
    errors = (await story.right.inspect(story.queue, "one", decrypt=True)).errors
    if not is_first:
        assert errors[0]["message"] == f"failed {story.text}"
    has_room = level != "minimal" or not is_first  # for the error that this function adds
    types = [one["type"] for one in errors]
    assert types == [*["ValueError"][is_first:], *["InvalidRecord"][: int(has_room)]]
    if "number" in line and has_room:
        assert errors[-1]["message"] == HIDDEN


@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize("letter", ["a", "é", "銀", "🚲"])
@pytest.mark.parametrize("length", [1, 40, 180, 200, 1900])
async def test_a_minimal_history_is_no_longer_in_the_bytes_that_are_stored(
    vault: Vault, letter: str, length: int, *, encrypt: bool
) -> None:
    story = Story(vault, length, (), letter=letter, encrypt=encrypt)
    await story.enqueue("wide")
    await story.crowd("short")
    await story.drained(story.right, 0)
    await story.crowd("minimal")
    before = byte_length(await story.stored())
    assert before > LONGEST_TEXT

    await story.drained(story.right, 11)

    view = await story.right.inspect(story.queue, "one")
    assert view.attempts == 2
    assert byte_length(await story.stored()) <= before


@levels
@given(st.dictionaries(st.sampled_from(["result", "note", "log", "errors"]), st.text()))
def test_a_locked_part_decrypts_after_each_level(level: HistoryLevel, hidden: Any) -> None:
    ring = Keyring([OLD])
    whole = {**hidden, "note": "secret", "parks": 3}
    text = encrypt_history(ring, "q", "one", json.dumps(whole))

    locked = encrypt_history(NO_KEYS, "q", "one", shorten_history(text, level))

    assert byte_length(locked) <= byte_length(text)
    again = json.loads(decrypt_history(ring, "q", "one", locked))
    assert {name: again[name] for name in whole if name != "errors"} == {
        name: whole[name] for name in whole if name != "errors"
    }
