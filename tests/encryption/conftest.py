"""A deployment with one encrypted queue, whose payloads all carry the secret that no dump, log or
answer may show."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from shared import App, JobContext, Queue, Retry
from shared.declare.app import Registry
from shared.embedded.engine import Engine
from shared.encryption.keyring import EncryptionKey, Keyring
from shared.store import Store
from shared.testing import FakeClock, store_on
from tests.support.world import World

SECRET = "planted-4111-1111-1111-1111"
OLD = EncryptionKey("2026-05", b"o" * 32)
NEW = EncryptionKey("2026-11", b"n" * 32)
OTHER = EncryptionKey("2026-05", b"x" * 32)


class Card(BaseModel):
    """A payload with a secret; `order` and `mode` say what its handler does."""

    number: str = SECRET
    order: int = 0
    mode: str = "done"

    @field_validator("number")
    @classmethod
    def check(cls, value: str) -> str:
        if value.startswith("invalid"):
            raise ValueError(f"no card has the number {value}")
        if value.startswith("bug"):
            raise RuntimeError(f"a bug of the model with {value}")
        return value


class Vault(World):
    """The world with an encrypted queue "cards", a second one "others", and a plain one."""

    def __init__(self, engine: Engine, clock: FakeClock) -> None:
        super().__init__(engine, clock, app="vault")
        self.payloads: list[Card] = []
        self.cards = self.declare("cards")
        self.others = self.declare("others")

    def declare(self, name: str, *, app: App | None = None, encrypt: Any = True) -> Queue:
        """A queue with the handlers of this world."""
        queue = (app or self.app).queue(name, encrypt=encrypt, retry=Retry.waits([10.0]))
        queue.job("charge")(self.charge)
        queue.job("refund")(self.charge)
        return queue

    async def charge(self, card: Card, job: JobContext) -> Any:
        self.began(job)
        self.payloads.append(card)
        if card.mode == "progress":
            job.progress(50, f"half of {card.number}")
            await self.clock.sleep(20)
        if card.mode in ("fail", "group"):
            try:
                raise KeyError(card.number)
            except KeyError as error:
                failure = ValueError(card.number)
                failure.add_note(f"noted {card.number}")
                group = ExceptionGroup(card.number, [failure, error])
                raise (failure if card.mode == "fail" else group) from error
        return {"charged": card.number}

    @property
    def registry(self) -> Registry:
        return Registry([self.app])

    def with_keys(self, *keys: EncryptionKey) -> Store:
        """A client of a function that has these keys."""
        store = store_on(self.protocol, clock=self.clock, keyring=Keyring(keys))
        self._stores.append(store)
        return store

    async def dump(self) -> str:
        """Everything that the store holds, whatever wrote it."""
        texts = []
        for key in await self.probe.run("KEYS", "*"):
            kind = (await self.probe.run("TYPE", key)).decode()
            read = {"string": ("GET",), "hash": ("HGETALL",), "list": ("LRANGE", "0", "-1"),
                    "zset": ("ZRANGE", "0", "-1", "WITHSCORES")}[kind]  # fmt: skip
            texts.append(repr((key, await self.probe.run(read[0], key, *read[1:]))))
        return "\n".join(texts)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that starts today, because ids carry the machine's time and ages compare the two."""
    return FakeClock(time.time_ns() // 1_000_000)


@pytest.fixture
async def vault(engine: Engine, clock: FakeClock) -> AsyncIterator[Vault]:
    async with Vault(engine, clock) as opened:
        yield opened
