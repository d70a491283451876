"""/metrics: read by the official parser, true, bounded, and one request to the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.world import Client, Numbers, World

Labels = dict[str, str]


async def scrape(api: Client) -> dict[str, list[Sample]]:
    """Name of the sample -> its samples, as the official parser reads them."""
    response = await api.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    by_name: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            by_name.setdefault(sample.name, []).append(sample)
    return by_name


def value(samples: dict[str, list[Sample]], name: str, **labels: str) -> float:
    (found,) = [one for one in samples[name] if one.labels == labels]
    return float(found.value)


async def test_depth_outcomes_durations_and_waits_are_told(
    api: Client, world: World, clock: FakeClock
) -> None:
    for n in range(3):
        await api.enqueue("double", n=n)
    await api.enqueue("fail", attempts=1)
    await api.enqueue("double", queue="slow")
    await api.enqueue("double", queue="slow")
    clock.advance(30)
    await api.tick()
    await api.tick()
    clock.advance(10)

    samples = await scrape(api)

    assert value(samples, "tidegate_jobs", queue="work", state="completed") == 3
    assert value(samples, "tidegate_jobs", queue="work", state="dead") == 1
    assert value(samples, "tidegate_outcomes_total", queue="work", outcome="done") == 3
    assert value(samples, "tidegate_outcomes_total", queue="work", outcome="dead") == 1
    assert value(samples, "tidegate_job_duration_seconds_count", queue="work") == 4
    assert value(samples, "tidegate_job_wait_seconds_count", queue="work") == 4
    waited = value(samples, "tidegate_job_wait_seconds_sum", queue="work") / 4
    assert 20 < waited < 45
    assert value(samples, "tidegate_queue_oldest_wait_seconds", queue="slow") == pytest.approx(
        40, 0.1
    )
    assert value(samples, "tidegate_queue_oldest_wait_seconds", queue="work") == 0
    assert value(samples, "tidegate_queue_stored_jobs", queue="work") == 4
    limit = world.work.max_bytes
    assert value(samples, "tidegate_queue_stored_bytes_limit", queue="work") == limit
    assert 0 < value(samples, "tidegate_queue_stored_bytes", queue="work") < limit


async def test_drains_tell_why_they_stopped_what_held_them_and_what_they_cost(
    api: Client, store: Store
) -> None:
    await api.enqueue("double", queue="slow")
    await api.enqueue("double", queue="slow")
    first = await api.tick()
    second = await api.tick("?queue=slow")  # its turn carries what the first drain counted
    third = await api.tick("?queue=slow")

    samples = await scrape(api)

    assert (first["stop"], second["stop"]) == ("limited", "limited")
    assert value(samples, "tidegate_drains_total", queue="slow", stop="limited") == 2
    assert value(samples, "tidegate_held_turns_total", queue="slow", reason="limited") >= 2
    spent = sum(one["store"]["billed_commands"] for one in (first, second))
    assert value(samples, "tidegate_drain_commands_total") == spent
    assert third["stop"] == "limited"


async def test_a_pause_is_a_gauge(api: Client) -> None:
    await api.post("/api/v1/queues/work/pause")

    samples = await scrape(api)

    assert value(samples, "tidegate_queue_paused", queue="work") == 1
    assert value(samples, "tidegate_queue_paused", queue="odd") == 0


async def test_ten_thousand_keys_and_names_add_no_series_and_stand_nowhere(
    api: Client, world: World, store: Store
) -> None:
    double = world.work.types["double"]
    await api.enqueue("double")
    await api.tick()
    await api.tick("?queue=work")
    before = {name: len(samples) for name, samples in (await scrape(api)).items()}

    for start in range(0, 10_000, 1000):
        jobs = [
            double.job(Numbers(n=n), key=f"user-{n}", job_id=f"secret-{n}")
            for n in range(start, start + 1000)
        ]
        await store.enqueue(world.work, jobs)
    text = (await api.get("/metrics")).text

    after = {name: len(samples) for name, samples in (await scrape(api)).items()}
    assert after == before
    assert "user-" not in text
    assert "secret-" not in text
    assert len(text) < 40_000


async def test_a_scrape_is_one_request_and_three_commands_beside_one_a_queue(
    api: Client, store: Store
) -> None:
    await scrape(api)
    before = store.meter.snapshot()

    await scrape(api)

    used = store.meter.since(before)
    assert (used.requests, used.commands) == (1, 3 + 3)


async def test_the_counters_never_fall_and_the_histograms_hold_together(api: Client) -> None:
    seen: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for round_ in range(4):
        await api.enqueue("double" if round_ % 2 else "fail")
        await api.tick()
        samples = await scrape(api)
        for name, key, number in _counters(samples):
            assert number >= seen.get((name, key), 0), name
            seen[name, key] = number
        for kind in ("duration", "wait"):
            _check_histogram(samples, f"tidegate_job_{kind}_seconds")


def _counters(
    samples: dict[str, list[Sample]],
) -> Iterator[tuple[str, frozenset[tuple[str, str]], float]]:
    for name, found in samples.items():
        if name.endswith(("_total", "_bucket", "_count")):
            for one in found:
                yield name, frozenset(one.labels.items()), one.value


def _check_histogram(samples: dict[str, list[Sample]], name: str) -> None:
    queues = {one.labels["queue"] for one in samples[f"{name}_bucket"]}
    for queue in queues:
        buckets = [one for one in samples[f"{name}_bucket"] if one.labels["queue"] == queue]
        edges = [float(one.labels["le"]) for one in buckets]
        counts = [one.value for one in buckets]
        assert edges == sorted(edges)
        assert edges[-1] == math.inf
        assert counts == sorted(counts)
        assert counts[-1] == value(samples, f"{name}_count", queue=queue)


async def test_secrets_of_jobs_and_of_the_process_are_in_no_metric(
    api: Client, as_role: Callable[[str | None], Client], world: World
) -> None:
    body: dict[str, Any] = {"type": "fail", "payload": {"n": 41, "note": "hunter2"}}
    await api.post("/api/v1/queues/work/jobs", json=body)
    await api.tick()

    text = (await as_role("viewer").get("/metrics")).text

    assert "hunter2" not in text
    assert "token-of-these-tests" not in text
