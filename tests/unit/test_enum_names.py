"""Names that an application keeps in an enum: what is declared or enqueued with a member is what it
is with the plain text. Formatted, a member would show its own name."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Any

import pytest
from pydantic import BaseModel

from shared import App, Cache
from shared.cache import CacheClient
from shared.declare.key import key_of
from shared.jobs.ids import child_id
from shared.store import keys
from shared.testing import embedded_store
from tests.support.values import Number


class Names(str, Enum):  # noqa: UP042 - a StrEnum formats as its text
    APP = "shop"
    QUEUE = "orders"
    TYPE = "order.ship"
    SCHEDULE = "nightly"
    CACHE = "looks"
    CRON = "0 7 * * *"
    ZONE = "Europe/Berlin"
    USER = "user-42"
    PRIORITY = "high"
    MISSED = "all"
    OVERLAP = "skip"
    ENCRYPT = "new"


class Numbers(int, Enum):
    USER = 42


class Ordinals(IntEnum):
    USER = 42


class Order(BaseModel):
    user: Any = ""


def declare(name: Callable[[Names], Any]) -> tuple[Any, ...]:
    """All that a declaration with these names has made, as texts."""
    app = App(name(Names.APP))
    queue = app.queue(
        name(Names.QUEUE),
        priority=name(Names.PRIORITY),
        encrypt=name(Names.ENCRYPT),
    )

    @queue.job(name(Names.TYPE))
    async def ship(_order: Number) -> None: ...

    schedule = app.schedule(
        name(Names.SCHEDULE), ship, Number(), cron=name(Names.CRON), timezone=name(Names.ZONE),
        missed=name(Names.MISSED), overlap=name(Names.OVERLAP),
    )  # fmt: skip
    cache = Cache(name(Names.CACHE), str)
    texts = [app.name, queue.name, queue.app, ship.name, cache.name]
    texts += [schedule.name, schedule.app, schedule.entry, schedule.key, schedule.timezone]
    texts += [queue.priority, str(queue.encrypt), schedule.missed, schedule.overlap]
    texts += [*app.queues, *app.schedules, *queue.types, keys.agenda(app.name)]
    job = ship.job(
        Number(), key=name(Names.USER), dedup=name(Names.USER), job_id=name(Names.USER),
        priority=name(Names.PRIORITY), idempotency_key=name(Names.USER),
    )  # fmt: skip
    texts += [job.type, str(job.queue), job.key, job.id, job.priority, repr(job.dedup)]
    return tuple(f"{text}" for text in [*texts, repr(job.idempotency)])


def test_a_member_declares_what_its_text_does() -> None:
    assert declare(lambda member: member) == declare(lambda member: member.value)


@pytest.mark.parametrize(
    ("user", "key"),
    [(Names.USER, "user-42"), (Numbers.USER, "42"), (Ordinals.USER, "42"), (42, "42"), ("a", "a")],
)
def test_a_key_function_may_answer_a_member(user: Any, key: str) -> None:
    @App("shop").queue("orders").job("t", key=lambda order: order.user)
    async def ship(_order: Order) -> None: ...

    assert key_of(ship, Order(user=user)) == key


def test_the_child_of_a_member_is_the_child_of_its_text() -> None:
    assert child_id("parent", Names.TYPE) == child_id("parent", "order.ship")


async def test_a_cache_finds_by_a_text_what_was_set_by_a_member() -> None:
    async with embedded_store() as store:
        cache = Cache(
            "looks", str, tags=lambda key: [key], client=lambda: CacheClient(store.rest, "test")
        )
        await cache.set(Names.USER, "rain")
        assert await cache.get("user-42") == "rain"
        await cache.invalidate(Names.USER)
        assert await cache.get("user-42") is None
        assert await App("shop").erase(Names.USER) is not None
