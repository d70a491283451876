"""The store of a child process: each command goes through the client of the drain, its parent."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from .. import errors
from ..config.settings import Settings
from ..encryption.keyring import Keyring
from ..errors import StoreError
from ..isolate.channel import Channel
from ..isolate.frames import Message
from ..isolate.values import unpack
from ..store import Store
from ..store.client.rest import Reply, Rest


class ParentRest(Rest):
    """A REST client without connections. The parent sends, repeats and counts the commands."""

    def __init__(self, channel: Channel) -> None:
        super().__init__("http://parent.invalid", "", transport=httpx.AsyncBaseTransport())
        self._channel = channel
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._last = 0

    async def send(
        self, command: list[str | int], verb: str, *, within: float | None = None
    ) -> Reply:
        self._last += 1
        number = self._last
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._channel.send({"id": number, "command": command, "verb": verb, "within": within})
        try:
            answer = await answered
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise _error(*answer["error"])
        return Reply(unpack(answer["value"]), answer["repeated"])

    def deliver(self, answer: Message) -> None:
        """An answer of the parent. In the event loop."""
        waiting = self._waiting.get(answer["answer"])
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def open_store(channel: Channel, start: Message) -> Store:
    """The store that the parent drains. The keys of encryption are those of the environment."""
    keyring = Keyring(Settings.from_env().encryption_keys)
    rest, locking = ParentRest(channel), start["key_locking"]
    return Store(rest, start["prefix"], key_locking=locking, keyring=keyring)


def _error(name: str, message: str, retry_after: float | None, answered: Any) -> StoreError:
    kind = getattr(errors, name, StoreError)
    error: StoreError = (kind if issubclass(kind, StoreError) else StoreError)(message)
    error.retry_after, error.answered = retry_after, bool(answered)
    return error
