"""A schedule as fields: HTTP and the command line show the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..schedules.control import LastRun, ScheduleView
from .describe import instant


def describe_schedule(view: ScheduleView) -> dict[str, Any]:
    """One schedule: its times, its rules, its next occurrences."""
    schedule = view.schedule
    return {
        "app": schedule.app,
        "name": schedule.name,
        "queue": schedule.job_type.queue.name,
        "type": schedule.job_type.name,
        "cron": schedule.cron,
        "every": schedule.every,
        "timezone": schedule.timezone,
        "missed": schedule.missed,
        "within": schedule.within,
        "overlap": schedule.overlap,
        "jitter": schedule.jitter,
        "paused": view.paused,
        "known": view.known,
        "next": [instant(planned) for planned in view.next],
    }


def describe_last_runs(runs: Sequence[LastRun]) -> list[dict[str, Any]]:
    """The last runs and their jobs. `planned`: the planned instant, or when an operator ran it."""
    return [
        {
            "planned": instant(run.planned),
            "manual": run.manual,
            "id": run.job_id,
            "state": run.state,
        }
        for run in runs
    ]
