"""The store of a child process: each command goes through the client of the drain, its parent."""

from __future__ import annotations

import asyncio
import itertools
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx

from .. import errors
from ..encryption.keyring import EncryptionKey, Keyring
from ..errors import StoreError
from ..isolate.channel import Channel
from ..isolate.frames import Message
from ..isolate.values import unpack
from ..nudge.sender import NudgeSender
from ..store import Store
from ..store.client.rest import Reply, Rest


class ParentRest(Rest):
    """A REST client without connections. The parent sends, repeats and counts the commands. Any
    event loop may use it: a handler's thread can have one of its own."""

    def __init__(self, channel: Channel) -> None:
        super().__init__("http://parent.invalid", "", transport=httpx.AsyncBaseTransport())
        self._channel = channel
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._numbers = itertools.count()

    async def send(
        self, command: list[str | int], verb: str, *, within: float | None = None
    ) -> Reply:
        answer = await self.ask({"command": command, "verb": verb, "within": within})
        return Reply(unpack(answer["value"]), answer["repeated"])

    async def ask(self, message: Message) -> Message:
        """The parent's answer. Raises StoreError."""
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._channel.send({**message, "id": number})
        try:
            answer: Message = await answered
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise _error(*answer["error"])
        return answer

    def deliver(self, answer: Message) -> None:
        """An answer of the parent."""
        waiting = self._waiting.get(answer["answer"])
        if waiting is not None:
            with suppress(RuntimeError):  # a loop of the handler's that it has closed
                waiting.get_loop().call_soon_threadsafe(_resolve, waiting, answer)


class ParentNudge:
    """Nudges of a child process: the parent sends them."""

    def __init__(self, rest: ParentRest) -> None:
        self._rest = rest

    async def call(self, queues: Sequence[str], hops: int) -> None:  # noqa: ARG002 - the parent has its own
        await self._rest.ask({"nudge": list(queues)})

    async def close(self) -> None:
        """Nothing is open."""


def open_store(channel: Channel, start: Message) -> Store:
    """The store that the parent drains, with its keys of encryption."""
    keys = [EncryptionKey(name, b64decode(secret)) for name, secret in start["encryption_keys"]]
    rest, window = ParentRest(channel), start["nudge_window"]
    return Store(
        rest,
        start["prefix"],
        key_locking=start["key_locking"],
        keyring=Keyring(keys),
        nudges=None if window is None else NudgeSender(ParentNudge(rest), window),
    )


def _resolve(waiting: asyncio.Future[Message], answer: Message) -> None:
    if not waiting.done():
        waiting.set_result(answer)


def _error(name: str, message: str, retry_after: float | None, answered: Any) -> StoreError:
    kind = getattr(errors, name, StoreError)
    error: StoreError = (kind if issubclass(kind, StoreError) else StoreError)(message)
    error.retry_after, error.answered = retry_after, bool(answered)
    return error
