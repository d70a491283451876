"""OpenProject's API v3: the work packages of one project.

https://www.openproject.org/docs/api/. It has no idempotency keys, so `create` leaves a reference
in the work package by which `find` finds it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

from shared import ConfigurationError, Discard
from shared.jobs.redact import keep_secret

from .http import LONGEST_MESSAGE, Model, client, field_of, read

CLOSED = 12
"""The id of the status "Closed" in OpenProject's own set of statuses."""
PAGE = 100
"""Work packages of one request."""
_INVALID_QUERY = "urn:openproject-org:api:v3:errors:InvalidQuery"


class _Status(BaseModel):
    is_closed: bool = Field(alias="isClosed")


class _Parts(BaseModel):
    status: _Status | None = None


class WorkPackage(BaseModel):
    """One work package. `version` rises with every change."""

    id: int
    version: int = Field(alias="lockVersion")
    subject: str
    due: dt.date | None = Field(None, alias="dueDate")
    parts: _Parts = Field(_Parts(), alias="_embedded")

    @property
    def is_closed(self) -> bool:
        """True if its status is a final one. Lists don't tell it: False there."""
        return self.parts.status is not None and self.parts.status.is_closed


class _Elements(BaseModel):
    elements: list[WorkPackage]


class _Collection(BaseModel):
    embedded: _Elements = Field(alias="_embedded")


class _Problem(BaseModel):
    message: str = ""


class _Problems(BaseModel):
    errors: list[_Problem]


class _MultipleErrors(BaseModel):
    problems: _Problems = Field(alias="_embedded")


class OpenProject:
    """One project of an OpenProject."""

    def __init__(self, url: str, key: str, project: str, closed_status: int = CLOSED) -> None:
        self._api = f"{url.rstrip('/')}/api/v3"
        sent = base64.b64encode(f"apikey:{key}".encode()).decode()
        keep_secret([key, sent])
        self._auth = httpx.BasicAuth("apikey", key)
        self._project = project
        self._closed_status = closed_status

    async def create(
        self, subject: str, description: str, due: dt.date | None, reference: str
    ) -> WorkPackage:
        """Create a work package. Each call makes one more."""
        text = f"{description}\n\n<!-- {reference} -->".lstrip()
        path = f"/projects/{self._project}/work_packages"
        response = await self._request("POST", path, _fields(subject, text, due))
        return _read(response, WorkPackage)

    async def find(self, reference: str) -> WorkPackage | None:
        """The work package that was created with this reference."""
        filters = [{"description": {"operator": "~", "values": [reference]}}]
        response = await self._search(f"/projects/{self._project}/work_packages", filters)
        return min(_elements(response), key=lambda package: package.id, default=None)

    async def get(self, number: int) -> WorkPackage | None:
        """The work package of this number; None where there is none, or none that we may see."""
        response = await self._request("GET", f"/work_packages/{number}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return _read(response, WorkPackage)

    async def change(
        self,
        package: WorkPackage,
        *,
        subject: str | None = None,
        description: str | None = None,
        due: dt.date | None = None,
        closed: bool = False,
    ) -> WorkPackage:
        """Change what is given. Raises HTTPStatusError where somebody else changed the work package
        since it was read: read it again."""
        body = _fields(subject, description, due) | {"lockVersion": package.version}
        if closed:
            body["_links"] = {"status": {"href": f"/api/v3/statuses/{self._closed_status}"}}
        response = await self._request("PATCH", f"/work_packages/{package.id}", body)
        if response.status_code == httpx.codes.CONFLICT:
            response.raise_for_status()
        return _read(response, WorkPackage)

    async def versions(self, numbers: Sequence[int]) -> dict[int, int] | None:
        """The versions of these work packages, at most PAGE; None where OpenProject refuses the
        list, as it does if it does not show one of them."""
        filters = [{"id": {"operator": "=", "values": [str(number) for number in numbers]}}]
        response = await self._search("/work_packages", filters)
        is_refused = response.status_code == httpx.codes.BAD_REQUEST
        if is_refused and field_of(response, "errorIdentifier") == _INVALID_QUERY:
            return None
        return {package.id: package.version for package in _elements(response)}

    async def _search(self, path: str, filters: Sequence[Mapping[str, Any]]) -> httpx.Response:
        params = {"filters": json.dumps(filters), "pageSize": str(PAGE)}
        return await self._request("GET", path, params=params)

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        async with client() as http:
            return await http.request(
                method, f"{self._api}{path}", json=body, params=params, auth=self._auth
            )


def openproject() -> OpenProject:
    """The project that the environment names. Raises ConfigurationError for what is missing."""
    url, key = os.environ.get("OPENPROJECT_URL"), os.environ.get("OPENPROJECT_API_KEY")
    project = os.environ.get("OPENPROJECT_PROJECT")
    if not (url and key and project):
        raise ConfigurationError(
            "OPENPROJECT_URL, OPENPROJECT_API_KEY and OPENPROJECT_PROJECT are not all set"
        )
    closed = os.environ.get("OPENPROJECT_CLOSED_STATUS") or str(CLOSED)
    if not (closed.isascii() and closed.isdecimal()):
        raise ConfigurationError(
            f"OPENPROJECT_CLOSED_STATUS={closed!r:.40}: give the number of a status"
        )
    return OpenProject(url, key, project, int(closed))


def _read(response: httpx.Response, model: type[Model]) -> Model:
    """The body of a success. Raises what `read` raises; of several errors in one answer, whose own
    message names none, with the message of each."""
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        said = _messages(response)
        if said:
            raise Discard(f"OpenProject answers 422: {said[:LONGEST_MESSAGE]}")
    return read(response, model, "OpenProject")


def _elements(response: httpx.Response) -> list[WorkPackage]:
    return _read(response, _Collection).embedded.elements


def _messages(response: httpx.Response) -> str:
    try:
        found = _MultipleErrors.model_validate_json(response.content).problems.errors
    except ValidationError:
        return ""
    return " ".join(problem.message for problem in found if problem.message)


def _fields(subject: str | None, description: str | None, due: dt.date | None) -> dict[str, Any]:
    text = None if description is None else {"format": "markdown", "raw": description}
    day = None if due is None else due.isoformat()
    values = {"subject": subject, "description": text, "dueDate": day}
    return {name: value for name, value in values.items() if value is not None}
