"""A local cron: starts drains at an interval, as a platform's schedule does, and at once when the
API has put a first job in line; on the embedded store also when any other process has. Every five
minutes it starts a run of maintain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from ..deployment import Deployment
from ..drain.report import Report, StopReason
from ..drain.waiting import race
from ..errors import ConfigurationError
from ..isolate import idle
from ..nudge.in_process import InProcessNudge
from .output import note
from .reload import UserModules

MAINTAIN_EVERY = 300.0
"""Seconds between two runs of maintain, as serverless.yml has them."""
LOOK_EVERY = 0.25
"""Seconds between looks for due queues and changed files."""
Due = Callable[[], Awaitable[Sequence[str]]]
"""Answers the members of the agenda that are due now: queues and schedules."""


class LocalCron:
    """Ticks until stopped. When the user's files change, it drains with the new application.

    `due`: where to look for work between the ticks. `nudge`: the queues that the API calls drains
    of. `on_reload` is called after a change.
    """

    def __init__(
        self,
        *,
        every: float | None,
        due: Due | None,
        nudge: InProcessNudge,
        on_reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._every, self._due, self._nudge, self._on_reload = every, due, nudge, on_reload
        self._deployment = Deployment.from_env()
        self._modules = UserModules()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining: set[str] = set()
        self._fired: set[str] = set()  # entries of schedules for which a tick has been started

    async def run(self, stop: asyncio.Event) -> None:
        """Tick at once and every `every` seconds (None: never) until `stop` is set; then stop the
        drains in order. As with a real cron, a tick does not wait for the one before it."""
        next_tick = next_maintain = time.monotonic()
        while not stop.is_set():
            if await asyncio.to_thread(self._modules.changed):
                await self._reload()
            now = time.monotonic()
            if self._every is not None and now >= next_tick:
                self._start(())
                next_tick = now + self._every
            elif self._every is not None:
                await self._start_due()
            if self._every is not None and now >= next_maintain:
                self._start_maintain()
                next_maintain = now + MAINTAIN_EVERY
            await race(self._nudge.wait(), stop, min(LOOK_EVERY, self._every or LOOK_EVERY))
        await self._close()

    async def _start_due(self) -> None:
        """A queue that is being drained is skipped: the next look finds what is left of it. For a
        schedule that stays due, whatever the reason, only the regular ticks come."""
        known = {queue.name for queue in self._deployment.queues()}
        due = [*self._nudge.take(), *(await self._due() if self._due else [])]
        names = [name for name in dict.fromkeys(due) if name in known - self._draining]
        entries = {one.entry for one in self._deployment.registry.schedules}.intersection(due)
        if entries - self._fired:
            self._start(())
        elif names:
            self._start(names)
        self._fired = entries

    def _start(self, names: Sequence[str]) -> None:
        """Drain these queues or, without names, those that are due."""
        self._draining.update(names)
        task = asyncio.create_task(_drain(self._deployment, names))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _task: self._draining.difference_update(names))

    def _start_maintain(self) -> None:
        """Move dead letters into the archive, if there is one."""
        if self._deployment.settings.archive_url is not None:
            task = asyncio.create_task(_maintain(self._deployment))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        self._modules.forget()
        try:
            deployment = Deployment.from_env()
        except ConfigurationError as error:
            note(f"tidegate: {error}\nThe application is served as it was.")
            return
        await self._close()
        await idle.end_idle()  # they have imported the files as they were
        self._deployment = deployment
        await self._on_reload()
        note("reloaded: files have changed")

    async def _close(self) -> None:
        self._deployment.stop()
        await asyncio.gather(*self._tasks)
        await self._deployment.close()


async def _drain(deployment: Deployment, names: Sequence[str]) -> None:
    budget = deployment.budget(deployment.settings.max_duration)
    report = await deployment.drain(budget, deployment.queues(names) if names else ())
    if report.stop is not StopReason.IDLE:
        note(_line(report))


async def _maintain(deployment: Deployment) -> None:
    report = await deployment.maintain(deployment.budget(deployment.settings.max_duration))
    if report.error:
        note(f"the archive: {report.error}")
    elif report.tally.archived:
        note(f"{report.tally.archived:,} dead letters archived")


def _line(report: Report) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.outcomes.items()))
    return (
        f"{time.strftime('%H:%M:%S')} tick: {report.error or counts or 'nothing claimed'} "
        f"({report.stop}; {report.seconds_used:.2f} s, {report.commands:,} billed commands)"
    )
