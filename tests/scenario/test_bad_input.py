"""Bad input of every kind: a clear 4xx, nothing echoed at length, and an unchanged store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from shared.web import openapi
from tests.scenario.world import JOBS, Client
from tests.support.probe import Probe

JSON = {"Content-Type": "application/json"}
QUEUES = ("work", "slow", "odd")
ENQUEUE = {"type": "double", "payload": {"n": 1}}


async def everything(probe: Probe) -> list[Any]:
    """All keys, but the audit: it has rows of actions that fail, too."""
    keys = {*await probe.run("KEYS", "*")} - {b"test:audit"}
    return [sorted(keys), *[await probe.snapshot(q) for q in QUEUES]]


def job(**options: Any) -> bytes:
    return json.dumps({**ENQUEUE, "options": options}).encode()


BODIES: Mapping[str, tuple[bytes, int, str]] = {
    # what is sent, the status, and what the answer says
    "empty": (b"", 400, "not JSON"),
    "not JSON": (b'{"type": ', 400, "not JSON"),
    "trailing": (b'{"type":"double","payload":{"n":1}} {}', 400, "not JSON"),
    "not UTF-8": (b'{"type":"double","payload":{"n":1,"note":"\xff"}}', 400, "not JSON"),
    "byte order mark": (b'\xef\xbb\xbf{"type":"double","payload":{"n":1}}', 400, "not JSON"),
    "lone surrogate": (b'{"type":"double","payload":{"note":"\\ud800"}}', 400, "not JSON"),
    "NaN": (b'{"type":"double","payload":{"n":NaN}}', 400, "not JSON"),
    "Infinity": (b'{"type":"double","payload":{"n":-Infinity}}', 400, "not JSON"),
    "infinite": (b'{"type":"echo","payload":{"n":1,"more":[1e400]}}', 422, "no infinity"),
    "depth bomb": (b'{"type":"double","payload":' + b"[" * 100_000, 400, "too deeply"),
    "closed depth": (b'{"a":' * 500 + b"1" + b"}" * 500, 400, "too deeply"),
    "endless integer": (b'{"type":"double","payload":{"n":' + b"9" * 5000 + b"}}", 400, "JSON"),
    "array": (b"[]", 422, "JSON object"),
    "text": (b'"job"', 422, "JSON object"),
    "null": (b"null", 422, "JSON object"),
    "no type": (b'{"payload":{"n":1}}', 422, "type"),
    "no payload": (b'{"type":"double"}', 422, "payload"),
    "type is a number": (b'{"type":1,"payload":{"n":1}}', 422, "type"),
    "type is long": (json.dumps({**ENQUEUE, "type": "x" * 65}).encode(), 422, "type"),
    "unknown type": (b'{"type":"\\u0000\\n{x}","payload":{"n":1}}', 422, "known: double, echo"),
    "unknown member": (b'{"type":"double","payload":{"n":1},"fence":7}', 422, "fence"),
    "payload is a list": (b'{"type":"double","payload":[]}', 422, "payload"),
    "payload is null": (b'{"type":"double","payload":null}', 422, "payload"),
    "field is missing": (b'{"type":"double","payload":{}}', 422, "payload.n"),
    "field is wrong": (b'{"type":"double","payload":{"n":"one"}}', 422, "payload.n"),
    "payload over limit": (
        json.dumps({"type": "double", "payload": {"n": 1, "note": "x" * 2048}}).encode(),
        413,
        "queue 'work' takes 2048",
    ),
    "jobs is no list": (b'{"jobs":{}}', 422, "jobs"),
    "jobs and more": (b'{"jobs":[],"type":"double"}', 422, "nothing else"),
    "options is a list": (b'{"type":"double","payload":{"n":1},"options":[]}', 422, "options"),
    "option beside payload": (
        b'{"type":"double","payload":{"n":1},"delay":3}', 422, "delay: put it into `options`"
    ),
    "unknown field": (
        b'{"type":"double","payload":{"n":1},"colour":3}', 422, "colour: unknown; choose from type"
    ),
    "unknown option": (job(colour="red"), 422, "colour: unknown; choose from delay"),
    "delay is a text": (job(delay="5"), 422, "options.delay"),
    "delay is true": (job(delay=True), 422, "options.delay"),
    "delay is negative": (job(delay=-1), 422, "delay"),
    "delay is endless": (job(delay=1e300), 422, "delay"),
    "delay overflows": (
        b'{"type":"double","payload":{"n":1},"options":{"delay":1e400}}', 422, "delay"
    ),
    "run_at is naive": (job(run_at="2030-01-01T00:00:00"), 422, "offset"),
    "run_at is a number": (job(run_at=1_900_000_000), 422, "options.run_at"),
    "run_at is no instant": (job(run_at="tomorrow"), 422, "ISO 8601"),
    "run_at is before 1970": (job(run_at="1969-12-31T00:00:00Z"), 422, "run_at"),
    "run_at and delay": (job(run_at="2030-01-01T00:00:00Z", delay=1), 422, "give it or delay"),
    "priority": (job(priority="urgent"), 422, "options.priority"),
    "attempts is 0": (job(attempts=0), 422, "may have 1 to 4"),
    "attempts is 101": (job(attempts=101), 422, "may have 1 to 4"),
    "attempts is a fraction": (job(attempts=1.5), 422, "options.attempts"),
    "timeout is 0": (job(timeout=0), 422, "options.timeout"),
    "timeout fits no host": (job(timeout=100_000), 422, "at most 60 s"),
    "backoff is a text": (job(backoff="fast"), 422, "options.backoff"),
    "backoff is empty": (job(backoff=[]), 422, "options.backoff"),
    "backoff is negative": (job(backoff=[1, -1]), 422, "options.backoff"),
    "backoff with a wait too many": (job(attempts=3, backoff=[1, 5, 25]), 422, "backoff"),
    "backoff of no kind": (job(backoff={"type": "jazz", "delay": 1}), 422, "options.backoff.type"),
    "backoff without delay": (job(backoff={"type": "fixed"}), 422, "options.backoff.delay"),
    "backoff that shrinks": (
        job(backoff={"type": "exponential", "delay": 1, "factor": 0.5}), 422, "backoff.factor"
    ),
    "backoff fixed with factor": (
        job(backoff={"type": "fixed", "delay": 1, "factor": 2}), 422, "backoff"
    ),
    "dedup is a number": (job(dedup=7), 422, "options.dedup"),
    "dedup_ttl is 0": (job(dedup_ttl=0), 422, "options.dedup_ttl"),
    "dedup_ttl and a ttl": (job(dedup={"ttl": 5}, dedup_ttl=5), 422, "has a ttl already"),
    "dedup_ttl until_done": (
        job(dedup={"mode": "until_done"}, dedup_ttl=5), 422, "belongs to mode window"
    ),
    "key of idempotency is empty": (job(idempotency_key=""), 422, "options.idempotency_key"),
    "key of idempotency is long": (job(idempotency_key="k" * 256), 422, "1 to 255 visible ASCII"),
    "attempts above the queue's": (job(attempts=5), 422, "may have 1 to 4"),
    "waits above the queue's": (job(backoff=[1, 2, 3, 4]), 422, "4 waits make 5 attempts"),
    "timeout above the queue's": (job(timeout=61), 422, "may have more than 0 and at most 60 s"),
    "backoff below the floor": (job(backoff=0), 422, "may have 1 to 31622400 s"),
    "backoff below the floor by cap": (
        job(backoff={"type": "exponential", "delay": 60, "cap": 0}), 422, "options.backoff"
    ),
    "backoff below the floor by jitter": (
        job(backoff={"type": "fixed", "delay": 60, "jitter": 1}), 422, "options.backoff"
    ),
    "dedup of no mode": (job(dedup={"mode": "throttle"}), 422, "until_done or window"),
    "dedup window without ttl": (job(dedup={"mode": "window"}), 422, "needs a ttl"),
    "dedup until_done with ttl": (job(dedup={"mode": "until_done", "ttl": 5}), 422, "ttl"),
    "dedup ttl 0": (job(dedup={"ttl": 0}), 422, "options.dedup.ttl"),
    "dedup id with a space": (job(dedup={"id": "a b"}), 422, "dedup"),
    "dedup id is empty": (job(dedup={"id": ""}), 422, "dedup"),
    "key with a newline": (job(key="a\nb"), 422, "key"),
    "key is long": (job(key="k" * 129), 422, "key"),
    "job_id with a dot": (job(job_id="a.b"), 422, "job_id"),
    "job_id of the store": (job(job_id="~1"), 422, "job_id"),
}  # fmt: skip


SINGLE = [n for n, (_b, status, _t) in BODIES.items() if status == 422 and n[:4] != "jobs"]


@pytest.fixture
async def unchanged(api: Client, probe: Probe) -> AsyncIterator[None]:
    """A store with a job in it stays exactly as it is."""
    await api.enqueue()
    before = await everything(probe)
    yield
    assert await everything(probe) == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", BODIES)
async def test_the_answer_to_a_bad_body_says_what_is_wrong(api: Client, name: str) -> None:
    body, status, text = BODIES[name]

    response = await api.post(JOBS, content=body, headers=JSON)

    assert response.status_code == status, response.text
    assert text in response.text
    assert len(response.content) < 4000


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", SINGLE)
async def test_in_bulk_the_problem_is_that_jobs_alone(api: Client, name: str) -> None:
    body, _status, text = BODIES[name]

    response = await api.post(JOBS, content=b'{"jobs":[' + body + b"]}", headers=JSON)

    assert response.status_code == 202, response.text
    (answer,) = response.json()["jobs"]
    assert answer["error"]["status"] == 422
    assert text in response.text


@pytest.mark.usefixtures("unchanged")
async def test_a_huge_body_is_refused_by_its_announced_length(api: Client) -> None:
    response = await api.post(JOBS, content=b"{}", headers={"Content-Length": str(9 * 2**20)})

    assert response.status_code == 413


@pytest.mark.usefixtures("unchanged")
async def test_a_huge_body_without_a_length_is_read_no_further_than_the_cap(api: Client) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 2**20
            yield b" " * 2**20

    response = await api.post(JOBS, content=endless(), headers=JSON)

    assert response.status_code == 413
    assert sent <= 10 * 2**20


@pytest.mark.usefixtures("unchanged")
async def test_a_huge_wrong_value_is_not_echoed(api: Client) -> None:
    body = {
        "type": "double",
        "payload": {"n": "x" * 1500},
        "y" * 100_000: 1,
        "options": {"z" * 9999: 2},
    }

    response = await api.post(JOBS, json=body)

    assert response.status_code == 422
    assert len(response.content) < 1500


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json", "Idempotency-Key": ""}, 422),
        ({"Content-Type": "application/json", "Idempotency-Key": "k" * 256}, 422),
        ({"Content-Type": "application/json", "Idempotency-Key": "a\tb"}, 422),
    ],
)
async def test_a_bad_header_is_refused(api: Client, headers: dict[str, str], status: int) -> None:
    response = await api.post(JOBS, content=json.dumps(ENQUEUE), headers=headers)

    assert response.status_code == status


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("second", ["a", "b", ""])
async def test_an_idempotency_key_that_comes_twice_is_refused(api: Client, second: str) -> None:
    headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "a"),
        ("idempotency-key", second),
    ]
    response = await api.post(JOBS, content=json.dumps(ENQUEUE), headers=headers)

    assert response.status_code == 422
    assert "more than once" in response.text


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json", None]
)
async def test_json_by_any_of_its_names_is_taken(api: Client, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}

    response = await api.post(JOBS, content=json.dumps(ENQUEUE).encode(), headers=headers)

    assert response.status_code == 202


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "name",
    ["nowhere", "{work}", "work%00", "wo%0Ark", "WORK", "%7Bwork", "x" * 5000, "%F0%9F%92%A5"],
)
async def test_an_undeclared_queue_is_not_found(api: Client, name: str) -> None:
    responses = [
        await api.post(f"/api/v1/queues/{name}/jobs", json=ENQUEUE),
        await api.get(f"/api/v1/queues/{name}"),
        await api.post(f"/api/v1/queues/{name}/pause"),
        await api.post(f"/api/v1/queues/{name}/purge"),
        await api.get("/api/v1/dead-letters", params={"queue": name}),
        await api.post("/api/cron/drain", params={"queue": name}),
    ]

    assert [response.status_code for response in responses] == [404] * 6
    assert all(len(response.content) < 1000 for response in responses)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "job_id",
    ["x", "x.nowhere", "x.work", "a b.work", "%00.work", ":clock.work", "x" * 5000, "x.{work}"],
)
async def test_an_id_that_names_no_job_is_not_found(api: Client, job_id: str) -> None:
    responses = [
        await api.get(f"/api/v1/jobs/{job_id}"),
        await api.delete(f"/api/v1/jobs/{job_id}"),
        await api.get(f"/api/v1/dead-letters/{job_id}"),
        await api.delete(f"/api/v1/dead-letters/{job_id}"),
        await api.post(f"/api/v1/dead-letters/{job_id}/redrive"),
    ]

    assert [response.status_code for response in responses] == [404] * 5


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1/queues/", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/metrics/../../etc/passwd", 404),
        ("PUT", JOBS, 405),
        ("GET", "/api/v1/queues/work/purge", 405),
        ("POST", "/healthz", 405),
        ("GET", "/api/v1/dead-letters?colour=red", 422),
        ("GET", "/api/v1/dead-letters?limit=0", 422),
        ("GET", "/api/v1/dead-letters?limit=201", 422),
        ("GET", "/api/v1/dead-letters?limit=" + "9" * 5000, 422),
        ("GET", "/api/v1/dead-letters?limit=%D9%A1", 422),
        ("GET", "/api/v1/dead-letters?limit=000000001" + "0" * 4292, 422),
        ("GET", "/api/v1/dead-letters?limit=0000002000", 422),
        ("GET", "/api/v1/dead-letters?limit=010", 422),
        ("GET", "/api/v1/dead-letters?limit=1.0", 422),
        ("GET", "/api/v1/dead-letters?limit=1e2", 422),
        ("GET", "/api/v1/dead-letters?limit=%2B1", 422),
        ("GET", "/api/v1/dead-letters?limit=1%0A", 422),
        ("GET", "/api/v1/dead-letters?limit=", 422),
        ("GET", "/api/v1/dead-letters?limit=1&limit=2", 422),
        ("GET", "/api/v1/dead-letters?type=a&type=b", 422),
        ("GET", "/api/v1/dead-letters?cursor=!!!", 422),
        ("GET", "/api/v1/dead-letters?cursor=WzFd", 422),
        ("GET", "/api/v1/dead-letters?cursor=WzFlOTksMSwyXQ", 422),
        ("POST", "/api/cron/drain?queues=work", 422),
        ("POST", "/api/cron/drain?queue=", 422),
        ("POST", "/api/cron/drain?queue=work,,slow", 422),
    ],
)
async def test_a_bad_address_is_a_problem(api: Client, method: str, path: str, status: int) -> None:
    response = await api.request(method, path)

    assert response.status_code == status, response.text
    if status == 405:
        assert response.headers["allow"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"ids": [], "filter": {"queue": "work"}},
        {"ids": "x.work"},
        {"ids": [1]},
        {"ids": ["x.work"] * 1001},
        {"filter": {"queue": "work"}, "most": 0},
        {"filter": {"colour": "red"}},
        {"filter": {"queue": "work"}, "cursor": "?"},
    ],
)
async def test_redriving_needs_ids_or_a_filter(api: Client, body: dict[str, Any]) -> None:
    response = await api.post("/api/v1/dead-letters/redrive", json=body)

    assert response.status_code == 422, response.text


async def test_a_bug_in_a_payload_model_is_an_internal_error_without_details(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    response = await api.post(
        "/api/v1/queues/odd/jobs", json={"type": "broken-model", "payload": {"n": 1}}
    )

    assert response.status_code == 500
    assert "secret-of-the-traceback" not in response.text
    assert "secret-of-the-traceback" in caplog.text


async def test_the_description_is_made_once(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await api.get("/openapi.json")
    monkeypatch.setattr(openapi, "document", None)

    assert (await api.get("/openapi.json")).content == first.content


async def test_a_payload_model_that_exits_ends_no_server(api: Client) -> None:
    response = await api.post(
        "/api/v1/queues/odd/jobs", json={"type": "broken-model", "payload": {"n": -1}}
    )

    assert response.status_code == 500
