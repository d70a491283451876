"""Import the applications, then run one job after another, at the parent's request."""

from __future__ import annotations

import asyncio
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from ..clock import SystemClock
from ..declare.sync import serve_threads
from ..drain.budget import Budget
from ..drain.describe import is_a, leaves, traceback_of
from ..drain.execute import execute
from ..drain.failures import log_bug
from ..drain.run import Run, decode_claim
from ..drain.threads import HandlerThreads
from ..drain.timeouts import Timeouts
from ..isolate.channel import Channel, end_with_parent
from ..isolate.frames import Message
from ..jobs.claim import Claim
from ..jobs.outcome import Outcome
from ..jobs.redact import keep_secret, redact, redacted_start
from ..jobs.stack import without_ours
from .apps import QueueFinder
from .logs import forward_logs
from .memory import MemoryBound
from .parent import Parent

PROGRESS_SECONDS = 0.5
"""Between looks for a report of progress."""
LONGEST_TRACE = 16_000


def main(descriptor: int) -> None:
    """Serve the parent at the other end of this socket, until it closes it."""
    end_with_parent()
    end_before_parent()
    channel = Channel(descriptor)
    start = channel.receive()
    keep_secret(start["secrets"])
    forward_logs(channel, start["levels"])
    parent = Parent(channel, start)
    parent.serve_caches()
    try:
        finder = QueueFinder(start["apps"], start["module"])
    except BaseException as error:  # noqa: BLE001 - an application may do anything when it is imported
        channel.send({"failed": f"its application can't be imported: {_line(error)}"})
        return
    parent.serve_jobs()
    asyncio.run(_serve(_Jobs(channel, finder, parent, start["memory"]), channel))


async def _serve(jobs: _Jobs, channel: Channel) -> None:
    loop = asyncio.get_running_loop()
    channel.listen(lambda message: loop.call_soon_threadsafe(jobs.take, message))
    channel.send({"ready": True})
    await asyncio.Event().wait()


class _Jobs:
    """Runs the jobs that the parent sends, one at a time."""

    def __init__(
        self, channel: Channel, finder: QueueFinder, parent: Parent, memory: int | None
    ) -> None:
        self._channel, self._finder, self._parent = channel, finder, parent
        self._memory = MemoryBound(memory)
        self._threads, self._timeouts = HandlerThreads(1), Timeouts()
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None

    def take(self, message: Message) -> None:
        """Carry out a message."""
        if "run" in message:
            self._task = asyncio.create_task(self._work(message["run"]))
        elif "ping" in message:
            self._channel.send({"pong": True})
        elif "cancel" in message and self._run is not None:
            self._run.cancel(message["cancel"])
        elif "answer" in message:
            self._parent.deliver(message)

    async def _work(self, request: Message) -> None:
        """Run a job and send its end. Any failure on the way is sent too, or the parent would
        wait for the end until the job's timeout."""
        try:
            self._channel.send({"ended": await self._run_job(request)})
        except BaseException as error:  # noqa: BLE001 - code of the application runs here, too
            self._channel.send({"failed": _line(error)})

    async def _run_job(self, request: Message) -> Message:
        claim = Claim(*request["claim"])
        queue = self._finder.queue(claim.queue)
        serve_threads()
        run = self._run = decode_claim(claim, queue)
        run.body = run.body._replace(encryption=request["encryption"])
        outcome = await self._outcome(run, request)
        self._report(run)
        _flush()
        self._parent.report_costs()
        return _outcome_message(run, outcome, self._memory)

    async def _outcome(self, run: Run, request: Message) -> Outcome:
        clock = SystemClock()
        budget = Budget(clock.monotonic() + request["left"], 0.0, request["window"], clock)
        reporter = asyncio.create_task(self._report_progress(run))
        self._memory.set()
        try:
            return await execute(run, budget, self._threads, self._timeouts)
        except BaseException as bug:  # noqa: BLE001 - ours, or of its retry policy
            run.error = bug
            return log_bug(run.claim, bug, encrypted=run.encrypted)
        finally:
            self._memory.lift()
            reporter.cancel()

    async def _report_progress(self, run: Run) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._report(run)

    def _report(self, run: Run) -> None:
        reported = run.context.take_progress() if run.context else None
        if reported:
            self._channel.send({"reported": reported})


def end_before_parent() -> None:
    """Have Linux end this process, not the function, when the machine's memory is used up."""
    with suppress(OSError):  # another system, or one that hides it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _outcome_message(run: Run, outcome: Outcome, memory: MemoryBound) -> Message:
    exhausted = run.error is not None and any(is_a(e, MemoryError) for e in leaves(run.error))
    detail = dict(outcome.detail)
    if exhausted and memory.bound is not None and "error" in detail:
        detail["error"] = {**detail["error"], "message": memory.text}
    error = None
    if run.error is not None and "error" in detail:
        described = detail["error"]
        error = [described["type"], described["message"], _trace(run.error)]
    values = [outcome.kind, outcome.delay_ms / 1000, detail, outcome.started]
    return {"outcome": values, "error": error, "retire": exhausted or memory.is_outgrown}


def _flush() -> None:
    """Write out what the handler has printed, into whatever it has put in place of stdout."""
    with suppress(BaseException):
        sys.stdout.flush()


def _trace(error: BaseException) -> str:
    try:
        trace = without_ours(traceback_of(error))
        text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException:  # noqa: BLE001 - formatting calls methods of the error, which may do anything
        return ""
    return redact(text)[-LONGEST_TRACE:]


def _line(error: BaseException) -> str:
    try:
        return redacted_start(f"{type(error).__name__}: {error}", 2000)
    except BaseException:  # noqa: BLE001 - as in _trace
        return type(error).__name__
