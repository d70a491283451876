"""The world of the scenarios: one application with three queues, served over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from pydantic import BaseModel, field_validator
from starlette.applications import Starlette

from shared import JobContext, Overrides, Queue, RateLimit, Retry
from shared.clock import Clock
from shared.config.settings import ROLES, Settings
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.embedded.engine import Engine
from shared.store import Store
from shared.testing import FakeClock
from shared.web import create_app
from tests.support.client import BASE, Client, conforms, description
from tests.support.world import World as SharedWorld

TOKENS = {role: f"{role}-token-of-these-tests" for role in ROLES}
CRON_SECRET = "the-cron-secret-of-these-tests"
JOBS = "/api/v1/queues/work/jobs"


class Numbers(BaseModel):
    n: int
    note: str = ""
    more: Any = None


class BrokenModel(BaseModel):
    """A model whose validator has a bug."""

    n: int

    @field_validator("n")
    @classmethod
    def check(cls, value: int) -> int:
        if value < 0:
            raise SystemExit(value)
        raise RuntimeError("secret-of-the-traceback")


class World(SharedWorld):
    """The application under test, and the switches of its handlers."""

    def __init__(self, engine: Engine, clock: FakeClock) -> None:
        super().__init__(engine, clock, app="scenario")
        self.broken = True
        self.started, self.release = asyncio.Event(), asyncio.Event()
        self.work = self.app.queue(
            "work",
            concurrency=3,
            retry=Retry.waits([10.0]),
            priority="high",
            payload_limit=2048,
            overrides=Overrides(attempts=4),
        )
        self.slow_queue = self.app.queue("slow", limit=RateLimit(1, per=600.0))
        self.odd = self.app.queue("odd", priority="low")
        self._declare(self.work)
        self.slow_queue.job("double")(self.double)
        self.odd.job("broken-model")(self._broken_model)

    def _declare(self, work: Queue) -> None:
        work.job("double")(self.double)
        work.job("echo")(self._echo)
        work.job("fail")(self.fail)
        work.job("hang")(self._hang)
        work.job("gate")(self._gate)

    async def double(self, payload: Numbers, job: JobContext) -> dict[str, Any]:
        self.ran.append(job.id)
        job.progress(50, "half way")
        return {"twice": payload.n * 2}

    async def _echo(self, payload: Numbers) -> Any:
        return payload.more

    async def fail(self, payload: Numbers) -> None:
        if self.broken:
            raise ValueError(f"no file number {payload.n}")

    async def _hang(self, payload: Numbers) -> None:
        self.started.set()
        await asyncio.Event().wait()

    async def _gate(self, payload: Numbers) -> None:
        await self.release.wait()

    async def _broken_model(self, payload: BrokenModel) -> None:
        raise AssertionError("its payload is never valid")

    @property
    def registry(self) -> Registry:
        return Registry([self.app])


class ServedWorld(Protocol):
    """A world whose applications are served."""

    @property
    def registry(self) -> Registry: ...


def settings(**changes: Any) -> Settings:
    tokens = {token: role for role, token in TOKENS.items()}
    return Settings(**{"api_tokens": tokens, "cron_secret": CRON_SECRET, **changes})


def application(world: ServedWorld, store: Store, clock: Clock, **changes: Any) -> Starlette:
    deployment = Deployment(
        settings(**changes), world.registry, clock=clock, open_store=lambda: store
    )
    return create_app(lambda: deployment)


__all__ = ["BASE", "Client", "World", "application", "conforms", "description", "settings"]
