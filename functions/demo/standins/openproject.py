"""A stand-in of OpenProject's API v3: the work packages of one project."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Faults

PROJECT, API_KEY = "flrts", "key-of-the-demonstration"
CLOSED = 12
"""The number of the final status."""
REFUSED = "nothing"
"""The subject of a work package that the project's rules refuse."""
_USER = "Basic " + base64.b64encode(f"apikey:{API_KEY}".encode()).decode()
_ERRORS = {
    400: "InvalidQuery",
    401: "Unauthenticated",
    404: "NotFound",
    409: "UpdateConflict",
}
Package = dict[str, Any]


def refusal(status: int, text: str) -> dict[str, Any]:
    """What OpenProject says when it refuses a request."""
    error = _ERRORS.get(status, "PropertyConstraintViolation" if status == 422 else "InternalError")
    urn = f"urn:openproject-org:api:v3:errors:{error}"
    return {"_type": "Error", "errorIdentifier": urn, "message": text}


@dataclass(slots=True)
class OpenProject:
    """One project: number -> work package. Each is as the API shows it; `hidden`: those that it
    does not show."""

    faults: Faults
    packages: dict[int, Package] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    asked: list[tuple[str, float]] = field(default_factory=list)
    """The subject of each request to create one, and when it came, by the event loop's clock."""

    def routes(self) -> list[Route]:
        own = f"/api/v3/projects/{PROJECT}/work_packages"
        one = "/api/v3/work_packages/{number:int}"
        return [
            Route(own, self._create, methods=["POST"]),
            Route(own, self._list, methods=["GET"]),
            Route("/api/v3/work_packages", self._list, methods=["GET"]),
            Route(one, self._show, methods=["GET"]),
            Route(one, self._change, methods=["PATCH"]),
        ]

    def close(self, number: int) -> Package:
        """A member closes it on OpenProject's own page; its new state."""
        package = self.packages[number]
        package["_embedded"]["status"] = {"id": CLOSED, "isClosed": True}
        package["lockVersion"] += 1
        return package

    async def _create(self, request: Request) -> Response:
        if _is_stranger(request):
            return _refuse(401, "You need to be authenticated to access this resource.")
        body = await request.json()
        self.asked.append((body["subject"], asyncio.get_running_loop().time()))
        if body["subject"] == REFUSED:
            return _refuse(422, "Subject is not allowed in this project.")
        return await self.faults.answer(f"create {body['subject']}", lambda: self._add(body))

    def _add(self, body: Mapping[str, Any]) -> Response:
        number = 1 + len(self.packages)
        status = {"status": {"id": 1, "isClosed": False}}
        package = {**body, "_type": "WorkPackage", "id": number, "lockVersion": 0}
        self.packages[number] = package | {"_embedded": status}
        return JSONResponse(self.packages[number], 201)

    async def _list(self, request: Request) -> Response:
        if _is_stranger(request):
            return _refuse(401, "You need to be authenticated to access this resource.")
        filters = request.query_params["filters"]
        # One subject, however many lists a comparison needs: a job meets one fault, as elsewhere.
        subject = "list by id" if '"id"' in filters else f"list {filters}"
        return await self.faults.answer(subject, lambda: self._search(filters))

    def _search(self, filters: str) -> Response:
        ((name, rule),) = json.loads(filters)[0].items()
        if name == "id" and not all(self._shows(int(number)) for number in rule["values"]):
            return _refuse(400, "ID filter has invalid values.")
        shown = [
            _brief(package)
            for number, package in self.packages.items()
            if self._shows(number) and _fits(package, name, rule["values"])
        ]
        return JSONResponse({"_type": "WorkPackageCollection", "_embedded": {"elements": shown}})

    async def _show(self, request: Request) -> Response:
        number: int = request.path_params["number"]
        if _is_stranger(request) or not self._shows(number):
            return _refuse(404, "The requested resource could not be found.")
        return await self.faults.answer(
            f"show {number}", lambda: JSONResponse(self.packages[number])
        )

    async def _change(self, request: Request) -> Response:
        number: int = request.path_params["number"]
        if _is_stranger(request) or not self._shows(number):
            return _refuse(404, "The requested resource could not be found.")
        body = await request.json()
        return await self.faults.answer(f"change {number}", lambda: self._edit(number, body))

    def _shows(self, number: int) -> bool:
        return number in self.packages and number not in self.hidden

    def _edit(self, number: int, body: dict[str, Any]) -> Response:
        package = self.packages[number]
        if body.pop("lockVersion") != package["lockVersion"]:
            return _refuse(409, "Information has been updated by at least one other user.")
        status = body.pop("_links", {}).get("status", {"href": ""})["href"]
        package.update(body, lockVersion=package["lockVersion"] + 1)
        if status.endswith(f"/{CLOSED}"):
            package["_embedded"]["status"] = {"id": CLOSED, "isClosed": True}
        return JSONResponse(package)


def _fits(package: Package, name: str, values: list[str]) -> bool:
    if name == "id":
        return str(package["id"]) in values
    return values[0] in package.get("description", {}).get("raw", "")


def _brief(package: Package) -> Package:
    """As lists show it: without what its links lead to."""
    return {name: value for name, value in package.items() if name != "_embedded"}


def _is_stranger(request: Request) -> bool:
    return request.headers.get("authorization") != _USER


def _refuse(status: int, text: str) -> Response:
    return JSONResponse(refusal(status, text), status)
