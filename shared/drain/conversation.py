"""The messages between a drain and the child process that runs one job: parent's side."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ..errors import IsolatedError, StoreError
from ..isolate.frames import Message
from ..isolate.process import ChildProcess
from ..isolate.values import pack
from ..jobs.body import encode_body
from ..jobs.claim import Claim
from ..store import Store
from .child_messages import (
    ChildResult,
    Command,
    LogRecord,
    NudgeRequest,
    no_message,
    read_billed,
    read_ended,
    read_failed,
    read_log_record,
    read_reported,
    read_request,
)
from .run import CancelReason, Run

log = logging.getLogger("tidegate.job")

MOST_OUTPUT = 2**18
"""Characters of output of one job that are logged, and of its log records. The rest is dropped."""


class Conversation:
    """One job's messages. `hold` ends with the message that has the outcome."""

    def __init__(self, child: ChildProcess, run: Run, store: Store) -> None:
        self._child, self._run, self._store = child, run, store
        self._sending = asyncio.Lock()
        self._requests = set[asyncio.Task[None]]()
        self._characters = 0

    async def hold(self, left: float, window: float) -> ChildResult:
        """Have the job run, and do what the child requests meanwhile. Raises ChildDied."""
        run = self._run
        self._child.output.attach(self._write)
        request = {"claim": list(_plain_claim(run)), "encryption": run.body.encryption,
                   "left": left, "window": window}  # fmt: skip
        await self._send({"run": request})
        while True:
            message = await self._child.receive()
            if "ended" in message:
                return read_ended(message["ended"])
            self._take(message)

    async def cancel(self, reason: CancelReason) -> None:
        """Ask the handler to stop."""
        await self._send({"cancel": reason})

    def close(self) -> None:
        """Answer nothing more."""
        self._child.output.detach()
        for request in self._requests:
            request.cancel()
        if self._characters > MOST_OUTPUT:
            lost = self._characters - MOST_OUTPUT
            log.warning("job_output_dropped", extra={**self._facts(), "characters": lost})

    def _take(self, message: Message) -> None:
        if "reported" in message:
            reported = read_reported(message["reported"])
            if self._run.context is not None:
                self._run.context.take_over(reported)
        elif "log" in message:
            self._log(read_log_record(message))
        elif "billed" in message:
            for verb, commands in read_billed(message["billed"]).items():
                self._store.meter.add(verb, commands)
        elif "id" in message:
            request = asyncio.create_task(self._answer(read_request(message)))
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)
        elif "failed" in message:
            raise read_failed(message["failed"])
        elif "pong" not in message:
            raise no_message("unknown")

    async def _answer(self, asked: Command | NudgeRequest) -> None:
        """One command of the child's store client, through the drain's; or one of its nudges."""
        answer: Message = {"answer": asked.id}
        if isinstance(asked, NudgeRequest):
            nudges = self._store.nudges
            await self._send(answer | {"sent": nudges and await nudges.send(asked.queues)})
            return
        try:
            reply = await self._store.rest.send(asked.command, asked.verb, within=asked.within)
            answer |= {"value": pack(reply.value), "repeated": reply.repeated}
        except StoreError as error:
            answer["error"] = [type(error).__name__, str(error), error.retry_after, error.answered]
        await self._send(answer)

    async def _send(self, message: Message) -> None:
        async with self._sending:
            await self._child.send(message)

    def _log(self, logged: LogRecord) -> None:
        record = logging.makeLogRecord(logged.fields)
        if logged.raised:
            record.exc_info = (IsolatedError, logged.raised, None)
        logger = logging.getLogger(record.name)
        if self._has_room(logged.text) and logger.isEnabledFor(record.levelno):
            logger.handle(record)

    def _write(self, text: str) -> None:
        if self._has_room(text):
            log.info("job_output", extra={**self._facts(), "text": text})

    def _has_room(self, text: str) -> bool:
        self._characters += len(text)
        return self._characters <= MOST_OUTPUT

    def _facts(self) -> dict[str, Any]:
        claim = self._run.claim
        job_id = claim.public_id
        return {"queue": claim.queue, "job_id": job_id, "type": self._run.body.type}


def _plain_claim(run: Run) -> Claim:
    """The claim as the child reads it: it has no keys, so it gets the payload as it was decrypted
    here, and is told that it was encrypted. Its outcome is encrypted by this process."""
    if not run.encrypted:
        return run.claim
    body = run.body
    made = body.created_ms or 0
    return run.claim._replace(body=encode_body(body.type, body.overrides, str(body.payload), made))
