"""A client of the HTTP API in this process: it holds every answer against the API's description."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator
from pydantic_core import to_json
from starlette.applications import Starlette

from shared.web.openapi import document
from shared.web.routes import ROUTES

BASE = "http://tidegate.test"
PROBLEM = "application/problem+json"


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

    async def enqueue(
        self, type: str = "double", n: int = 1, queue: str = "work", **options: Any
    ) -> str:
        """One job; its id."""
        body = {"type": type, "payload": {"n": n}, "options": options}
        response = await self.post(f"/api/v1/queues/{queue}/jobs", json=body)
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
    """The document of /openapi.json (a test compares them)."""
    described: dict[str, Any] = json.loads(to_json(document(ROUTES)))
    return described


def conforms(response: httpx.Response) -> None:
    """Assert that the description has this answer. An undescribed path must answer a problem."""
    kind = response.headers["content-type"]
    operation = _operation(response.request)
    if operation is None or response.status_code >= 400:
        assert kind == PROBLEM, (response.status_code, kind, response.text)
        schema = _problem_schema()
        assert response.json()["status"] == response.status_code
        if operation is not None:
            assert str(response.status_code) in operation["responses"], response.status_code
    else:
        described = operation["responses"][str(response.status_code)]
        schema = described["content"][kind]["schema"]
    validator = OAS31Validator({**schema, "components": description()["components"]})
    value = response.json() if "json" in kind else response.text
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(value)]
    assert not faults, (response.request.url.path, faults)


def _problem_schema() -> Any:
    """The one schema that every operation names for its problems."""
    contents = [
        response.get("content", {})
        for methods in description()["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
    ]
    return next(c[PROBLEM]["schema"] for c in contents if PROBLEM in c)


def _operation(request: httpx.Request) -> Any:
    """The description of this request's operation."""
    known = description()["paths"]
    for path in sorted(known, key=lambda path: path.replace("{", "~")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path):
            return known[path].get(request.method.lower())
    return None
