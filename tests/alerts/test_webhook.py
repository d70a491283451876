"""The webhook: signed as Standard Webhooks has it, for public servers only."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from hashlib import sha256

import httpx
import pytest
import respx

from shared.alerts.evaluate import sinks_of
from shared.alerts.notice import Notice
from shared.alerts.sinks import WebhookSink
from shared.config.alerts import AlertSettings

URL = "https://93.184.216.34/hook"
KEY = bytes(range(32))
NOTICE = Notice(
    id="backlog.q.1800000000000.fired",
    at_ms=1_800_000_000_000,
    rule="backlog",
    queue="q",
    fired=True,
    value=140.0,
    threshold=100.0,
    pending=("webhook",),
)


def verified(request: httpx.Request) -> dict[str, object]:
    """The body of a webhook whose signature is that of KEY."""
    headers = request.headers
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.content
    signature = headers["webhook-signature"].removeprefix("v1,")
    assert b64decode(signature) == hmac.digest(KEY, text, sha256)
    body: dict[str, object] = json.loads(request.content)
    return body


async def test_a_notice_is_posted_and_signed(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post(URL).respond(204)

    assert await WebhookSink(URL, [KEY]).tell(NOTICE)

    request = route.calls[0].request
    assert request.headers["webhook-id"] == f"msg_{NOTICE.id}"
    assert verified(request) == {
        "type": "alert.fired",
        "timestamp": "2027-01-15T08:00:00Z",
        "text": "queue q: 140 waiting jobs",
        "data": {
            "rule": "backlog",
            "queue": "q",
            "value": 140.0,
            "threshold": 100.0,
            "detail": "queue q: 140 waiting jobs",
        },
    }


@pytest.mark.parametrize("status", [301, 400, 410, 429, 500, 503])
async def test_another_answer_is_tried_again(respx_mock: respx.MockRouter, status: int) -> None:
    respx_mock.post(URL).respond(status)

    assert not await WebhookSink(URL, [KEY]).tell(NOTICE)


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1/hook", "https://10.0.0.1/", "https://db.internal/"]
)
async def test_a_private_network_is_never_called(
    address: str, respx_mock: respx.MockRouter
) -> None:
    assert not await WebhookSink(address, [KEY]).tell(NOTICE)
    assert not respx_mock.calls


def test_the_sinks_are_the_log_and_the_webhook_that_is_set() -> None:
    env = {
        "TIDEGATE_ALERT_WEBHOOK": URL,
        "TIDEGATE_CALLBACK_SECRET": f"whsec_{b64encode(KEY).decode()}",
    }

    assert [sink.name for sink in sinks_of(AlertSettings())] == ["log"]
    assert [sink.name for sink in sinks_of(AlertSettings.from_env(env))] == ["log", "webhook"]
