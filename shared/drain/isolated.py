"""Run claimed jobs in child processes, in place of `execute`: one job a child at a time.

The child calls `execute` itself, so its outcome is decided by the same code. Here is decided only
what the child can't tell any more: that it died, or was killed.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from base64 import b64encode
from contextlib import suppress
from typing import TypeAlias

from ..declare.handler import Handler, module_of
from ..errors import ChildDied, ConfigurationError
from ..isolate import idle
from ..isolate.frames import Message
from ..isolate.process import EXIT_SECONDS, ChildProcess
from ..jobs.context import JobContext
from ..jobs.outcome import Kind, Outcome
from ..jobs.redact import secrets
from ..jobs.stack import OURS
from ..store import Store
from .bounds import bound
from .budget import Budget
from .child_messages import ChildResult, read_failed
from .conversation import Conversation
from .execute import outcome_of_cancelled
from .outcome import outcome_of
from .run import Run
from .slots import Slots

Talk: TypeAlias = asyncio.Task[ChildResult]
log = logging.getLogger("tidegate.job")

CHILDREN = 4
"""Most child processes of one drain at a time: each holds the memory of an interpreter."""
START_SECONDS = 30.0
"""A child that has not imported its application by then is killed."""
MOST_DEATHS = 3
"""Deaths of its own that end a suspect. lua/lib/recover.lua has the same number for one that runs
exclusively."""
PING_SECONDS = 2.0
"""An idle child that has not answered by then is killed: its last handler left it busy."""
KILL_GRACE = 0.5
"""Seconds that a handler gets to end after its timeout or a request to stop. Then it is killed."""
MODULE = f"{OURS}.child.main"


class Children(Slots):
    """The children of one drain. `apps`: the applications as `module:attribute`; None: each child
    imports its handler's module. `broken`: no child can be had for suspects."""

    def __init__(self, store: Store, budget: Budget, apps: tuple[str, ...] | None) -> None:
        super().__init__(CHILDREN)
        self._store, self._budget, self._apps = store, budget, apps
        self._busy, self._leaving = set[ChildProcess](), set[asyncio.Task[None]]()
        self.broken = False

    async def execute(self, run: Run) -> Outcome:
        """The job's outcome. Its time runs from when its child is ready.

        A suspect whose child dies is tried again at once, and is dead after MOST_DEATHS of them: if
        it left its isolation, it would take functions along again. One whose child was killed from
        outside, because memory was short, waits to run exclusively: the child may be what was too
        much.
        """
        outcome = await self._execute(run)
        deaths = 1
        while run.claim.isolated and isinstance(run.error, ChildDied) and not run.cancel_reason:
            if run.error.exit_code == -signal.SIGKILL:
                return self._not_isolated(run.error)
            if deaths == MOST_DEATHS:
                return outcome._replace(kind="dead", delay=0.0)
            run.error = None
            outcome = await self._execute(run)
            deaths += 1
        return outcome

    async def _execute(self, run: Run) -> Outcome:
        if run.task is None:
            run.task = asyncio.current_task()
        began, left = self._budget.clock.monotonic(), self._budget.handler_time()
        try:
            start = self._start_message(run)
            child = await self._reuse(start) or await self._spawn(start)
        except asyncio.CancelledError:
            return self._without_child(run, began, left)
        except Exception as error:  # noqa: BLE001 - the application's import may fail in any way
            if run.claim.isolated:
                return self._not_isolated(error)._replace(started=False)
            return self._outcome_of_failure(run, error)
        _warn_of_bound(run)
        return await self._run(run, child, start)

    def _without_child(self, run: Run, began: float, left: float) -> Outcome:
        """The outcome of a job that was cancelled before its child was ready. Where the function's
        end cut off the application's import it is bounded, as where that cuts off a handler."""
        if run.cancel_reason != "deadline":
            kind: Kind = "cancelled" if run.cancel_reason == "operator" else "release"
            return Outcome(kind, started=False)
        run.began, run.allowed = began, left
        seconds = round(self._budget.clock.monotonic() - began, 1)
        log.warning("child_late", extra={"type": run.body.type, "seconds": seconds})
        return self._bound(run, Outcome("release"))._replace(started=False)

    def _not_isolated(self, error: Exception) -> Outcome:
        """No child can be had for a suspect: it waits to run exclusively."""
        self.broken = True
        log.warning("suspect_not_isolated", extra={"error": str(error)})
        return Outcome("release")

    async def close(self) -> None:
        """Kill what still runs: nothing of a drain runs on when it has ended."""
        for child in self._busy:
            child.kill()
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=min(EXIT_SECONDS, self._budget.left() / 2))

    async def _reuse(self, start: Message) -> ChildProcess | None:
        """An idle child that still answers, or None."""
        while (child := idle.take(start)) is not None:
            self._busy.add(child)
            try:
                await child.send({"ping": True})
                async with asyncio.timeout(PING_SECONDS):
                    while "pong" not in await child.receive():
                        pass  # what the job before has left
                return child
            except (ChildDied, TimeoutError):
                await self._end(child)
            except BaseException:
                await self._end(child)
                raise
        return None

    async def _spawn(self, start: Message) -> ChildProcess:
        """A child that has imported its application. Raises ChildDied and others."""
        child = ChildProcess(MODULE)
        self._busy.add(child)
        child.output.attach(_log_start)
        try:
            await child.send(start)
            async with asyncio.timeout(START_SECONDS):
                while "ready" not in (message := await child.receive()):
                    if "failed" in message:
                        raise read_failed(message["failed"])
            child.output.detach()
        except BaseException as error:
            await self._end(child)
            if isinstance(error, TimeoutError):
                raise ChildDied(f"no child process was ready in {START_SECONDS:.0f} s") from None
            raise
        return child

    async def _run(self, run: Run, child: ChildProcess, start: Message) -> Outcome:
        self._busy.add(child)
        run.began = self._budget.clock.monotonic()
        left = self._budget.handler_time()
        run.allowed = min(run.timeout, left)
        if run.job_type is not None and run.job_type.shape.context is not None:
            run.context = JobContext(run.claim, run.body.type, budget_left=float)
        conversation = Conversation(child, run, self._store)
        talk = asyncio.create_task(conversation.hold(left, self._budget.window))
        try:
            await _wait(run, conversation, talk)
            outcome = self._outcome(run, talk)
        finally:
            conversation.close()
            leaving = asyncio.create_task(self._leave(child, start, talk))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            with suppress(asyncio.CancelledError):  # the job has its outcome
                await asyncio.shield(leaving)
        return outcome

    def _outcome(self, run: Run, talk: Talk) -> Outcome:
        if not talk.done():
            run.cancel_reason = run.cancel_reason or "timeout"
            return self._bound(run, outcome_of_cancelled(run, killed=True))
        error = talk.exception()
        if error is None:
            ended = talk.result()
            run.error = ended.error or run.error
            return ended.outcome
        if run.cancel_reason is not None:
            return self._bound(run, outcome_of_cancelled(run, error))
        return self._outcome_of_failure(run, error)

    def _outcome_of_failure(self, run: Run, error: BaseException) -> Outcome:
        run.error = error.with_traceback(None)  # its frames are all ours
        outcome = outcome_of(error, attempt=run.claim.attempt, retry=run.retry, own=run.package)
        return self._bound(run, outcome)

    def _bound(self, run: Run, outcome: Outcome) -> Outcome:
        return bound(outcome, run, self._budget.window, self._budget.clock.epoch_ms())

    async def _leave(self, child: ChildProcess, start: Message, talk: Talk) -> None:
        """Keep a healthy child for other jobs, else end it."""
        talk.cancel()
        failed = not talk.done() or talk.cancelled() or talk.exception() is not None
        if failed or talk.result().retire:
            await self._end(child)
        else:
            self._busy.discard(child)
            await idle.put(start, child)

    async def _end(self, child: ChildProcess) -> None:
        await child.end()
        self._busy.discard(child)

    def _start_message(self, run: Run) -> Message:
        """What a child must know before its first job. Equal for all that it can serve."""
        assert run.job_type is not None  # noqa: S101 - only such jobs are isolated
        isolation, nudges = run.job_type.isolate, self._store.nudges
        root, ours = logging.getLogger(), logging.getLogger("tidegate")
        return {
            "apps": None if self._apps is None else list(self._apps),
            "module": None if self._apps is not None else _importable(run.job_type.handler),
            "memory": isolation.memory if isolation else None,
            "prefix": self._store.prefix,
            "encryption_keys": [
                [key.name, b64encode(key.secret).decode()] for key in self._store.keyring.keys
            ],
            "nudge_window": nudges.window if nudges else None,
            "key_locking": self._store.key_locking,
            "levels": {"root": root.level, ours.name: ours.level},
            "secrets": sorted(secrets()),
        }


async def _wait(run: Run, conversation: Conversation, talk: Talk) -> None:
    """Wait for the handler's end. It is asked to stop if the job is cancelled meanwhile."""
    try:
        await asyncio.wait({talk}, timeout=run.allowed + KILL_GRACE)
    except asyncio.CancelledError:
        # Not awaited: a child that reads nothing any more would hold it up.
        asking = asyncio.ensure_future(conversation.cancel(run.cancel_reason or "deadline"))
        try:
            await asyncio.wait({talk}, timeout=KILL_GRACE)
        except asyncio.CancelledError:
            return  # no more time
        finally:
            asking.cancel()


def _importable(handler: Handler) -> str:
    """The module of a handler, by a name that another process can import. Raises
    ConfigurationError."""
    name = module_of(handler)
    if name == "__main__":
        spec = getattr(sys.modules[name], "__spec__", None)
        if spec is None:  # a script, or a terminal
            raise ConfigurationError(
                "isolate: a child process can't import the handler's script; move it into a module"
            )
        return str(spec.name)
    return name


def _warn_of_bound(run: Run) -> None:
    isolation = run.job_type and run.job_type.isolate
    if isolation and isolation.memory is not None and sys.platform != "linux":
        log.warning("memory_bound_ignored", extra={"type": run.body.type})


def _log_start(line: str) -> None:
    log.info("child_output", extra={"text": line})
