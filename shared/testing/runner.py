"""A runner of single jobs, from enqueue to end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, Unpack

from pydantic import BaseModel

from ..declare.app import App, Registry
from ..declare.options import JobOptions
from ..declare.queue import JobType
from ..drain.budget import Budget
from ..drain.drain import Drain
from ..jobs.ids import local_id
from ..store import Store
from ..store.views import JobView
from .arguments import check_apps, check_clock, check_job_type, check_queues
from .clock import FakeClock

P = TypeVar("P", bound=BaseModel)
MAX_DRAINS = 200
WINDOW = 900.0


async def run_job(
    store: Store,
    job_type: JobType[P],
    payload: P,
    *,
    clock: FakeClock,
    apps: Iterable[App] = (),
    **options: Unpack[JobOptions],
) -> JobView:
    """Enqueue one job and drain its queue, through retries and waits, until the job has ended or is
    parked, or its queue is paused. The answer has its `state`, `result`, `errors` and all else that
    `handle.status()` answers. `clock`: the store's. `options`: those of an enqueue. `apps`: the
    applications of this deployment, where its follow-ups go to them (`then=`, `on_dead=`); without
    any it has the queues of the job type and of the handlers of its ends. Raises ConfigurationError
    where these do not fit together, TimeoutError where the job has not ended after 200 drains, and
    what an enqueue raises."""
    check_job_type("run_job", job_type)
    check_clock("run_job", clock, store)
    queue = job_type.queue
    registry = Registry(check_apps("run_job", apps) or [_app_of(job_type)])
    check_queues(registry, job_type, options)
    answer = await store.enqueue_one(queue, job_type.job(payload, **options))
    job_id = local_id(answer.id)
    for _ in range(MAX_DRAINS):
        await Drain(store, registry, Budget.of(WINDOW, clock=clock)).run([queue])
        view = await store.inspect(queue, job_id, decrypt=True)
        if view.state not in ("waiting", "delayed") or view.paused:
            return view
        clock.advance(await _wait_ms(store, view) / 1000)
    raise TimeoutError(
        f"{answer.id} is still {view.state} after {MAX_DRAINS} drains over {_days(view):.1f} days: "
        "does its handler snooze for ever? Drain it with `Drain` and a clock of your own."
    )


async def _wait_ms(store: Store, view: JobView) -> float:
    """Until the instant at which the job is due, or at which a turn may find work in its queue."""
    if view.at_ms > view.now_ms:
        return view.at_ms - view.now_ms
    agenda = await store.agenda()
    return max(1.0, agenda.get(view.queue.name, 0) - view.now_ms)


def _days(view: JobView) -> float:
    return (view.now_ms - (view.created_ms or view.now_ms)) / 86_400_000


def _app_of(job_type: JobType[Any]) -> App:
    """The queues of the job type, of the handlers of its ends, and of those of theirs."""
    app, found = App(job_type.queue.app), [job_type]
    for known in found:
        app.queues[known.queue.name] = known.queue
        found += [*known.followers.completed, *known.followers.dead]
    return app
