"""Traces: from an enqueue to its handler and its follow-ups, with the real OpenTelemetry SDK."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.declare.default_store import set_default_store
from shared.jobs.body import decode_body, encode_body
from shared.jobs.job import Job
from shared.jobs.trace import read_traceparent
from shared.store import Store
from tests.scenario.world import JOBS, Client, Numbers, World

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
# What no random id has by chance.
SECRET = 918_273_645_546_372
ONE = {"type": "double", "payload": {"n": 1}}
EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def sdk() -> None:
    """A process has one provider for its whole life."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(provider)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    EXPORTER.clear()
    yield EXPORTER
    EXPORTER.clear()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_handler_continues_the_trace_of_its_producer(
    api: Client, spans: InMemorySpanExporter
) -> None:
    response = await api.post(JOBS, json=ONE, headers={"traceparent": PARENT})
    await api.tick()

    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (TRACE_ID, SPAN_ID)
    assert (span.name, span.kind) == ("process work", trace.SpanKind.CONSUMER)
    assert span.status.is_ok or span.status.status_code is trace.StatusCode.UNSET
    assert attributes(span) == {
        "messaging.system": "tidegate",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "work",
        "messaging.message.id": response.json()["id"],
        "tidegate.job.type": "double",
        "tidegate.job.attempt": 1,
        "tidegate.job.outcome": "done",
    }


async def test_each_job_of_a_bulk_and_each_follow_up_is_of_the_trace(
    api: Client, spans: InMemorySpanExporter
) -> None:
    follows = {**ONE, "options": {"then": [ONE]}}
    body = {"jobs": [ONE, follows]}
    await api.post(JOBS, json=body, headers={"traceparent": PARENT})
    await api.tick()
    await api.tick()

    found = spans.get_finished_spans()
    assert len(found) == 3
    assert {one.context and one.context.trace_id for one in found} == {TRACE_ID}


async def test_what_a_handler_enqueues_is_a_child_of_its_span(
    api: Client, world: World, store: Store, spans: InMemorySpanExporter
) -> None:
    set_default_store(lambda: store)

    @world.work.job("enqueues")
    async def enqueues(payload: Numbers) -> None:
        await world.work.types["double"].enqueue(Numbers(n=2))

    await api.post(JOBS, json={**ONE, "type": "enqueues"}, headers={"traceparent": PARENT})
    await api.tick()

    by_type = {attributes(one)["tidegate.job.type"]: one for one in spans.get_finished_spans()}
    parent, child = by_type["enqueues"], by_type["double"]
    assert parent.context is not None
    assert child.parent is not None
    assert child.parent.span_id == parent.context.span_id


async def test_a_failed_attempt_tells_the_class_of_its_error_and_no_text(
    api: Client, spans: InMemorySpanExporter
) -> None:
    await api.enqueue("fail", n=SECRET)
    await api.tick()

    (span,) = spans.get_finished_spans()
    assert span.parent is None, "a job without a trace begins one"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert attributes(span)["error.type"] == "ValueError"
    assert attributes(span)["tidegate.job.outcome"] == "retried"
    assert str(SECRET) not in span.to_json()
    assert not span.events


@pytest.mark.parametrize("header", [
    "", "x", PARENT[:-1], PARENT + "-", PARENT.upper(), "ff" + PARENT[2:], f"{PARENT}\n",
    PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
    PARENT.replace("b7ad6b7169203331", "0" * 16),
])  # fmt: skip
async def test_a_header_that_is_no_traceparent_is_as_good_as_none(
    api: Client, spans: InMemorySpanExporter, header: str
) -> None:
    assert read_traceparent(header) == ""
    response = await api.post(JOBS, json=ONE, headers={"traceparent": header.strip()})
    await api.tick()

    assert response.status_code == 202
    if header.strip() != PARENT:
        (span,) = spans.get_finished_spans()
        assert span.parent is None


def test_a_job_without_a_trace_is_stored_as_before_and_one_with_it_is_read_back() -> None:
    plain, traced = Job("t", "{}"), Job("t", "{}", trace=PARENT, by="ci", overrides={"attempts": 2})
    body = decode_body(traced.body())

    assert plain.body() == encode_body("t", {}, "{}")
    assert (body.trace, body.by, body.overrides) == (PARENT, "ci", {"attempts": 2})
    assert decode_body(plain.body()).trace == ""


def test_no_drain_and_no_api_loads_opentelemetry() -> None:
    code = """
import sys
import functions.drain, functions.api
print(sorted(name for name in sys.modules
             if name.startswith("opentelemetry") or name.endswith((".tracing", ".jobs.trace"))))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout == "[]\n"
