"""What the kit is given, checked before it does anything: a wrong clock would make it drain for
ever, and a wrong object would fail deep inside. Raises ConfigurationError."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from ..checks import check_type, require
from ..clock import Clock
from ..declare.app import App, Registry
from ..declare.options import JobOptions
from ..declare.queue import JobType
from ..errors import ConfigurationError, UnknownQueue
from ..jobs.job import Job
from ..store import Store
from .clock import FakeClock, VirtualLoop

_clocks = WeakKeyDictionary[Store, Clock]()
"""The clock of each store of the kit. The store's own client may have another one."""


def note_clock(store: Store, clock: Clock | None) -> None:
    """Remember the clock of a store."""
    if clock is not None:
        _clocks[store] = clock


def check_clock(name: str, clock: object, store: object) -> None:
    """`name`: the function that was called with them."""
    opened = "open it with `async with embedded_store(…) as store`"
    if not isinstance(store, Store):
        raise ConfigurationError(f"{name}: store is a Store, not {store!r:.80}; {opened}")
    check_type(clock, FakeClock, f"{name}: clock")
    require(
        clock is _clocks.get(store, store.clock),
        f"the clock of {name} is not the store's (pass the same to embedded_store)",
    )
    check_loop(name, clock)


def check_loop(name: str, clock: object) -> None:
    """In virtual time only the loop's own clock moves."""
    loop = asyncio.get_running_loop()
    require(
        clock is None or not isinstance(loop, VirtualLoop) or clock is loop.clock,
        f"the clock of {name} is not the loop's (pass the same to run_virtually)",
    )


def check_apps(name: str, apps: object) -> list[App]:
    """The applications, each an `App`."""
    if isinstance(apps, str) or not isinstance(apps, Iterable):
        raise ConfigurationError(f"{name}: apps is a list of Apps, not {apps!r:.80}")
    found = list(apps)
    for one in found:
        hint = "; write them one by one, without a list" if isinstance(one, list | tuple) else ""
        require(isinstance(one, App), f"{name}: an application is an App, not {one!r:.80}{hint}")
    return found


def check_job_type(name: str, job_type: object) -> None:
    """A handler that is declared, not its name."""
    require(
        isinstance(job_type, JobType),
        f"{name}: job_type is a handler with its decorator @queue.job(…), not {job_type!r:.80}",
    )


def check_queues(registry: Registry, job_type: JobType[Any], options: JobOptions) -> None:
    """The job's end would wait for ever where one of its follow-ups has no queue here."""
    ends = job_type.followers
    needed = [("job_type", job_type.queue.name)]
    needed += [("a handler of its end", one.queue.name) for one in (*ends.completed, *ends.dead)]
    for option, value in (("then", options.get("then")), ("on_dead", options.get("on_dead"))):
        jobs = value if isinstance(value, list | tuple) else ()  # the enqueue refuses what is none
        needed += [(option, job.queue) for job in jobs if isinstance(job, Job) and job.queue]
    for option, queue in needed:
        try:
            registry.queue(queue)
        except UnknownQueue:
            raise ConfigurationError(
                f"run_job: {option}: queue {queue!r} is in none of its applications; name the "
                "applications that have it: run_job(…, apps=[…])"
            ) from None
