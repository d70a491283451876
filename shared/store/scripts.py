"""The Lua scripts: one file per verb under `lua/`, which includes files of `lua/lib/` by
`--- @include "name"`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import NoScript, UnknownOutcome
from . import keys as key_names
from .client.rest import Reply, Rest

FOLDER = Path(__file__).parent / "lua"
KEY_LOCKING = "#!lua flags=allow-key-locking\n"
"""A script's first line on Upstash: lock only the declared keys. Redis and Valkey reject it."""

_INCLUDE = re.compile(r'^--- @include "(\w+)"\n', re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n|\s+-- .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A composed script. `sha` is the SHA-1 of `body`, the text that is sent."""

    name: str
    body: str
    sha: str

    async def run(
        self,
        rest: Rest,
        keys: Sequence[str],
        args: Sequence[str | int],
        *,
        within: float | None = None,
    ) -> list[Any]:
        """The reply's values. See `send`."""
        values: list[Any] = (await self.send(rest, keys, args, within=within)).value
        return values

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


def compose(name: str) -> str:
    """The script's text with each of its includes once, without comments."""
    seen: set[str] = set()

    def expand(match: re.Match[str]) -> str:
        included = match.group(1)
        if included in seen:
            return ""
        seen.add(included)
        return _INCLUDE.sub(
            expand, (FOLDER / "lib" / f"{included}.lua").read_text(encoding="utf-8")
        )

    return _COMMENT.sub(
        "", _INCLUDE.sub(expand, (FOLDER / f"{name}.lua").read_text(encoding="utf-8"))
    )


@cache
def script(name: str, *, key_locking: bool = True) -> Script:
    """The script of a verb, composed once per process."""
    body = (KEY_LOCKING if key_locking else "") + compose(name)
    return Script(name, body, hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest())


def names() -> list[str]:
    """All verbs that have a script."""
    return sorted(path.stem for path in FOLDER.glob("*.lua"))


def script_shas(*, key_locking: bool = True) -> frozenset[str]:
    """The SHA-1s of all scripts: the list that the embedded store accepts without a sandbox."""
    return frozenset(script(name, key_locking=key_locking).sha for name in names())


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of the verbs' scripts, over one client and one key prefix."""

    rest: Rest
    prefix: str
    key_locking: bool

    async def run(
        self, verb: str, queue: str, *args: str | int, within: float | None = None
    ) -> list[Any]:
        """The values that the verb's script answers for one queue."""
        values: list[Any] = (await self.send(verb, queue, args, within=within)).value
        return values

    async def send(
        self, verb: str, queue: str, args: Sequence[str | int], *, within: float | None = None
    ) -> Reply:
        """The same, with what the client knows of the reply. A script is told its queue first."""
        command = script(verb, key_locking=self.key_locking)
        names = key_names.vector(self.prefix, queue)
        return await command.send(self.rest, names, [queue, *args], within=within)
