"""The log of a process: on function hosts one JSON line an event, and on Lambda its metrics in the
same stream; elsewhere one line of text an event, on stderr.

The engine logs through `logging` without a format; every door configures one here.
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


def configure(settings: Settings, *, prints_reports: bool = False) -> Logger | None:
    """Have the "tidegate" loggers write at `settings.log_level`. Idempotent.

    On a function host they write JSON to stdout, through the logger that this answers. Elsewhere
    they write text to stderr, unless the process has configured its own logging; without the
    reports of drains where a command prints those (`prints_reports`).
    """
    if settings.platform == "local":
        from .text_log import write_text  # noqa: PLC0415 - a function host needs none

        write_text(settings.log_level, prints_reports=prints_reports)
        return None
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - 70 ms that only a function host needs

    from .json_log import JsonFormatter  # noqa: PLC0415 - as above

    formatter = JsonFormatter(utc=True, use_rfc3339=True, serialize_stacktrace=False)
    return Logger(service=SERVICE, level=settings.log_level, logger_formatter=formatter)


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
    for queue, entry in report.by_queue.items():
        counts = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
        counts.add_dimension("queue", queue)
        for name, field in COUNTS.items():
            counts.add_metric(name, MetricUnit.Count, entry.get(field, 0))
        counts.flush_metrics()
