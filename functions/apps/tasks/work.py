"""What the jobs do with tasks in OpenProject, once for any number of runs."""

from __future__ import annotations

import asyncio
import hashlib

from functions.providers.openproject import OpenProject
from shared import Discard, JobContext

from .payloads import NewTask, TaskChange
from .tables import Tables


async def create(
    new: NewTask, job: JobContext, tables: Tables, projects: OpenProject
) -> dict[str, object]:
    """Create the task, unless an earlier run of this job did.

    OpenProject has no idempotency keys. So a run that ended between the creation and its row here
    is known by the reference that it left in the work package.
    """
    made = await asyncio.to_thread(tables.created_by, job.unique_id)
    if made is not None:
        return {"task": made.task, "subject": made.subject}
    reference = hashlib.sha256(job.unique_id.encode()).hexdigest()[:32]
    package = None
    if job.attempt > 1 or job.redelivered:
        package = await projects.find(reference)
    if package is None:
        package = await projects.create(new.title, new.description, new.due_date, reference)
    made = await asyncio.to_thread(tables.add, job.unique_id, new.user_id, package)
    return {"task": made.task, "subject": made.subject}


async def change(wanted: TaskChange, tables: Tables, projects: OpenProject) -> dict[str, object]:
    """Change one of the user's own tasks. Raises Discard for one of others, and for one that
    OpenProject does not show; that is closed here if the user says that it is done."""
    known = await asyncio.to_thread(tables.task, wanted.task)
    if known is None or known.user_id != wanted.user_id:
        raise Discard(f"you have no task #{wanted.task}")
    package = await projects.get(wanted.task)
    if package is None:
        raise Discard(await _leave_unchanged(wanted, tables))
    changed = await projects.change(
        package,
        subject=wanted.title,
        description=wanted.description,
        due=wanted.due_date,
        closed=wanted.done,
    )
    await asyncio.to_thread(tables.update, changed)
    return {"task": changed.id, "subject": changed.subject, "closed": changed.is_closed}


async def _leave_unchanged(wanted: TaskChange, tables: Tables) -> str:
    """What the user is told about a change of a task that OpenProject does not show."""
    await asyncio.to_thread(tables.hide, wanted.task)
    hidden = f"OpenProject does not show task #{wanted.task}"
    if not wanted.done:
        return f"{hidden} now"
    # Else a task that was deleted there would stay on the list for ever.
    await asyncio.to_thread(tables.close, wanted.task)
    return f"{hidden}: it is off your list here, and not closed there"


async def sync(number: int, tables: Tables, projects: OpenProject) -> dict[str, object]:
    """Keep the state that a task has in OpenProject."""
    package = await projects.get(number)
    if package is None:
        await asyncio.to_thread(tables.hide, number)
        return {"visible": False}
    kept = await asyncio.to_thread(tables.update, package)
    return {"visible": True, "version": package.version, "kept": kept}
