"""The job type of callbacks. Every queue has it, under a name that no application declares: a
callback is a job on the queue of the job whose end it reports."""

from __future__ import annotations

import time
from functools import lru_cache

from pydantic import BaseModel

from ..config.callbacks import VARIABLE, callback_secrets
from ..declare.handler import shape_of
from ..declare.policy import Retry
from ..declare.queue import JobType, Queue
from ..errors import MissingSecret
from ..jobs.context import JobContext
from ..jobs.follow_ups import CALLBACK
from ..jobs.ids import local_id
from .signature import signed_headers

SECONDS = 10.0
"""Longest wait for an answer. It holds a slot of the queue for as long, and a producer chose the
server."""
TIMEOUT = 15.0
RETRY = Retry.waits([5, 300, 1800, 7200, 18_000, 36_000, 36_000], jitter=0.1)
"""Eight tries within 28 hours."""


class Callback(BaseModel):
    """A webhook: where to, and its body as text, the same in each try. `caller`: the subject of the
    stored token that asked for it, "" for any other way."""

    url: str
    content: str
    caller: str = ""


@lru_cache(maxsize=256)
def callback_type(queue: Queue) -> JobType[Callback]:
    """The job type of a queue's callbacks."""
    return JobType(CALLBACK, queue, Callback, _send, TIMEOUT, RETRY, shape_of(_send))


async def _send(callback: Callback, job: JobContext) -> None:
    from ..fetch import post  # noqa: PLC0415 - cold start: few jobs have a callback
    from ..fetch.address import check, host_of  # noqa: PLC0415 - as above
    from .room import room  # noqa: PLC0415 - as above

    secrets = callback_secrets()
    if not secrets:
        raise MissingSecret(f"{VARIABLE} is not set: a callback must be signed")
    content = callback.content.encode()
    message_id = f"msg_{local_id(job.id).lstrip('~')}"
    host = host_of(check(callback.url))
    waited = job.snoozed_for()
    async with room().for_call(job.queue, host, caller=callback.caller, waited=waited):
        headers = signed_headers(message_id, int(time.time()), content, secrets)
        headers["content-type"] = "application/json"
        await post(callback.url, content, headers, timeout=SECONDS)
