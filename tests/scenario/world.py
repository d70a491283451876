"""The scenarios' application: three queues on the embedded store, and a client that checks every
answer against the API's own description."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator
from pydantic import BaseModel, field_validator
from pydantic_core import to_json
from starlette.applications import Starlette

from shared import App, JobContext, Queue, RateLimit, Retry
from shared.clock import Clock
from shared.config.settings import ROLES, Settings
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.store import Store
from shared.web import create_app
from shared.web.openapi import document
from shared.web.routes import ALIASES, ROUTES

TOKENS = {role: f"{role}-token-of-these-tests" for role in ROLES}
CRON_SECRET = "the-cron-secret-of-these-tests"
JOBS = "/api/v1/queues/work/jobs"
BASE = "http://tidegate.test"


class Numbers(BaseModel):
    n: int
    note: str = ""
    more: Any = None


class Broken(BaseModel):
    """A model whose validator has a bug."""

    n: int

    @field_validator("n")
    @classmethod
    def check(cls, value: int) -> int:
        raise RuntimeError("secret-of-the-traceback")


@dataclass
class World:
    """The applications under test, and the switches of their handlers."""

    broken: bool = True
    ran: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    app: App = field(default_factory=lambda: App("scenario"))

    def __post_init__(self) -> None:
        self.work = self.app.queue(
            "work", concurrency=3, retry=Retry.waits([10.0]), priority="high", payload_limit=2048
        )
        self.slow = self.app.queue("slow", limit=RateLimit(1, per=60.0))
        self.odd = self.app.queue("odd", priority="low")
        self._declare(self.work)
        self.slow.job("double")(self.double)
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

    async def _broken_model(self, payload: Broken) -> None:
        raise AssertionError("its payload is never valid")

    @property
    def registry(self) -> Registry:
        return Registry([self.app])


def settings(**changes: Any) -> Settings:
    tokens = {token: role for role, token in TOKENS.items()}
    return Settings(**{"api_tokens": tokens, "cron_secret": CRON_SECRET, **changes})


def application(world: World, store: Store, clock: Clock, **changes: Any) -> Starlette:
    deployment = Deployment(
        settings(**changes), world.registry, clock=clock, open_store=lambda: store
    )
    return create_app(lambda: deployment)


class Client(httpx.AsyncClient):
    """Speaks to the application in this process; every answer must be as described."""

    def __init__(self, app: Starlette, token: str | None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        super().__init__(transport=httpx.ASGITransport(app), base_url=BASE, headers=headers)

    async def request(self, *args: Any, **kwargs: Any) -> httpx.Response:
        response = await super().request(*args, **kwargs)
        if response.request.method != "HEAD":
            conforms(response)
        return response

    async def enqueue(self, type: str = "double", n: int = 1, **options: Any) -> str:
        """One job on `work`; its id."""
        body = {"type": type, "payload": {"n": n}, "options": options}
        response = await self.post(JOBS, json=body)
        assert response.status_code == 202, response.text
        job_id: str = response.json()["id"]
        return job_id

    async def job(self, job_id: str) -> Any:
        response = await self.get(f"/api/v1/jobs/{job_id}")
        assert response.status_code == 200, response.text
        return response.json()

    async def tick(self, query: str = "") -> Any:
        response = await self.post(f"/api/cron/drain{query}")
        assert response.status_code == 200, response.text
        return response.json()


@cache
def description() -> dict[str, Any]:
    """The document that /openapi.json answers (a test compares them)."""
    described: dict[str, Any] = json.loads(to_json(document(ROUTES)))
    return described


def conforms(response: httpx.Response) -> None:
    """Fail unless the description has this answer. Answers at other paths must be problems."""
    media_type = response.headers["content-type"]
    operation = _operation(response.request)
    if operation is None or response.status_code >= 400:
        assert media_type == "application/problem+json", (
            response.status_code,
            media_type,
            response.text,
        )
        schema = {"$ref": "#/components/schemas/ProblemResponse"}
        assert response.json()["status"] == response.status_code
    else:
        described = operation["responses"][str(response.status_code)]
        schema = described["content"][media_type]["schema"]
    validator = OAS31Validator({**schema, "components": description()["components"]})
    faults = [
        f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(response.json())
    ]
    assert not faults, (response.request.url.path, faults)


def _operation(request: httpx.Request) -> Any:
    """The description of this request's operation; an alias has that of the path it stands for."""
    known = description()["paths"]
    for path in sorted([*known, *ALIASES], key=lambda path: path.replace("{", "~")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path):
            return known[ALIASES.get(path, path)].get(request.method.lower())
    return None
