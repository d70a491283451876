"""Command faults: one script's writes of one kind to one part of a queue have no effect.

Lua in front of a composed script shadows `redis`. It names no line of the script, so a fault needs
no change when the script is rewritten. The faults are generated from the writes that the scripts
make in simulated stories.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.declare.queue import MOST_SHARDS
from shared.store import keys
from tests.simulation.server import Server, production
from tests.simulation.story import STORY_STEPS, simulate
from tests.simulation.world import World

from .named import FLAVOUR, STORIES

OBSERVED = "observed"
"""The set that the observing Lua fills, in the simulator's server. A new world deletes it."""

_SHADOW = """\
local redis = (function(real)
  local server = _G.redis -- beside the guard's meter, so that the bill stays right
  local function content(key)
    if server.call("TYPE", key).ok ~= "hash" then
      return { [""] = server.call("DUMP", key) or nil }
    end
    local fields, flat = {}, server.call("HGETALL", key)
    for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
    return fields
  end
  local function each_change(key, before, visit)
    local after = content(key)
    for name, value in pairs(before) do
      if after[name] ~= value then visit(name) end
    end
    for name in pairs(after) do
      if before[name] == nil then visit(name) end
    end
  end
  -- The queue's own numbers are fields that begin with a colon; each is a part of its own.
  local function field_of(name) return string.sub(name, 1, 1) == ":" and name or "" end
%s
  return setmetatable({ call = call }, { __index = real })
end)(redis)
"""
_OBSERVE = """\
  local function call(command, ...)
    local before, words = {}, {}
    for _, word in ipairs({ ... }) do words[word] = true end
    for i, key in ipairs(KEYS) do
      if words[key] then before[i] = content(key) end
    end
    local reply = real.call(command, ...)
    for i, fields in pairs(before) do
      each_change(KEYS[i], fields, function(name)
        server.call("SADD", "%s", table.concat({ "%s", command, i, field_of(name) }, " "))
      end)
    end
    return reply
  end
"""
# The command is carried out, for its reply, and its effect on the one part is undone.
_DROP = """\
  local key, field = KEYS[%d], "%s"
  local function undo(name, value)
    if name == "" then
      server.call("DEL", key)
      if value then server.call("RESTORE", key, 0, value) end
    elseif value then
      server.call("HSET", key, name, value)
    else
      server.call("HDEL", key, name)
    end
  end
  local function call(command, ...)
    if command ~= "%s" then return real.call(command, ...) end
    local before = content(key)
    local reply = real.call(command, ...)
    each_change(key, before, function(name)
      if field_of(name) == field then undo(name, before[name]) end
    end)
    return reply
  end
"""


@dataclass(frozen=True, order=True, slots=True)
class Fault:
    """`script` sends `command`, and `part` stays as it was. A part is a key of the queue, or one
    field of its own numbers (`records:due`)."""

    script: str
    command: str
    part: str

    @property
    def name(self) -> str:
        return f"{self.script} drops {self.command} on {self.part}"

    def bodies(self) -> dict[str, str]:
        """Every verb's script, one of them with this fault."""
        key, colon, field = self.part.partition(":")
        lua = _SHADOW % (_DROP % (_parts().index(key) + 1, colon + field, self.command))
        scripts = production()
        return {**scripts, self.script: lua + scripts[self.script]}


def faults(server: Server, seeds: Iterable[int], steps: int = STORY_STEPS) -> list[Fault]:
    """One for each kind of write in these stories, and in the directed ones."""
    observers = {
        script: _SHADOW % (_OBSERVE % (OBSERVED, script)) + body
        for script, body in production().items()
    }
    writes = set[str]()
    for seed in seeds:
        failure = simulate(server, seed, steps, bodies=observers, shrinking=False)
        if failure:
            raise AssertionError(f"an observer must change nothing: {failure.reason}")
        writes.update(server.run("SMEMBERS", OBSERVED))
    for story in STORIES:
        story(World(server, FLAVOUR, observers))
        writes.update(server.run("SMEMBERS", OBSERVED))
    return sorted(fault for fault in map(_fault, writes) if _writes(server, fault.command))


def _fault(member: str) -> Fault:
    script, command, index, field = member.split(" ")
    return Fault(script, command, _parts()[int(index) - 1] + field)


def _parts() -> list[str]:
    """The part of each index of KEYS."""
    return [key.rpartition(":")[2] for key in keys.vector("prefix", "queue", MOST_SHARDS)]


def _writes(server: Server, command: str) -> bool:
    """Is it a write command? A hash may change its order while it is only read."""
    ((_name, _arity, flags, *_rest),) = server.run("COMMAND", "INFO", command)
    return "write" in flags
