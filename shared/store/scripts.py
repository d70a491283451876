"""The Lua scripts as calls: composed, addressed by their SHA, sent with the keys of a queue."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from ..declare.queue import Queue
from ..errors import MoreShards, NoScript, UnknownOutcome
from . import keys as key_names
from .client.rest import Reply, Rest
from .compose import compose, verbs

KEY_LOCKING = "#!lua flags=allow-key-locking\n"
"""A script's first line on Upstash: lock only the declared keys. Redis and Valkey reject it."""

_SHARDS = re.compile(r"TIDEGATE SHARDS (\d+)")


class Script(NamedTuple):
    """A composed script. `sha` is the SHA-1 of `body`, the text that is sent."""

    name: str
    body: str
    sha: str

    async def send(
        self,
        rest: Rest,
        keys: Sequence[str],
        args: Sequence[str | int],
        *,
        within: float | None = None,
    ) -> Reply:
        """EVALSHA, then EVAL if the store lacks the script (restart, failover, flush).

        The first element of every reply is the script's billed cost; it goes to the meter, and the
        rest is returned.
        """
        arguments = [len(keys), *keys, *args]
        began = rest.clock.monotonic()
        try:
            reply = await rest.send(["EVALSHA", self.sha, *arguments], self.name, within=within)
        except NoScript:
            if within is not None:
                within -= rest.clock.monotonic() - began
            reply = await rest.send(["EVAL", self.body, *arguments], self.name, within=within)
        values = reply.value
        if not isinstance(values, list) or not values or not isinstance(values[0], int):
            raise UnknownOutcome(
                f"{self.name} was answered in an unknown shape: {str(values)[:80]}"
            )
        rest.meter.add(self.name, values[0] - 1)
        return Reply(values[1:], reply.repeated)


@cache
def script(name: str, *, key_locking: bool = True) -> Script:
    """The script of a verb, composed once per process."""
    body = (KEY_LOCKING if key_locking else "") + compose(name)
    return Script(name, body, hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest())


def script_shas(*, key_locking: bool = True) -> frozenset[str]:
    """The SHA-1s of all scripts: the list that the embedded store accepts without a sandbox."""
    return frozenset(script(name, key_locking=key_locking).sha for name in verbs())


class Calls:
    """Calls of the verbs' scripts, over one client and one key prefix."""

    def __init__(self, rest: Rest, prefix: str, *, key_locking: bool) -> None:
        self.rest, self.prefix, self.key_locking = rest, prefix, key_locking
        self._shards: dict[str, int] = {}

    def shards(self, queue: Queue) -> int:
        """Over how many entries the queue's records are spread: as declared, or as many more as the
        store has said, because a newer deployment declares them."""
        return max(queue.shards, self._shards.get(queue.name, 1))

    async def run(
        self, verb: str, queue: Queue, *args: str | int, within: float | None = None
    ) -> list[Any]:
        """The values that the verb's script answers for one queue."""
        values: list[Any] = (await self.send(verb, queue, args, within=within)).value
        return values

    async def send(
        self, verb: str, queue: Queue, args: Sequence[str | int], *, within: float | None = None
    ) -> Reply:
        """The same, with the client's notes on the reply. The first argument is the queue."""
        command = script(verb, key_locking=self.key_locking)
        names = key_names.vector(self.prefix, queue.name, self.shards(queue))
        try:
            return await command.send(self.rest, names, [queue.name, *args], within=within)
        except MoreShards as error:
            self._shards[queue.name] = _count_in(error, more_than=self.shards(queue))
        return await self.send(verb, queue, args, within=within)


def _count_in(error: MoreShards, *, more_than: int) -> int:
    """The number of shards in the script's error. It is more with each call, so the calls end."""
    match = _SHARDS.search(str(error))
    if match is None or int(match[1]) <= more_than:
        raise UnknownOutcome(f"the number of shards can't be read: {error}")
    return int(match[1])
