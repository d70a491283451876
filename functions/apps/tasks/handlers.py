"""The work of tasks, reminders and chat. It imports its tools when a job first runs."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from shared import Discard, JobContext, JobHandle

from .payloads import (
    Message,
    NewTask,
    ProjectEvent,
    ProjectSync,
    Reminder,
    Request,
    TaskChange,
    TaskSync,
    Update,
)
from .queues import (
    HOUR,
    app,
    openproject_sync,
    openproject_webhook,
    reminder_schedule,
    reminder_send,
    task_create,
    task_sync,
    task_update,
    telegram_command,
    telegram_outbound,
)
from .settings import data_folder

if TYPE_CHECKING:
    from functions.providers.openproject import OpenProject

    from .tables import Tables

FARTHEST = dt.timedelta(days=365)
"""Of a reminder."""
MOST_LISTED = 50


def user_of(request: Request) -> int:
    """The key of what a user asks for."""
    return request.user_id


@task_create.job("task.create", key=user_of)
async def create_task(payload: NewTask, job: JobContext) -> dict[str, object]:
    """Create a task in OpenProject. Any number of runs create one."""
    from .work import create  # noqa: PLC0415 - cold start

    return await create(payload, job, await _tables(), _projects())


@task_update.job("task.update", key=user_of)
async def update_task(payload: TaskChange) -> dict[str, object]:
    """Change one of the user's tasks in OpenProject."""
    from .work import change  # noqa: PLC0415 - cold start

    return await change(payload, await _tables(), _projects())


@task_sync.job("task.sync")
async def sync_task(payload: TaskSync) -> dict[str, object]:
    """Keep the state that a task has in OpenProject."""
    from .work import sync  # noqa: PLC0415 - cold start

    return await sync(payload.task, await _tables(), _projects())


@openproject_webhook.job("openproject.event")
async def receive_event(payload: ProjectEvent, job: JobContext) -> dict[str, object]:
    """Enqueue a read of a task that changed in OpenProject. Anyone can send an event, and it may
    come late, so its state is read, and a version that is kept is not read again."""
    changed = payload.work_package
    if changed is None or not payload.action.startswith("work_package:"):
        return {"ignored": True}
    known = await asyncio.to_thread((await _tables()).task, changed.id)
    if known is None or changed.version <= known.version:
        return {"ignored": True}
    # Each event has its own read: one that failed, or did not see the task, hides no later one.
    handle = await _enqueue(sync_task, TaskSync(task=changed.id), job.child_id("sync"))
    return {"job": handle.id}


@openproject_sync.job("openproject.sync")
async def sync_project(payload: ProjectSync, job: JobContext) -> dict[str, object]:
    """Enqueue a read of each open task that differs from OpenProject's: of those, too, whose event
    never came."""
    from .syncing import compare  # noqa: PLC0415 - cold start

    comparison = await compare(payload.after, job, await _tables(), _projects)
    reads = [TaskSync(task=task) for task in comparison.different]
    jobs = [sync_task.job(read, job_id=job.child_id(f"task {read.task}")) for read in reads]
    handles = await sync_task.enqueue_many(jobs)
    again = [read for read, handle in zip(reads, handles, strict=True) if _is_spent(handle)]
    if again:
        await sync_task.enqueue_many([sync_task.job(read) for read in again])
    if comparison.more:
        rest = ProjectSync(after=comparison.last)
        await _enqueue(sync_project, rest, job.child_id(f"after {comparison.last}"))
    return {"different": len(jobs), "more": comparison.more}


app.schedule("openproject-sync", sync_project, ProjectSync(), every=HOUR, overlap="skip")


@reminder_schedule.job("reminder.schedule", key=user_of)
async def schedule_reminder(payload: Reminder, job: JobContext) -> dict[str, object]:
    """Enqueue a reminder for its instant."""
    if payload.at - dt.datetime.now(dt.UTC) > FARTHEST:
        raise Discard(f"a reminder is at most {FARTHEST.days} days ahead")
    await _enqueue(send_reminder, payload, job.child_id("send"), run_at=payload.at)
    return {"at": payload.at.isoformat()}


@reminder_send.job("reminder.send", key=user_of)
async def send_reminder(payload: Reminder, job: JobContext) -> dict[str, object]:
    """Send a reminder, unless it is about a task that is closed."""
    from .texts import reminder  # noqa: PLC0415 - cold start

    task = None
    if payload.task is not None:
        task = await asyncio.to_thread((await _tables()).task, payload.task)
        if task is not None and task.user_id != payload.user_id:
            task = None  # the number was given to another task since, or never was the user's
        if task is not None and task.closed:
            return {"sent": False}
    text = reminder(payload, task)
    message = Message(chat_id=payload.chat, topic_id=payload.topic_id, text=text)
    await _enqueue(send_message, message, job.child_id("message"))
    return {"sent": True}


@telegram_outbound.job("telegram.send", key=lambda message: message.chat_id)
async def send_message(payload: Message, job: JobContext) -> dict[str, object]:
    """Send a message of the bot."""
    from .sending import send  # noqa: PLC0415 - cold start

    return await send(payload, job, await _tables())


@telegram_command.job("telegram.command", key=lambda update: update.user)
async def run_command(payload: Update, job: JobContext) -> dict[str, object]:
    """Run the command that a member of the team wrote to the bot. Other people's are ignored."""
    from .commands import TaskList, read_command  # noqa: PLC0415 - cold start
    from .settings import bot_name, members, timezone  # noqa: PLC0415

    request = read_command(payload, members(), timezone(), bot_name())
    if request is None:
        return {"ignored": True}
    if isinstance(request, TaskList):
        request = await _list_of(request)
    job_type: Any = _JOBS[type(request)]
    return {"job": (await job_type.enqueue(request, job_id=job.child_id("asked"))).id}


async def _list_of(request: Request) -> Message:
    """The message with the user's open tasks."""
    from .listing import task_list  # noqa: PLC0415 - cold start

    tables = await _tables()
    tasks = await asyncio.to_thread(tables.open_tasks_of, request.user_id, MOST_LISTED)
    total = await asyncio.to_thread(tables.open_count_of, request.user_id)
    text = task_list(tasks, total)
    return Message(chat_id=request.chat, topic_id=request.topic_id, text=text)


_JOBS: dict[type, Any] = {
    NewTask: create_task,
    TaskChange: update_task,
    Reminder: schedule_reminder,
    Message: send_message,
}


async def _enqueue(job_type: Any, payload: BaseModel, job_id: str, **options: Any) -> JobHandle:
    """Enqueue a job under an id, or without one where a job that died or was cancelled holds it:
    a redrive of this job asks for it anew."""
    handle: JobHandle = await job_type.enqueue(payload, job_id=job_id, **options)
    if _is_spent(handle):
        handle = await job_type.enqueue(payload, **options)
    return handle


def _is_spent(handle: JobHandle) -> bool:
    return handle.duplicate and handle.state in {"dead", "cancelled"}


async def _tables() -> Tables:
    from .tables import tables_in  # noqa: PLC0415 - cold start

    return await asyncio.to_thread(tables_in, data_folder())


def _projects() -> OpenProject:
    from functions.providers.openproject import openproject  # noqa: PLC0415 - cold start

    return openproject()
