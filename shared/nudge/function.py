"""Nudges on AWS: an asynchronous invocation of the drain's Lambda function."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

from .nudge import NudgeRefused

SECONDS = 1.0
"""Of a connection and of an answer, so that a thread whose caller has given up ends soon."""
ACCEPTED = 202


class FunctionNudge:
    """Invokes a function by its name or ARN. The environment has region and credentials."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._opening = threading.Lock()
        self._client: Any = None

    async def call(self, queues: Sequence[str], hops: int) -> None:
        event = json.dumps({"queues": list(queues), "hops": hops}).encode()
        await asyncio.to_thread(self._invoke, event)  # boto3 blocks

    async def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _invoke(self, event: bytes) -> None:
        with self._opening:
            self._client = self._client or _open_client()
        answer = self._client.invoke(
            FunctionName=self._function, InvocationType="Event", Payload=event
        )
        if answer["StatusCode"] != ACCEPTED:
            raise NudgeRefused(f"Lambda answered {answer['StatusCode']}")


def _open_client() -> Any:
    import boto3  # noqa: PLC0415 - half a second, and only this nudge needs it
    from botocore.config import Config  # noqa: PLC0415 - as above

    config = Config(
        connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1}
    )
    return boto3.client("lambda", config=config)
