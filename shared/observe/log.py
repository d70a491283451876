"""The log of a function: one JSON line an event, and on Lambda its metrics in the same stream.

The engine logs through `logging` and knows no format; the hosts configure one here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from ..drain.report import Report

SERVICE = "tidegate"
NAMESPACE = "Tidegate"
COUNTS = {"Claimed": "claimed", "Done": "done", "Retried": "retried", "Dead": "dead"}


def configure(settings: Settings) -> Logger | None:
    """On a function host, make the "tidegate" loggers write JSON to stdout. Idempotent.

    Answers None elsewhere: the process configures its own logging.
    """
    if settings.platform == "local":
        return None
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - 70 ms that only a function host needs

    return Logger(service=SERVICE, level=settings.log_level, utc=True, use_rfc3339=True)


def emit_report(report: Report, settings: Settings) -> None:
    """On Lambda, write a report as CloudWatch metrics: the drain's cost, and its counts by queue.

    Elsewhere the embedded metric format would be noise; the drain logs its report anyway.
    """
    if settings.platform != "lambda":
        return
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
