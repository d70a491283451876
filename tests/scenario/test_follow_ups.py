"""Follow-ups, runs and log lines over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from shared.web import bulk
from tests.scenario.world import JOBS, Client

GOOD: dict[str, Any] = {"type": "double", "payload": {"n": 1}}


async def test_the_follow_ups_of_a_request_run_when_its_job_has_ended(api: Client) -> None:
    then = [{"type": "double", "payload": {"n": 2}, "options": {"then": [GOOD]}}]
    response = await api.post(JOBS, json={**GOOD, "options": {"then": then, "on_dead": [GOOD]}})

    report = await api.tick()

    assert response.status_code == 202
    assert report["outcomes"] == {"done": 3}
    job = await api.job(response.json()["id"])
    assert [run["outcome"] for run in job["runs"]] == ["done"]
    assert job["runs"][0]["ended_at"] is not None
    assert job["log"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"then": [{**GOOD, "type": "nothing"}]}, "then.0: queue 'work' has no job type"),
        ({"then": [GOOD, {**GOOD, "queue": "none"}]}, "then.1: no queue 'none'"),
        ({"on_dead": [{**GOOD, "payload": {"n": "x"}}]}, "on_dead.0: the payload does not fit"),
        ({"then": [{**GOOD, "options": {"job_id": "x"}}]}, "then.0: leave out job_id"),
        ({"then": [{**GOOD, "options": {"dedup": "x"}}]}, "then.0: leave out dedup"),
        ({"then": [{**GOOD, "options": {"idempotency_key": "x"}}]}, "leave out idempotency_key"),
        ({"then": [{**GOOD, "options": {"attempts": 9}}]}, "then.0.options.attempts: an enqueue"),
        ({"then": [{**GOOD, "options": {"delay": "5"}}]}, "then.0.options.delay: a number of"),
        ({"then": GOOD}, "then: a list of at most 20 jobs"),
        ({"then": [GOOD] * 21}, "then: a list of at most 20 jobs"),
        ({"callback": "http://example.com"}, "callback: an https:// address"),
        ({"callback": 5}, "callback: an https:// address"),
    ],
)
async def test_a_wrong_follow_up_is_named_and_nothing_is_stored(
    api: Client, options: dict[str, Any], told: str
) -> None:
    response = await api.post(JOBS, json={**GOOD, "options": options})

    assert response.status_code in (400, 422)
    assert told in response.text.replace("\\", "")
    assert (await api.tick())["claimed"] == 0


async def test_a_job_and_its_follow_ups_are_no_larger_than_a_payload_may_be(api: Client) -> None:
    large = {**GOOD, "payload": {"n": 1, "note": "x" * 1500}}

    response = await api.post(JOBS, json={**large, "options": {"then": [large]}})

    assert response.status_code == 413
    assert "takes 2048" in response.text


def nested(levels: int) -> dict[str, Any]:
    """A job with follow-ups within follow-ups."""
    job = GOOD
    for _ in range(levels):
        job = {**GOOD, "options": {"then": [job]}}
    return job


@pytest.mark.parametrize("levels", [1, 5, 6, 13, 40])
async def test_follow_ups_are_nested_five_levels_deep_at_most(api: Client, levels: int) -> None:
    response = await api.post(JOBS, json=nested(levels))

    if levels > 5:
        assert response.status_code in (400, 422)
        assert "follow-ups are nested at most 5 levels deep" in response.text
    report = await api.tick()
    assert report.get("outcomes", {}) == ({"done": levels + 1} if levels <= 5 else {})


@pytest.mark.parametrize("option", ["then", "on_dead"])
@pytest.mark.parametrize("levels", [1, 3, 5])
async def test_the_follow_ups_of_a_request_are_bounded_as_they_are_stored(
    api: Client, monkeypatch: pytest.MonkeyPatch, option: str, levels: int
) -> None:
    """A few backslashes in the innermost one are many times as many outside."""
    job: dict[str, Any] = {**GOOD, "payload": {"n": 1, "note": "\\" * 8}}
    for _ in range(levels):
        job = {**GOOD, "options": {option: [job]}}
    monkeypatch.setattr(bulk, "MOST_FOLLOW_UP_BYTES", 20_000)

    answers = (await api.post(JOBS, json={"jobs": [job] * 500 + [GOOD]})).json()["jobs"]

    refused = [one["error"] for one in answers if "error" in one]
    assert 0 < len(refused) < 500
    assert {one["type"] for one in refused} == {"/problems/invalid-option"}
    assert {one["detail"].partition(":")[0] for one in refused} == {option}
    assert "id" in answers[-1], "a job without any is stored"
    text = await api.get("/api/v1/queues/work")
    assert text.json()["usage"]["bytes"] < 20_000 + 501 * 400
