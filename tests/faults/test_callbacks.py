"""Callbacks: a webhook signed as Standard Webhooks has it, sent by a job of its own."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode

import httpx
import pytest
import respx

from shared import ConfigurationError, Discard, fetch
from shared.callbacks.signature import signed_headers
from shared.config.callbacks import VARIABLE, callback_secrets
from shared.errors import InvalidOption
from tests.support.values import Number
from tests.support.world import World

URL = "https://93.184.216.34/hook"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + b64encode(bytes(range(32))).decode()


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """RFC 2104, by its definition."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def verified(request: httpx.Request, *secrets: str) -> dict[str, object]:
    """The body of a webhook whose signatures are those of these secrets."""
    headers, content = request.headers, request.content
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    keys = [b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    expected = [f"v1,{b64encode(hmac_sha256(key, text)).decode()}" for key in keys]
    assert headers["webhook-signature"].split(" ") == expected
    assert headers["content-type"] == "application/json"
    body: dict[str, object] = json.loads(content)
    return body


def test_the_signature_is_that_of_the_published_example() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        [b64decode(SECRET.removeprefix("whsec_"))],
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv(VARIABLE, f"{SECRET} {OTHER}")
    return SECRET, OTHER


@pytest.mark.parametrize("end", ["completed", "dead"])
async def test_each_end_calls_the_url_until_it_answers(
    world: World, secrets: tuple[str, str], end: str, respx_mock: respx.MockRouter
) -> None:
    queue = world.app.queue("q")

    @queue.job("work", public_result=True)
    async def work(payload: Number) -> int:
        if end == "dead":
            raise Discard("no such number")
        return 42

    route = respx_mock.post(URL)
    route.side_effect = [httpx.ConnectError("down"), httpx.Response(503), httpx.Response(204)]
    await world.store.enqueue(queue, [work.job(Number(n=7), job_id="j0", callback=URL)])
    for _ in range(20):
        await world.drain(budget=50).tick()
        world.clock.advance(120)

    requests = [call.request for call in route.calls]
    bodies = [verified(request, *secrets) for request in requests]
    assert bodies[0] == bodies[1] == bodies[2]
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert bodies[0]["type"] == f"job.{end}"
    data = bodies[0]["data"]
    assert isinstance(data, dict)
    assert (data["id"], data["queue"], data["type"], data["attempts"]) == ("j0.q", "q", "work", 1)
    assert data.get("result") == (42 if end == "completed" else None)
    if end == "dead":
        assert data["error"]["message"] == "no such number"
    assert "payload" not in data


def told(route: respx.Route) -> dict[str, object]:
    """The data of the only webhook."""
    (call,) = route.calls
    data: dict[str, object] = json.loads(call.request.content)["data"]
    return data


KNOWN = {"id": "j0.q", "queue": "q", "type": "work", "attempts": 1}


@pytest.mark.parametrize(
    ("public", "end", "more"),
    [
        (False, "done", {}),
        (False, "unreadable", {}),
        (False, "dead", {"error": {"type": "Discard"}}),
        (True, "done", {"result": "secret", "result_error": None}),
        (True, "dead", {"error": {"type": "Discard", "message": "secret"}}),
    ],
)
async def test_a_callback_tells_results_and_messages_of_public_types_only(
    world: World,
    secrets: tuple[str, str],
    respx_mock: respx.MockRouter,
    public: bool,
    end: str,
    more: dict[str, object],
) -> None:
    queue = world.app.queue("q")

    @queue.job("work", public_result=public)
    async def work(payload: Number) -> object:
        if end == "dead":
            raise Discard("secret")
        return {"secret": object()} if end == "unreadable" else "secret"

    route = respx_mock.post(URL).respond(204)
    await world.store.enqueue(queue, [work.job(Number(n=7), job_id="j0", callback=URL)])
    await world.drain(budget=50).tick()

    assert told(route) == KNOWN | more


async def test_a_server_that_does_not_answer_holds_a_slot_for_ten_seconds(
    world: World, secrets: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    async def post(url: str, content: bytes, headers: object, *, timeout: float) -> None:
        given.append(timeout)

    monkeypatch.setattr(fetch, "post", post)
    queue = world.queue()
    await world.store.enqueue(queue, [queue.types["t"].job(Number(), callback=URL)])
    await world.drain(budget=50, patience=0).tick()

    assert given == [10.0]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://localhost/hook",
        "https://127.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://user:word@example.com/",
        "https://example.com:8443/",
        "hook",
        "",
    ],
)
def test_a_url_that_may_not_be_called_is_refused_at_the_door(world: World, url: str) -> None:
    job_type = world.queue().types["t"]

    with pytest.raises(InvalidOption, match="callback: an https:// address") as refused:
        job_type.job(Number(), callback=url)
    assert refused.value.field == "callback"


@pytest.mark.parametrize(
    ("answer", "state"), [(200, "completed"), (410, "dead"), (302, "dead"), (404, "delayed")]
)
async def test_an_answer_decides_whether_the_callback_is_tried_again(
    world: World,
    secrets: tuple[str, str],
    respx_mock: respx.MockRouter,
    answer: int,
    state: str,
) -> None:
    queue = world.queue()
    respx_mock.post(URL).respond(answer, headers={"location": "https://other.example.com/"})
    await world.store.enqueue(queue, [queue.types["t"].job(Number(), callback=URL)])

    await world.drain(budget=50, patience=0).tick()

    stats = await world.store.stats(queue)
    counts = {"completed": stats.sizes["completed"] - 1, "dead": stats.sizes["dead"]}
    assert {**counts, "delayed": stats.sizes["delayed"]}[state] == 1


async def test_without_a_secret_the_callback_fails_and_says_what_to_set(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    queue = world.queue()
    await world.store.enqueue(queue, [queue.types["t"].job(Number(), callback=URL)])

    await world.drain(budget=50, patience=0).tick()

    assert f"{VARIABLE} is not set: a callback must be signed" in caplog.text


@pytest.mark.parametrize("value", ["secret", "whsec_", "whsec_AAAA", "whsec_%%%", SECRET[6:]])
def test_a_secret_of_another_form_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="write whsec_ and then 24 to 64 random bytes"):
        callback_secrets({VARIABLE: value})
