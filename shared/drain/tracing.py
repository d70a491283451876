"""The span of one run of a handler, by the OpenTelemetry API. Loaded only where the application has
loaded that (jobs/trace.py); without a configured SDK its spans are empty.

A span tells ids, numbers, the outcome and the class of an error, and nothing that a job carries.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..jobs.outcome import PAST, Outcome
from .describe import type_name
from .run import Run

_PROPAGATOR = TraceContextTextMapPropagator()
_FAILED = frozenset({"retry", "dead"})


async def traced(run: Run, execution: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The outcome of an execution, with its span around it: a child of the span in which the job
    was enqueued, where there was one."""
    parent = _PROPAGATOR.extract({"traceparent": run.body.trace}) if run.body.trace else None
    tracer, claim = trace.get_tracer("tidegate"), run.claim
    with tracer.start_as_current_span(
        f"process {claim.queue}",
        context=parent,
        kind=trace.SpanKind.CONSUMER,
        attributes={
            "messaging.system": "tidegate",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": claim.queue,
            "messaging.message.id": claim.public_id,
            "tidegate.job.type": run.body.type,
            "tidegate.job.attempt": claim.attempt,
        },
    ) as span:
        outcome = await execution
        span.set_attribute("tidegate.job.outcome", PAST.get(outcome.kind, outcome.kind))
        if outcome.kind in _FAILED:
            error = type_name(run.error) if run.error else "Unknown"
            span.set_attribute("error.type", error)
            span.set_status(trace.Status(trace.StatusCode.ERROR, error))
        return outcome
