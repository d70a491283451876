"""The document /openapi.json: valid and complete. The other scenarios check answers against it."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.archive.maintain import MaintainReport
from shared.archive.move import Tally
from shared.drain.report import Report, StopReason
from shared.web import openapi
from shared.web.routes import ROUTES
from tests.scenario.world import Client, description


async def test_the_document_is_valid_openapi_3_1(api: Client) -> None:
    document = (await api.get("/openapi.json")).json()

    assert document["openapi"].startswith("3.1")
    assert list(map(str, OpenAPIV31SpecValidator(document).iter_errors())) == []
    assert document == description()


def test_every_route_is_in_it_and_nothing_else() -> None:
    described = {
        (method.upper(), path)
        for path, operations in description()["paths"].items()
        for method in operations
    }

    assert described == {(operation.method, operation.path) for operation in ROUTES}


def test_every_operation_has_a_name_of_its_own_a_summary_and_its_security() -> None:
    operations = [op for path in description()["paths"].values() for op in path.values()]

    assert len({op["operationId"] for op in operations}) == len(operations)
    assert all(op["summary"] for op in operations)
    open_ones = [op["operationId"] for op in operations if op["security"] == []]
    assert sorted(open_ones) == ["get_healthz", "get_openapi_json"]


def test_every_status_is_named_and_none_hides_behind_a_default() -> None:
    for path, operations in description()["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            guarded = {"401", "403", "429"} if operation["security"] else set()
            body = {"400", "413", "415", "422"} if "requestBody" in operation else set()
            assert "default" not in statuses
            assert guarded | body | {"500", "503"} <= statuses, (method, path)
            assert ("404" in statuses) or "{" not in path


async def test_the_document_is_made_once(api: Client) -> None:
    first = (await api.get("/openapi.json")).content
    with patch.object(openapi, "document", side_effect=AssertionError("made again")):
        assert (await api.get("/openapi.json")).content == first


def test_the_enqueue_options_are_those_of_the_contract() -> None:
    options = description()["components"]["schemas"]["EnqueueOptions"]

    assert set(options["properties"]) == {
        "delay", "run_at", "priority", "attempts", "backoff", "timeout", "dedup", "dedup_ttl",
        "key", "job_id", "idempotency_key", "then", "on_dead", "callback",
    }  # fmt: skip
    assert options["additionalProperties"] is False


YEAR = 366 * 86_400


@pytest.mark.parametrize(
    ("schema", "name", "bounds"),
    [
        ("EnqueueOptions", "delay", {"minimum": 0, "maximum": YEAR}),
        ("EnqueueOptions", "run_at", {"format": "date-time"}),
        ("EnqueueOptions", "priority", {"enum": ["high", "normal", "low"]}),
        ("EnqueueOptions", "attempts", {"minimum": 1, "maximum": 100}),
        ("EnqueueOptions", "timeout", {"exclusiveMinimum": 0, "maximum": 897}),
        ("EnqueueOptions", "dedup_ttl", {"exclusiveMinimum": 0, "maximum": YEAR}),
        ("EnqueueOptions", "then", {"maxItems": 20}),
        ("EnqueueOptions", "on_dead", {"maxItems": 20}),
        ("Backoff", "delay", {"minimum": 0, "maximum": YEAR}),
        ("Backoff", "factor", {"minimum": 1, "maximum": 1000}),
        ("Backoff", "jitter", {"minimum": 0, "maximum": 1}),
        ("Dedup", "ttl", {"exclusiveMinimum": 0, "maximum": YEAR}),
    ],
)
def test_the_bounds_of_an_option_are_in_the_document(
    schema: str, name: str, bounds: dict[str, Any]
) -> None:
    described = description()["components"]["schemas"][schema]["properties"][name]

    assert {**described, **described.get("anyOf", [{}])[0]}.items() >= bounds.items()


def test_a_report_with_everything_in_it_is_described_field_by_field() -> None:
    drain = Report(
        stop=StopReason.STORE,
        queues=[],
        by_queue={},
        requests=1,
        commands=1,
        bytes=1,
        seconds_used=1.0,
        seconds_left=1.0,
        outcomes=Counter(),
        continued=["work"],
        loop_lag=5.0,
        error="away",
    )
    maintain = MaintainReport("error", Tally(), commands=1, seconds=1.0, error="away")

    schemas = description()["components"]["schemas"]

    inner = {"error"}  # what failed, in words for operators: no caller reads it
    assert set(schemas["ReportResponse"]["properties"]) == set(drain.as_dict()) - inner
    assert set(schemas["MaintainReportResponse"]["properties"]) == set(maintain.as_dict()) - inner


def test_the_problem_of_a_job_of_a_bulk_tells_when_it_may_come_again() -> None:
    schemas = description()["components"]["schemas"]
    entry = schemas["EnqueueErrorResponse"]["properties"]["error"]["$ref"].rpartition("/")[2]

    assert set(schemas[entry]["properties"]) == {
        *schemas["ProblemResponse"]["properties"],
        "retry_after",
    }
    assert "Seconds" in schemas[entry]["properties"]["retry_after"]["description"]
