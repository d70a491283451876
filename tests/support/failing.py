"""Write faults: one write command of a script fails, as if its entry had reached Upstash's limit.

Redis has no rollback, so the writes before it stay applied. The fault is Lua in front of the
script's body and names no line of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.embedded.commands import WRITES
from shared.embedded.engine import Engine
from shared.errors import StoreError
from shared.store.scripts import script
from tests.support.world import World

FULL = "ERR max single record size exceeded"
"""Upstash's error for a write to an entry of 100 MB."""
MARK = "tidegate:failed-write"
"""The key that has the name of the command that failed first."""

_LUA = """
local redis = (function(real)
  local server, left = _G.redis, %d
  local writes = {%s}
  local function failure(name)
    if writes[string.upper(name)] then left = left - 1 else return nil end
    if left %s 0 then return nil end
    server.call("SET", "%s", name, "NX")
    return {err = "%s"}
  end
  local function call(name, ...)
    local err = failure(name)
    if err then error(err) end
    return real.call(name, ...)
  end
  local function pcall(name, ...)
    return failure(name) or real.pcall(name, ...)
  end
  return setmetatable({call = call, pcall = pcall}, {__index = real})
end)(redis)
"""


def failing_lua(n: int, error: str = FULL, *, killed: bool = False) -> str:
    """One line of Lua: the n-th write command (the first is 1) of the body behind it fails with
    `error`. `killed`: so does every write after it, so that the body can undo nothing."""
    writes = ",".join(f"{name}=true" for name in sorted(WRITES))
    return " ".join((_LUA % (n, writes, ">" if killed else "~=", MARK, error)).split())


@dataclass(frozen=True, slots=True)
class WriteFault:
    """A fault that waits for a script's next run."""

    engine: Engine

    async def command(self) -> str:
        """The command that failed, or "" if the script has not run or made fewer writes."""
        name = await self.engine.execute(("GET", MARK))
        return name.decode() if isinstance(name, bytes) else ""

    async def struck(self, error: StoreError) -> str:
        """The command that failed. An error that is not this fault's (the script may not even
        compile behind it) fails the test."""
        command = await self.command()
        assert command, f"not the error of a write that failed: {error}"
        return command


async def failing(
    world: World, verb: str, n: int, error: str = FULL, *, killed: bool = False
) -> WriteFault:
    """Let the n-th write command (the first is 1) of the next run of this verb's script fail, and
    where the script is `killed`, every write after it.

    A fault that has not struck stays until the verb's next run; a new one replaces it.
    """
    await world.engine.execute(("DEL", MARK))
    world.protocol.preface_next(script(verb).sha, failing_lua(n, error, killed=killed))
    return WriteFault(world.engine)
