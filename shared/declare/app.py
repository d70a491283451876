"""Applications, and the registry of all queues that a process serves."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..checks import check_type, checked, require
from ..errors import ConfigurationError, UnknownQueue, UnknownSchedule
from ..jobs.failure import FailureHook
from ..jobs.ids import NAME_GRAMMAR, is_name
from ..jobs.job import PRIORITIES, Priority
from .handler import takes_two
from .policy import Encrypt, IfLimited, KeyLimit, Overrides, RateLimit, Retention, Retry
from .queue import DEFAULT_MAX_BYTES, DEFAULT_MAX_JOBS, DEFAULT_PAYLOAD_LIMIT, JobType, P, Queue
from .sync import run_blocking, run_in_drain

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType

    from ..jobs.erase_report import EraseReport
    from .schedule import Missed, Overlap, Schedule

PROJECT_APPS = "functions.apps:APPS"
"""The applications of a project that names none."""
H = TypeVar("H", bound=FailureHook)


class App:
    """One application: a name and its queues."""

    @checked
    def __init__(self, name: str) -> None:
        require(
            is_name(name),
            f"application {name!r}: {NAME_GRAMMAR}",
        )
        self.name = name
        self.queues: dict[str, Queue] = {}
        self.schedules: dict[str, Schedule] = {}
        self._failure_hooks: list[FailureHook] = []

    def on_failure(self, hook: H) -> H:
        """Register a function, or a coroutine function, that is called with the error and a
        `JobFailure` after each failed attempt of this application's jobs: for error trackers.

        It gets 5 seconds. If it fails, that is logged, and nothing else changes.
        """
        require(takes_two(hook), "on_failure: the hook is a function of two arguments: error, job")
        self._failure_hooks.append(hook)
        return hook

    def queue(  # noqa: PLR0913 - one keyword a number, all optional
        self,
        name: str,
        *,
        concurrency: int | None = None,
        limit: RateLimit | None = None,
        retry: Retry | None = None,
        priority: Priority = "normal",
        timeout: float = 60.0,
        completed: Retention | None = None,
        dead: Retention | None = None,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        max_jobs: int = DEFAULT_MAX_JOBS,
        max_bytes: int | None = None,
        shards: int = 1,
        encrypt: Encrypt = False,
        overrides: Overrides | None = None,
        per_key: KeyLimit | None = None,
        if_limited: IfLimited = "defer",
    ) -> Queue:
        """Declare a queue. docs/python.md has a line for each option."""
        check_type(shards, int, f"queue {name!r:.80}: shards")  # max_bytes depends on it
        queue = Queue(
            name=name, app=self.name, concurrency=concurrency, limit=limit, priority=priority,
            timeout=timeout, payload_limit=payload_limit, max_jobs=max_jobs, shards=shards,
            max_bytes=DEFAULT_MAX_BYTES * shards if max_bytes is None else max_bytes,
            retry=Retry.exponential() if retry is None else retry,
            completed=Retention() if completed is None else completed,
            dead=dead, encrypt=encrypt, per_key=per_key, if_limited=if_limited,
            overrides=Overrides() if overrides is None else overrides,
            failure_hooks=self._failure_hooks,
        )  # fmt: skip
        require(name not in self.queues, f"queue {queue.name!r} is declared twice; rename one")
        self.queues[queue.name] = queue
        return queue

    def schedule(  # noqa: PLR0913 - one keyword a rule, all optional
        self,
        name: str,
        job_type: JobType[P],
        payload: P | Callable[[datetime], P],
        *,
        cron: str | None = None,
        every: float | None = None,
        timezone: str = "UTC",
        missed: Missed = "latest",
        within: float | None = None,
        overlap: Overlap = "allow",
        jitter: float = 0.0,
    ) -> Schedule:
        """Have a job of this type enqueued at the instants of `cron` (five fields, or `@daily`) in
        `timezone`, or every so many seconds of Unix time. Each occurrence is one job.

        `payload` may be a function of the planned instant. `missed`: the occurrences of which no
        tick came in time run as one (`latest`), not at all (`skip`), or each (`all`); with
        `within`, only those that are at most so many seconds late. `overlap="skip"`: no job while
        the one before has not ended. `jitter`: a delay of up to so many seconds, another for each
        occurrence. Raises ConfigurationError.
        """
        from .schedule import Schedule  # noqa: PLC0415 - most applications have none

        schedule = Schedule(
            name, self.name, job_type, payload, cron, every, timezone,
            missed, within, overlap, jitter,
        )  # fmt: skip
        new = name not in self.schedules
        require(new, f"schedule {schedule.name!r} is declared twice; rename one")
        self.schedules[schedule.name] = schedule
        return schedule

    async def erase(self, key: str, *, dry_run: bool = False) -> EraseReport:
        """Delete all jobs of this application that were enqueued with this option `key`, on all its
        queues and in every state, with their results and errors, and their rows of the archive. For
        those that run, their cancellation is requested, and a repeat deletes them. `dry_run`: only
        count them.

        It reads every record of the queues, 200 a request. A job that was enqueued without this key
        is left, also where its follow-ups have it. Raises InvalidOption, StoreError, ArchiveError,
        and MissingExtra where the archive is set and psycopg is not installed.
        """
        from .erase import erase  # noqa: PLC0415 - cold start: rarely asked for

        queues = list(self.queues.values())
        return await run_in_drain(lambda: erase(queues, key, dry_run=dry_run))

    def erase_sync(self, key: str, *, dry_run: bool = False) -> EraseReport:
        """`erase`, blocking."""
        return run_blocking(lambda: self.erase(key, dry_run=dry_run), "erase")


class Registry:
    """What a process serves: `apps` by name, their schedules, and all queues by name in drain
    order, by priority, then as declared. `references`: what it was loaded from, if it was."""

    def __init__(self, apps: Iterable[App]) -> None:
        self.references: tuple[str, ...] | None = None
        self.apps: list[str] = []
        self.schedules: list[Schedule] = []
        self._queues: dict[str, Queue] = {}
        for app in apps:
            self.apps.append(app.name)
            self.schedules += app.schedules.values()
            for queue in app.queues.values():
                other = self._queues.get(queue.name)
                require(
                    other is None,
                    f"queue {queue.name!r} is declared by two applications; rename one",
                )
                self._queues[queue.name] = queue

    @classmethod
    def load(cls, references: Iterable[str]) -> Registry:
        """The queues of applications named `module:attribute`; without names, those of the
        project's own `functions.apps:APPS`. Raises ConfigurationError."""
        references = tuple(references)
        if not references:
            registry = cls(_load_project_apps())
        else:
            registry = cls(app for reference in references for app in _load_apps(reference))
        registry.references = references
        return registry

    def queue(self, name: str) -> Queue:
        """The queue of that name. Raises UnknownQueue."""
        queue = self._queues.get(name)
        if queue is None:
            known = ", ".join(sorted(self._queues)) or "none"
            raise UnknownQueue(f"no queue {name[:80]!r}; known: {known}")
        return queue

    def schedule(self, name: str) -> Schedule:
        """The schedule of that name, `app/name` or the name alone where only one application has
        it. Raises UnknownSchedule."""
        matches = [one for one in self.schedules if name in (one.key, one.name)]
        if len(matches) != 1:
            known = ", ".join(sorted(one.key for one in self.schedules)) or "none"
            raise UnknownSchedule(f"no schedule {name[:130]!r}; known: {known}")
        return matches[0]

    def undeclared(self, agenda: Iterable[str]) -> list[str]:
        """The queues among the agenda's members that no application declares, by name."""
        return sorted(name for name in agenda if name not in self._queues and is_name(name))

    def queues(self) -> list[Queue]:
        """Every queue, most urgent first."""
        return sorted(self._queues.values(), key=lambda queue: PRIORITIES.index(queue.priority))


def _load_project_apps() -> Iterable[App]:
    module_name = PROJECT_APPS.partition(":")[0]
    with _import_of(module_name):
        module = _project_module(module_name)
    if not hasattr(module, "APPS"):
        raise ConfigurationError(
            "TIDEGATE_APPS is not set, and there is no functions/apps with a list APPS here. "
            "Set it to your application, module:attribute, for example TIDEGATE_APPS=shop:app"
        )
    return _load_apps(PROJECT_APPS)


def _project_module(name: str) -> ModuleType | None:
    """The module; None if it, or the package that it is in, is not there."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):
            raise
        return None


def _load_apps(reference: str) -> list[App]:
    module_name, _, attribute = reference.partition(":")
    if not (module_name and attribute):
        raise ConfigurationError(f"TIDEGATE_APPS: {reference!r} is not module:attribute")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigurationError(
            f"TIDEGATE_APPS: {reference!r} is not module:attribute; write the module as an import "
            "does, without its folder and .py, for example shop:app"
        )
    with _import_of(module_name):
        module = importlib.import_module(module_name)
        value = getattr(module, attribute, None)
        apps: list[Any] = list(value) if isinstance(value, Iterable) else [value]
    if value is None:
        file = getattr(module, "__file__", None) or "a folder without __init__.py"
        raise ConfigurationError(
            f"TIDEGATE_APPS: {module_name!r} has no {attribute!r}; it was imported from {file}"
        )
    if not all(isinstance(app, App) for app in apps):
        raise ConfigurationError(
            f"TIDEGATE_APPS: {reference!r} is neither an App nor a list of them"
        )
    return apps


@contextmanager
def _import_of(module_name: str) -> Generator[None, None, None]:
    """For an import of an application, which may do anything: whatever it raises becomes a
    ConfigurationError that names the line of the user's code."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - sys.exit() is one, too
        from ..jobs.stack import in_one_line  # noqa: PLC0415 - only a failure needs it

        text = in_one_line(error, module_name.partition(".")[0])
        if isinstance(error, ConfigurationError):
            text = text.removeprefix(f"{type(error).__name__}: ")
        raise ConfigurationError(f"TIDEGATE_APPS: can't import {module_name!r}: {text}") from None
