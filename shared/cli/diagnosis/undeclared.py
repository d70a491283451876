"""The check for queues that hold jobs and that no application declares."""

from __future__ import annotations

from ...deployment import Deployment
from ...observe.undeclared import jobs_of, read_undeclared
from .finding import Finding

ADVICE = (
    "no drain comes to them: declare the queues under these names until they are empty, or give "
    "applications that are deployed apart a TIDEGATE_PREFIX each"
)


async def check_undeclared(deployment: Deployment) -> Finding:
    """Whether each queue with jobs is declared. Costs one billed command, and those of a status of
    the others where there are any. Raises StoreError."""
    others = await read_undeclared(deployment.store, deployment.registry)
    if not others:
        return Finding("undeclared", "OK", "every queue on the agenda is declared")
    named = ", ".join(f"{one.queue.name} ({jobs_of(one):,})" for one in others)
    detail = f"no application declares these queues, which hold jobs: {named}"
    return Finding("undeclared", "WARN", detail, ADVICE)
