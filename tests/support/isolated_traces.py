"""Isolated handlers that leave something behind in their child process, or need something of the
function: standard streams, memory, a retry policy that raises, payloads that no longer fit."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass

from pydantic import BaseModel, field_validator

from shared import App, Cache, Isolation, JobContext, Retry

MIB = 2**20
STRICT = "TEST_STRICT_CARDS"
"""With this variable the model takes no card any more: a deployment has changed it."""
SLOW_IMPORT = "TEST_SLOW_IMPORT"
"""Seconds that the import of this module takes in a child process."""
if "pytest" not in sys.modules:
    time.sleep(float(os.environ.get(SLOW_IMPORT, "0")))


class Work(BaseModel):
    """What the handler is to do, and how much of it."""

    do: str = ""
    amount: int = 0


class Card(BaseModel):
    number: str

    @field_validator("number")
    @classmethod
    def check(cls, value: str) -> str:
        if STRICT in os.environ:
            raise ValueError(f"no card has the number {value}")
        return value


@dataclass(frozen=True)
class RaisingPolicy(Retry):
    """A policy with a bug, or one that ends the process."""

    exits: bool = False

    def delay_after(self, attempt: int, rng: object = None) -> float:
        if self.exits:
            raise SystemExit(f"policy: {attempt}")
        raise RuntimeError(f"policy: {attempt}")


class ToLogger:
    """What some logging set-ups put in place of stdout: it can't be flushed."""

    def write(self, text: str) -> int:
        return len(text)


app = App("traces")
queue = app.queue("traces", timeout=20, retry=Retry.fixed(attempts=3, wait=60))
cards = app.queue("cards", encrypt=True, timeout=20, retry=RaisingPolicy(attempts=3))
others = app.queue("others")
plain = app.queue("in-process")
values = Cache("values", str)
kept: list[bytearray] = []


@queue.job("streams", isolate=True)
async def spoil_streams(payload: Work) -> str:
    if payload.do == "replace":
        sys.stdout = ToLogger()
    elif payload.do == "close":
        sys.stdout.close()
    elif payload.do == "close descriptors":
        os.closerange(1, 3)
    elif payload.do == "delete":
        del sys.stdout
    return payload.do


@queue.job("bug", isolate=True, retry=RaisingPolicy(attempts=3))
async def fail_with_bug(payload: Work) -> None:
    raise ValueError("a failure")


@queue.job("exit", isolate=True, retry=RaisingPolicy(attempts=3, exits=True))
async def fail_with_exit(payload: Work) -> None:
    raise ValueError("a failure")


@queue.job("number", isolate=True)
async def count_isolated(payload: Work) -> int:
    return int(10**payload.amount)


@plain.job("number")
async def count(payload: Work) -> int:
    return int(10**payload.amount)


@queue.job("keep", isolate=True)
async def keep(payload: Work) -> int:
    kept.append(bytearray(payload.amount))
    return os.getpid()


@queue.job("bounded", isolate=Isolation(memory=128 * MIB))
async def take_bounded(payload: Work) -> int:
    if payload.do == "keep":
        kept.append(bytearray(payload.amount))
    return len(bytearray(payload.amount)) and os.getpid()


@queue.job("huge", isolate=Isolation(memory=2**40))
async def take_huge(payload: Work) -> int:
    return os.getpid()


@cards.job("isolated", isolate=True)
async def charge_isolated(card: Card, job: JobContext) -> None:
    job.progress(5, f"note {card.number}")
    raise ValueError(f"refused {card.number}")


@cards.job("plain")
async def charge(card: Card, job: JobContext) -> None:
    await charge_isolated.handler(card, job)


@queue.job("log", isolate=True)
async def write_log(payload: Work, job: JobContext) -> None:
    job.logger.info("facts", extra={"facts": {"a": 1, "b": [1, None, "x"]}, "key": {(1,): 2}})
    job.logger.info("long", extra={"facts": ["x"] * 10_000})
    try:
        raise KeyError("inner")
    except KeyError:
        job.logger.exception("raised")


@others.job("other")
async def other(payload: Work) -> None: ...


@queue.job("enqueue", isolate=True)
async def enqueue_isolated(payload: Work) -> None:
    await other.enqueue(Work())


@queue.job("enqueue.encrypted", isolate=True)
async def enqueue_encrypted(payload: Work) -> str:
    return (await charge.enqueue(Card(number="of a child"))).id


@queue.job("print", isolate=True)
async def print_wide(payload: Work) -> None:
    for _ in range(20):
        os.write(1, b"\xc3" if payload.do == "halves" else "x\u00e4\u20ac\U0001f600".encode() * 500)
        os.write(1, b"\xa4" if payload.do == "halves" else b"")


@plain.job("enqueue")
async def enqueue(payload: Work) -> None:
    await other.enqueue(Work())


@queue.job("cache", isolate=True)
async def use_cache(payload: Work) -> str | None:
    before = await values.get("k")
    await values.set("k", "of the child")
    return before


@queue.job("cache.def", isolate=True)
def use_cache_in_thread(payload: Work) -> str | None:
    text: str | None = asyncio.run(use_cache.handler(payload))
    return text
