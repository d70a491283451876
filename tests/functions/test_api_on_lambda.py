"""The HTTP function behind an HTTP API: Mangum, one loop, the gateway's thirty seconds."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from shared import ConfigurationError
from tests.functions.recorded import Context, event
from tests.functions.sample import sample


@pytest.fixture
def handler(environment: Callable[..., None], cold_start: Callable[[str], ModuleType]) -> Any:
    environment("lambda")
    return cold_start("functions.api").handler


def test_an_enqueue_comes_in_as_an_event_and_goes_out_as_a_response(
    handler: Any, store_says: Callable[..., Any]
) -> None:
    response = handler(event("http_enqueue"), Context())

    assert (response["statusCode"], response["isBase64Encoded"]) == (202, False)
    assert response["headers"]["content-type"] == "application/json"
    assert json.loads(response["body"])["state"] == "waiting"
    assert store_says("stats", sample).waiting == 1


def test_a_body_that_the_gateway_encoded_is_read_as_it_was(handler: Any) -> None:
    sent = event("http_enqueue")
    sent["body"] = base64.b64encode(sent["body"].encode()).decode()
    sent["isBase64Encoded"] = True

    assert handler(sent, Context())["statusCode"] == 202


def test_a_problem_is_text_for_the_gateway_too(handler: Any) -> None:
    sent = event("http_enqueue")
    del sent["headers"]["authorization"]

    response = handler(sent, Context())

    assert (response["statusCode"], response["isBase64Encoded"]) == (401, False)
    assert response["headers"]["content-type"] == "application/problem+json"
    assert json.loads(response["body"])["type"] == "/problems/unauthenticated"


def test_invocations_share_a_loop_and_survive_somebody_elses(
    handler: Any, store_says: Callable[..., Any]
) -> None:
    for count in (1, 2, 3):
        assert handler(event("http_enqueue"), Context())["statusCode"] == 202
        assert (
            store_says("stats", sample).waiting == count
        )  # by asyncio.run: it takes the loop away


@pytest.mark.parametrize(("remaining", "window"), [(900.0, 29.0), (8.0, 8.0)])
def test_its_cron_route_drains_within_what_lambda_and_the_gateway_leave(
    handler: Any, remaining: float, window: float
) -> None:
    handler(event("http_enqueue"), Context())

    response = handler(event("http_cron"), Context(seconds=remaining))

    report = json.loads(response["body"])
    assert (response["statusCode"], report["outcomes"]) == (200, {"done": 1})
    total = report["seconds"]["used"] + report["seconds"]["left"]
    assert window - 1 < total <= window


def test_its_reports_are_metrics_too(
    environment: Callable[..., None],
    cold_start: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment("lambda")
    handler = cold_start("functions.api").handler
    handler(event("http_enqueue"), Context())
    capsys.readouterr()

    handler(event("http_cron"), Context())

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["Done"] for line in printed if "_aws" in line and "queue" in line] == [[1.0]]


ADDRESSES = {
    "x-forwarded-port": (
        *("NaN", "1,443", "443, 80", "", " ", "-1", "4" * 5000, "\uff11", "1e3", "0x1bb", "https"),
        *("443", "8443", "99999"),
    ),
    "host": ("a:b:c", "[::1]", "[::1]:443", "a:x", "a:", ":", "a:80:", "", "a:443", "\u2028:9"),
}


@pytest.mark.parametrize("write", [str.lower, str.title, str.upper])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ADDRESSES.items() for value in values]
)
def test_an_address_that_a_caller_made_up_stops_nothing(
    handler: Any, name: str, value: str, write: Callable[[str], str]
) -> None:
    sent = event("http_enqueue")
    del sent["headers"][name]
    sent["headers"][write(name)] = value
    accepted = handler(sent, Context())
    del sent["headers"]["authorization"]
    refused = handler(sent, Context())

    assert (accepted["statusCode"], refused["statusCode"]) == (202, 401)


@pytest.mark.parametrize(
    "broken",
    [
        {"headers": {"authorization": "Bearer \ud800"}},
        {"headers": {"\udfff": "x"}},
        {"cookies": ["a=\ud800"]},
        {"rawQueryString": "a=\ud800"},
        {"body": "\ud800"},
        {"body": "a", "isBase64Encoded": True},
    ],
)
def test_an_event_that_can_not_be_read_is_answered(handler: Any, broken: dict[str, Any]) -> None:
    response = handler({**event("http_enqueue"), **broken}, Context())

    assert response == {"statusCode": 400, "body": "The request can't be read."}


def test_an_event_without_headers_is_one_without_a_token(handler: Any) -> None:
    assert handler({**event("http_enqueue"), "headers": None}, Context())["statusCode"] == 401


@pytest.mark.parametrize("stage", ["prod", "v1.2", "api"])
def test_a_stage_with_a_name_is_no_part_of_the_path(
    handler: Any, store_says: Callable[..., Any], stage: str
) -> None:
    enqueue = staged(event("http_enqueue"), stage)

    accepted = handler(enqueue, Context())
    location = accepted["headers"]["location"]
    enqueue["requestContext"]["http"] |= {"method": "GET", "path": location}
    shown = handler(enqueue, Context())

    assert accepted["statusCode"] == 202
    assert location.startswith(f"/{stage}/api/v1/jobs/")
    assert (shown["statusCode"], json.loads(shown["body"])["state"]) == (200, "waiting")
    assert store_says("stats", sample).waiting == 1


@pytest.mark.parametrize("path", ["/api/v1/stats", "/production/api/v1/stats", "/prod", "/prodapi"])
def test_only_a_path_below_its_stage_is_taken_apart(handler: Any, path: str) -> None:
    sent = staged(event("http_enqueue"), "prod")
    sent["requestContext"]["http"] |= {"method": "GET", "path": path}

    status = handler(sent, Context())["statusCode"]

    assert status == (200 if path.startswith("/api") else 404)


@pytest.mark.parametrize(
    "warmup",
    [
        {"source": "serverless-plugin-warmup"},
        {"warmer": True, "concurrency": 3},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"},
    ],
)
def test_an_event_that_keeps_the_function_warm_is_answered(
    handler: Any, warmup: dict[str, Any]
) -> None:
    assert handler(warmup, Context()) == {"statusCode": 204}


@pytest.mark.parametrize(
    "other",
    [
        {},
        None,
        [],
        "warm",
        {"Records": [{"eventSource": "aws:sqs", "body": "x"}]},
        {"requestContext": None},
        {"warmer": "yes"},
        {"source": "my.application"},
    ],
)
def test_an_event_of_another_source_is_refused_and_not_lost(handler: Any, other: Any) -> None:
    with pytest.raises(ConfigurationError, match="no request of an HTTP API"):
        handler(other, Context())


def staged(sent: dict[str, Any], stage: str) -> dict[str, Any]:
    """The event as an API with a named stage has it: the path begins with the stage."""
    context = sent["requestContext"]
    context["stage"] = stage
    sent["rawPath"] = context["http"]["path"] = f"/{stage}{sent['rawPath']}"
    return sent
