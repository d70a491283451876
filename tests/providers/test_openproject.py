"""Work packages of OpenProject, and its faults, as a queue can act on them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import respx

from functions.providers.http import UnreadableAnswer
from functions.providers.openproject import OpenProject, WorkPackage, openproject
from shared import ConfigurationError, Discard

API = "https://projects.example/api/v3"
CREATE = f"{API}/projects/flrts/work_packages"


@pytest.fixture
def projects(monkeypatch: pytest.MonkeyPatch) -> OpenProject:
    monkeypatch.setenv("OPENPROJECT_URL", "https://projects.example/")
    monkeypatch.setenv("OPENPROJECT_API_KEY", "s3cret")
    monkeypatch.setenv("OPENPROJECT_PROJECT", "flrts")
    return openproject()


def answer(number: int = 37, version: int = 1, *, closed: bool = False) -> dict[str, Any]:
    """A work package as OpenProject 15 answers it, without the fields that are not read."""
    status = {"_type": "Status", "id": 12 if closed else 1, "name": "New", "isClosed": closed}
    return {
        "_type": "WorkPackage",
        "id": number,
        "lockVersion": version,
        "subject": "Buy milk",
        "description": {"format": "markdown", "raw": "Two litres", "html": "<p>Two litres</p>"},
        "scheduleManually": False,
        "startDate": None,
        "dueDate": "2027-01-05",
        "percentageDone": None,
        "createdAt": "2026-12-31T13:09:24.901Z",
        "updatedAt": "2026-12-31T18:10:05.102Z",
        "_embedded": {"status": status, "customActions": []},
        "_links": {"self": {"href": f"/api/v3/work_packages/{number}", "title": "Buy milk"}},
    }


def package(version: int = 1) -> WorkPackage:
    return WorkPackage.model_validate(answer(version=version))


def collection(*elements: dict[str, Any]) -> dict[str, Any]:
    """A list, whose elements have no parts."""
    bare = [{k: v for k, v in one.items() if k != "_embedded"} for one in elements]
    return {
        "_type": "WorkPackageCollection",
        "total": len(bare),
        "count": len(bare),
        "pageSize": 100,
        "offset": 1,
        "_embedded": {"elements": bare},
    }


def failure(kind: str, message: str) -> dict[str, Any]:
    """An error as OpenProject writes it."""
    name = f"urn:openproject-org:api:v3:errors:{kind}"
    return {"_type": "Error", "errorIdentifier": name, "message": message}


@respx.mock
async def test_a_work_package_is_created_with_its_reference(projects: OpenProject) -> None:
    route = respx.post(CREATE).respond(201, json=answer())

    made = await projects.create("Buy milk", "Two litres", dt.date(2027, 1, 5), "ref-7")

    assert (made.id, made.version, made.is_closed) == (37, 1, False)
    assert (made.subject, made.due) == ("Buy milk", dt.date(2027, 1, 5))
    request = route.calls[0].request
    assert request.headers["authorization"] == "Basic YXBpa2V5OnMzY3JldA=="  # apikey:s3cret
    assert json.loads(request.content) == {
        "subject": "Buy milk",
        "description": {"format": "markdown", "raw": "Two litres\n\n<!-- ref-7 -->"},
        "dueDate": "2027-01-05",
    }


@respx.mock
@pytest.mark.parametrize(
    ("found", "number"), [([], None), ([answer(40)], 40), ([answer(41), answer(40)], 40)]
)
async def test_a_work_package_is_found_by_its_reference(
    found: list[dict[str, Any]], number: int | None, projects: OpenProject
) -> None:
    route = respx.get(CREATE).respond(200, json=collection(*found))

    package = await projects.find("ref-7")

    assert (package and package.id) == number
    filters = json.loads(route.calls[0].request.url.params["filters"])
    assert filters == [{"description": {"operator": "~", "values": ["ref-7"]}}]


@respx.mock
async def test_one_is_read_or_is_gone(projects: OpenProject) -> None:
    respx.get(f"{API}/work_packages/37").respond(200, json=answer(version=5, closed=True))
    respx.get(f"{API}/work_packages/38").respond(404, json=failure("NotFound", "not found"))

    there, gone = await projects.get(37), await projects.get(38)

    assert there is not None
    assert (there.version, there.is_closed) == (5, True)
    assert gone is None


@respx.mock
async def test_a_change_names_the_version_that_it_was_made_of(projects: OpenProject) -> None:
    route = respx.patch(f"{API}/work_packages/37").respond(200, json=answer(version=6))

    changed = await projects.change(package(5), subject="Buy oat milk", closed=True)

    assert changed.version == 6
    assert json.loads(route.calls[0].request.content) == {
        "subject": "Buy oat milk",
        "lockVersion": 5,
        "_links": {"status": {"href": "/api/v3/statuses/12"}},
    }


@respx.mock
async def test_a_change_that_meets_another_one_is_retried(projects: OpenProject) -> None:
    respx.patch(f"{API}/work_packages/37").respond(
        409, json=failure("UpdateConflict", "Your changes could not be saved")
    )

    with pytest.raises(httpx.HTTPStatusError):
        await projects.change(package(), subject="Buy oat milk")


@respx.mock
async def test_versions_of_what_is_shown(projects: OpenProject) -> None:
    route = respx.get(f"{API}/work_packages").respond(
        200, json=collection(answer(37, 4), answer(39, 1))
    )

    assert await projects.versions([37, 39]) == {37: 4, 39: 1}

    filters = json.loads(route.calls[0].request.url.params["filters"])
    assert filters == [{"id": {"operator": "=", "values": ["37", "39"]}}]


@respx.mock
@pytest.mark.parametrize("message", ["ID filter has invalid values.", "ID Filter ungültig", ""])
async def test_versions_are_refused_where_one_is_not_shown(
    message: str, projects: OpenProject
) -> None:
    """In the language of the account."""
    respx.get(f"{API}/work_packages").respond(400, json=failure("InvalidQuery", message))

    assert await projects.versions([37, 38]) is None


CALLS: dict[str, Callable[[OpenProject], Awaitable[object]]] = {
    "create": lambda projects: projects.create("Buy milk", "", None, "ref-7"),
    "find": lambda projects: projects.find("ref-7"),
    "get": lambda projects: projects.get(37),
    "change": lambda projects: projects.change(package(), closed=True),
    "versions": lambda projects: projects.versions([37]),
}


@pytest.fixture(params=sorted(CALLS))
def call(request: pytest.FixtureRequest) -> Callable[[OpenProject], Awaitable[object]]:
    """Each of the API's calls."""
    return CALLS[str(request.param)]


@respx.mock
@pytest.mark.parametrize("status", [408, 500, 502, 503])
async def test_a_failure_that_may_pass_carries_its_retry_after(
    status: int, call: Callable[[OpenProject], Awaitable[object]], projects: OpenProject
) -> None:
    respx.route(host="projects.example").respond(status, headers={"retry-after": "20"})

    with pytest.raises(httpx.HTTPStatusError) as caught:
        await call(projects)

    assert caught.value.response.headers["retry-after"] == "20"
    assert "s3cret" not in str(caught.value)


@respx.mock
@pytest.mark.parametrize("status", [400, 401, 403, 422])
async def test_a_refusal_is_final_and_says_why(
    status: int, call: Callable[[OpenProject], Awaitable[object]], projects: OpenProject
) -> None:
    error = failure("PropertyConstraintViolation", "Subject can't be blank.")
    respx.route(host="projects.example").respond(status, json=error)

    with pytest.raises(Discard, match=f"OpenProject answers {status}: Subject can't be blank."):
        await call(projects)


@respx.mock
@pytest.mark.parametrize(
    ("problems", "told"),
    [
        (
            [{"message": "Subject can't be blank."}, {"message": "Finish date is too early."}],
            "Subject can't be blank. Finish date is too early.",
        ),
        ([{"message": "x" * 999}], "x" * 200 + "$"),
        ([], "Multiple field constraints"),
        ([{}, {"other": 1}], "Multiple field constraints"),
        ("odd", "Multiple field constraints"),
    ],
)
async def test_several_refusals_in_one_are_each_told(
    problems: object,
    told: str,
    call: Callable[[OpenProject], Awaitable[object]],
    projects: OpenProject,
) -> None:
    error = failure("MultipleErrors", "Multiple field constraints have been violated.")
    body = {**error, "_embedded": {"errors": problems}}
    respx.route(host="projects.example").respond(422, json=body)

    with pytest.raises(Discard, match=f"OpenProject answers 422: {told}"):
        await call(projects)


@respx.mock
@pytest.mark.parametrize("body", ["<html>", "", "[]", "{}", '{"id": 1}', "null"])
async def test_an_answer_that_says_nothing_is_retried(
    body: str, call: Callable[[OpenProject], Awaitable[object]], projects: OpenProject
) -> None:
    respx.route(host="projects.example").respond(200, text=body)

    with pytest.raises(UnreadableAnswer, match="OpenProject"):
        await call(projects)


@respx.mock
async def test_a_silent_server_is_retried(
    call: Callable[[OpenProject], Awaitable[object]], projects: OpenProject
) -> None:
    respx.route(host="projects.example").mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(httpx.ReadTimeout):
        await call(projects)


@pytest.mark.parametrize("name", ["OPENPROJECT_URL", "OPENPROJECT_API_KEY", "OPENPROJECT_PROJECT"])
def test_what_is_not_set_is_one_clear_sentence(
    name: str, projects: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(ConfigurationError, match="are not all set"):
        openproject()


def test_a_status_that_is_no_number_is_refused(
    projects: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENPROJECT_CLOSED_STATUS", "Closed")

    with pytest.raises(ConfigurationError, match="OPENPROJECT_CLOSED_STATUS='Closed'"):
        openproject()
