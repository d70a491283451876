"""What a caller may not learn, spend or trip over: results, signed addresses, bytes, drains."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.test_dead_letters import kill
from tests.scenario.world import JOBS, TOKENS, Client, Numbers, World
from tests.support.probe import Probe

SIGNED = "https://ada:word@files.example.com/a.csv?X-Signature=secret-signature#part"
As = Callable[[str | None], Client]


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
@pytest.mark.parametrize("public", [False, True])
async def test_a_viewer_sees_a_result_only_where_its_type_declares_it_public(
    api: Client, as_role: As, world: World, role: str, *, public: bool
) -> None:
    @world.work.job("report", public_result=public)
    async def report(payload: Numbers) -> dict[str, int]:
        return {"n": payload.n}

    job_id = await api.enqueue("report", n=7)
    await api.tick()

    job = await as_role(role).job(job_id)

    assert job["state"] == "completed"
    assert job["result"] == ({"n": 7} if public or role != "viewer" else None)


async def test_errors_progress_and_logs_show_addresses_without_their_secrets(
    api: Client, as_role: As, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    @world.work.job("leak")
    async def leak(payload: Numbers, job: Any) -> None:
        job.progress(10, f"reading {SIGNED}")
        job.logger.warning("reading %s", SIGNED)
        try:
            raise ValueError(f"503 for url '{SIGNED}'")
        except ValueError as cause:
            raise RuntimeError(f"failed: <{SIGNED}>, {SIGNED}") from cause

    with caplog.at_level(logging.DEBUG):
        job_id = await api.enqueue("leak", attempts=1)
        await api.tick()

    viewer = as_role("viewer")
    answers = [
        await viewer.get(f"/api/v1/jobs/{job_id}"),
        await viewer.get(f"/api/v1/dead-letters/{job_id}"),
        await viewer.get("/api/v1/dead-letters"),
    ]
    assert "reading https://files.example.com/a.csv?…" in caplog.text
    assert "secret-signature" not in caplog.text
    for answer in answers:
        assert "https://files.example.com/a.csv?…" in answer.text
        assert "secret-signature" not in answer.text
        assert "word" not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/dead-letters?limit=1", "/api/v1/dead-letters"])
async def test_a_list_reads_no_payloads(
    api: Client, store: Store, clock: FakeClock, probe: Probe, path: str
) -> None:
    await kill(api, clock, 30)
    for job_id, record in dict((await probe.snapshot("work"))["records"]).items():
        await probe.run("HSET", probe.key("work", "records"), job_id, _widened(str(record)))
    before = store.meter.snapshot()

    page = (await api.get(path)).json()

    assert page["dead_letters"][0]["type"] == "fail"
    assert page["dead_letters"][0]["error"]["message"] == "no file number 29"
    assert store.meter.since(before).bytes_in < 1000 * len(page["dead_letters"]) + 1000


async def test_a_small_page_among_many_deaths_of_one_instant_costs_few_requests(
    api: Client, store: Store
) -> None:
    body = {"type": "fail", "payload": {"n": 0}, "options": {"attempts": 1}}
    await api.post(JOBS, json={"jobs": [body] * 300})
    await api.tick()
    page = (await api.get("/api/v1/dead-letters?limit=200&queue=work")).json()
    before = store.meter.requests

    params = {"limit": "1", "queue": "work", "cursor": page["next"]}
    following = (await api.get("/api/v1/dead-letters", params=params)).json()

    assert len(following["dead_letters"]) == 1
    assert following["dead_letters"][0]["id"] not in {row["id"] for row in page["dead_letters"]}
    assert store.meter.requests - before <= 8


def _widened(record: str, by: int = 250_000) -> str:
    """The record with a payload that is larger by so many bytes."""
    header, _, rest = record.partition("\n")
    fields = header.split(" ")
    body, fields[5] = rest[: int(fields[5])], str(int(fields[5]) + by)
    return "\n".join([" ".join(fields), body + " " * by + rest[len(body) :]])


async def test_head_on_the_cron_route_drains_nothing(api: Client, store: Store) -> None:
    job_id = await api.enqueue()
    before = store.meter.requests

    response = await api.head("/api/cron/drain")

    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert store.meter.requests == before
    assert (await api.job(job_id))["state"] == "waiting"


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/api/v1/stats"])
async def test_head_elsewhere_is_a_get_without_a_body(api: Client, path: str) -> None:
    assert (await api.head(path)).status_code == 200


async def test_a_client_that_hangs_up_is_no_error_of_ours(
    app: Starlette, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    messages = iter(
        [
            {"type": "http.request", "body": b'{"type": ', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": JOBS,
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {TOKENS['producer']}".encode())],
    }
    await app(scope, receive, send)

    assert caplog.records == []
    assert sent[0]["status"] == 499
    assert store.meter.requests == 0
