"""What a function writes: one JSON line an event, and on Lambda its metrics in the same stream.

Only the adapters in functions/ call this; the engine logs through `logging` and knows no format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from .report import Report

SERVICE = "tidegate"
NAMESPACE = "Tidegate"
COUNTS = {"Claimed": "claimed", "Done": "done", "Retried": "retry", "Dead": "dead"}


def configure(settings: Settings) -> Logger | None:
    """On a function host, have the "tidegate" loggers write JSON to stdout. Again is the same.

    Elsewhere whoever runs the process decides how its logs look: None.
    """
    if settings.platform == "local":
        return None
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - 70 ms that only a function host needs

    return Logger(service=SERVICE, level=settings.log_level, utc=True, use_rfc3339=True)


def report_sink(settings: Settings) -> Callable[[Report], None]:
    """Where a report's counts go, next to its log line: CloudWatch on Lambda, nowhere elsewhere
    (elsewhere its embedded metric format would be noise)."""
    return emit_metrics if settings.platform == "lambda" else _nowhere


def emit_metrics(report: Report) -> None:
    """A report as CloudWatch metrics: the drain's cost, and its counts by queue."""
    # Ephemeral: the usual class keeps its state per process, and drains of one process overlap.
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit  # noqa: PLC0415 - as above

    drain = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    drain.add_metric("BilledCommands", MetricUnit.Count, report.commands)
    drain.add_metric("DurationSeconds", MetricUnit.Seconds, report.seconds_used)
    drain.flush_metrics()
    for queue, entry in report.as_dict()["queues"].items():
        counts = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
        counts.add_dimension("queue", queue)
        for name, field in COUNTS.items():
            counts.add_metric(name, MetricUnit.Count, entry.get(field, 0))
        counts.flush_metrics()


def _nowhere(_report: Report) -> None:
    """The report was logged; that is all."""
