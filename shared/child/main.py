"""Import the applications, then run one job after another, as the drain of the parent asks."""

from __future__ import annotations

import asyncio
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..clock import SystemClock
from ..declare.default_store import set_default_store
from ..declare.sync import serve_threads
from ..drain.budget import Budget
from ..drain.describe import is_a, leaves, traceback_of
from ..drain.execute import execute
from ..drain.run import Run, decode_claim
from ..drain.threads import HandlerThreads
from ..drain.timeouts import Timeouts
from ..isolate.channel import Channel, end_with_parent
from ..isolate.frames import Message
from ..jobs.claim import Claim
from ..jobs.outcome import Outcome
from ..jobs.redact import keep_secret
from ..jobs.stack import without_ours
from .apps import QueueFinder
from .logs import forward_logs

PROGRESS_SECONDS = 0.5
"""Between looks for a report of progress."""
LONGEST_TRACE = 16_000
MIB = 2**20


def main(descriptor: int) -> None:
    """Serve the parent at the other end of this socket, until it closes it."""
    end_with_parent()
    end_before_parent()
    channel = Channel(descriptor)
    start = channel.receive()
    keep_secret(start["secrets"])
    forward_logs(channel, start["levels"])
    try:
        finder = QueueFinder(start["apps"], start["module"])
    except BaseException as error:  # noqa: BLE001 - an application may do anything when it is imported
        channel.send({"failed": f"its application can't be imported: {_line(error)}"})
        return
    asyncio.run(_serve(channel, finder, start))


async def _serve(channel: Channel, finder: QueueFinder, start: Message) -> None:
    jobs = _Jobs(channel, finder, start)
    loop = asyncio.get_running_loop()
    channel.listen(lambda message: loop.call_soon_threadsafe(jobs.take, message))
    channel.send({"ready": True})
    await asyncio.Event().wait()


class _Jobs:
    """Runs the jobs that the parent sends, one at a time."""

    def __init__(self, channel: Channel, finder: QueueFinder, start: Message) -> None:
        self._channel, self._finder, self._start = channel, finder, start
        self._threads, self._timeouts = HandlerThreads(1), Timeouts()
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None
        self._store: Any = None
        set_default_store(self._open_store)

    def take(self, message: Message) -> None:
        """Do what a message asks for."""
        if "run" in message:
            self._task = asyncio.create_task(self._work(message["run"]))
        elif "ping" in message:
            self._channel.send({"pong": True})
        elif "cancel" in message and self._run is not None:
            self._run.cancel(message["cancel"])
        elif "answer" in message and self._store is not None:
            self._store.rest.deliver(message)

    async def _work(self, request: Message) -> None:
        claim = Claim(*request["claim"])
        try:
            queue = self._finder.queue(claim.queue)
        except Exception as error:  # noqa: BLE001 - told to the parent
            self._channel.send({"failed": _line(error)})
            return
        serve_threads()
        run = self._run = decode_claim(claim, queue)
        outcome = await self._execute(run, request)
        self._report(run)
        sys.stdout.flush()
        self._report_costs()
        self._channel.send({"ended": _ended(run, outcome, request["memory"])})

    async def _execute(self, run: Run, request: Message) -> Outcome:
        clock = SystemClock()
        budget = Budget(clock.monotonic() + request["left"], 0.0, request["window"], clock)
        reporter = asyncio.create_task(self._report_progress(run))
        limit_memory(request["memory"])
        try:
            return await execute(run, budget, self._threads, self._timeouts)
        finally:
            limit_memory(None)
            reporter.cancel()

    async def _report_progress(self, run: Run) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._report(run)

    def _report(self, run: Run) -> None:
        reported = run.context.take_progress() if run.context else None
        if reported:
            self._channel.send({"reported": reported})

    def _report_costs(self) -> None:
        """Tell what scripts have cost; the parent counts the commands themselves."""
        if self._store is not None and self._store.meter.by_verb:
            self._channel.send({"billed": self._store.meter.by_verb})
            self._store.meter.by_verb = {}

    def _open_store(self) -> Any:
        """The store of `job_type.enqueue(…)`: its commands go through the drain's client."""
        if self._store is None:
            from .store import open_store  # noqa: PLC0415 - most handlers enqueue nothing

            self._store = open_store(self._channel, self._start)
        return self._store


def end_before_parent() -> None:
    """Have Linux end this process, not the function, when the machine's memory is used up."""
    with suppress(OSError):  # another system, or one that hides it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def limit_memory(memory: int | None) -> None:
    """Let this process take at most so many bytes of memory of its own; None: any."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not on Windows

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        soft = hard if memory is None else memory
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _ended(run: Run, outcome: Outcome, memory: int | None) -> Message:
    exhausted = run.error is not None and any(is_a(e, MemoryError) for e in leaves(run.error))
    detail = dict(outcome.detail)
    if exhausted and memory is not None and "error" in detail:
        text = f"exceeded its memory bound of {memory / MIB:g} MiB"
        detail["error"] = {**detail["error"], "message": text}
    error = None
    if run.error is not None and "error" in detail:
        described = detail["error"]
        error = [described["type"], described["message"], _trace(run.error)]
    values = [outcome.kind, outcome.delay, detail, outcome.started]
    return {"outcome": values, "error": error, "retire": exhausted}


def _trace(error: BaseException) -> str:
    try:
        trace = without_ours(traceback_of(error))
        text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException:  # noqa: BLE001 - formatting calls methods of the error, which may do anything
        return ""
    return text[-LONGEST_TRACE:]


def _line(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:2000]
    except BaseException:  # noqa: BLE001 - as in _trace
        return type(error).__name__
