"""Schedules over HTTP: their occurrences, pause, resume, run now."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from ..declare.schedule import Schedule
from ..observe.describe_schedule import describe_last_runs, describe_schedule
from ..schedules import control
from .body import json_response
from .call import Call
from .responses import ResponseModel


class ScheduleResponse(ResponseModel):
    """One schedule. Times are seconds unless a name says otherwise."""

    app: str
    name: str
    queue: str
    type: str
    cron: str | None
    every: float | None
    timezone: str
    missed: str
    within: float | None
    overlap: str
    jitter: float
    paused: bool
    known: bool = Field(description="False until a sweep has entered it in the agenda.")
    next: list[datetime] = Field(description="The next five planned instants.")


class SchedulesResponse(ResponseModel):
    """Every schedule that the code declares."""

    schedules: list[ScheduleResponse]


class LastRunResponse(ResponseModel):
    """A run in the past. `state` is null if the occurrence did not run."""

    planned: datetime = Field(description="Of a manual run: when it was started.")
    manual: bool = Field(description="True if an operator started it beside the occurrences.")
    id: str
    state: str | None


class ScheduleDetailResponse(ScheduleResponse):
    """One schedule and its last five runs, newest first."""

    last: list[LastRunResponse]


class SchedulePauseResponse(ResponseModel):
    """The switch as it stands now, and as it was."""

    app: str
    name: str
    paused: bool
    was_paused: bool


class ScheduleRunResponse(ResponseModel):
    """The job, or the one that stands for it because it has not ended."""

    id: str
    state: str
    duplicate: bool


async def index(call: Call) -> Response:
    """Every schedule with its next occurrences."""
    agenda, now = await call.deployment.store.agenda(), call.deployment.clock.epoch_ms()
    views = [control.view(one, agenda, now) for one in call.schedules()]
    return json_response(
        SchedulesResponse(schedules=[ScheduleResponse(**describe_schedule(one)) for one in views])
    )


async def show(call: Call) -> Response:
    """One schedule with its next occurrences and its last runs."""
    schedule, store, now = call.schedule(), call.deployment.store, call.deployment.clock.epoch_ms()
    shown = control.view(schedule, await store.agenda(), now)
    last = describe_last_runs(await control.last_runs(store, shown, now))
    return json_response(ScheduleDetailResponse(**describe_schedule(shown), last=last))


async def pause(call: Call) -> Response:
    """No occurrence from now on."""
    schedule = call.schedule()
    return _pause_response(
        schedule, await control.pause(call.deployment.store, schedule), paused=True
    )


async def resume(call: Call) -> Response:
    """Go on with the next occurrence. What was due while it was paused does not run."""
    schedule, deployment = call.schedule(), call.deployment
    before = await control.resume(deployment.store, schedule, deployment.clock.epoch_ms())
    return _pause_response(schedule, before, paused=False)


async def run(call: Call) -> Response:
    """Enqueue a job of the schedule now, beside its occurrences."""
    schedule, deployment = call.schedule(), call.deployment
    stored = await control.run_now(deployment.store, schedule, deployment.clock.epoch_ms())
    response = ScheduleRunResponse(id=stored.id, state=stored.state, duplicate=stored.duplicate)
    return json_response(response, status=202)


def _pause_response(schedule: Schedule, before: bool, *, paused: bool) -> Response:  # noqa: FBT001
    return json_response(
        SchedulePauseResponse(
            app=schedule.app, name=schedule.name, paused=paused, was_paused=before
        )
    )
