"""The commands that make entries grow, and the Lua that refuses them when an entry is full.

The Lua counts the bytes of arguments by key. It measures an entry (MEMORY USAGE of all elements)
only if a script has added `slack` bytes to it: a 64th of the limit, or nothing for a script that
runs nearer to the limit than that.
"""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """How a command makes an entry grow."""

    ELEMENTS = 1
    """By its arguments, at its first key."""
    MEMBERS = 2
    """The same, and each argument may be a member of a set."""
    INTO = 3
    """By an element of unknown size, at its second key."""
    OFFSET = 4
    """To an offset, at its first key."""
    WHOLE = 5
    """Not at all: it replaces its keys' values by arguments."""
    DERIVED = 6
    """By values of other keys: the next write measures the entry."""


_NAMES = {
    Kind.ELEMENTS: "APPEND HSET HMSET HSETNX HSETEX HINCRBY HINCRBYFLOAT LPUSH LPUSHX RPUSH RPUSHX "
    "LINSERT LSET XADD",
    Kind.MEMBERS: "SADD ZADD ZINCRBY GEOADD",
    Kind.INTO: "LMOVE RPOPLPUSH SMOVE",
    Kind.OFFSET: "SETRANGE SETBIT",
    Kind.WHOLE: "SET SETEX PSETEX SETNX GETSET MSET MSETNX RESTORE",
    Kind.DERIVED: "COPY RENAME RENAMENX BITFIELD BITOP PFMERGE GEORADIUS GEORADIUSBYMEMBER "
    "GEOSEARCHSTORE SDIFFSTORE SINTERSTORE SUNIONSTORE ZDIFFSTORE ZINTERSTORE ZUNIONSTORE "
    "ZRANGESTORE",
}
KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}

OVERHEAD = 64
"""The bytes that are counted beside each argument: more than what a server's structures need for an
element, so that counts are too high rather than too low."""

_SLACK = "local slack = %d\n"
_MEASURES = {
    True: "raw_call('MEMORY', 'USAGE', key, 'SAMPLES', '0') or 0",
    False: "#(raw_call('DUMP', key) or '')",
}
_LUA = """\
local entry_limit, key_limit, member_limit = %(entry)d, %(key)d, %(member)d
local growth_kinds = {%(kinds)s}
local grown, sizes, unknown = {}, {}, {}
local function too_large(what, limit, actual)
  local text = 'ERR max ' .. what .. ' size exceeded. Limit: ' .. limit
  return {err = text .. ' bytes, Actual: ' .. actual .. ' bytes'}
end
local function measured(key) return %(measure)s end
local function full(key, bytes, words)
  local added = bytes + words * %(overhead)d
  local total = (grown[key] or 0) + added
  if total > slack then
    local size = sizes[key] and sizes[key] + added
    if size == nil or size > entry_limit then size = measured(key) + bytes end
    sizes[key] = size
    if size > entry_limit then
      sizes[key], grown[key] = size - bytes, grown[key] or 0
      return too_large('single record', entry_limit, size)
    end
  end
  grown[key] = total
end
local function largest(words, first, what, limit)
  for i = first, #words do
    local size = #tostring(words[i])
    if size > limit then return too_large(what, limit, size) end
  end
end
local function reaches(name, words)
  local last = tonumber(words[2]) or 0
  if name == 'SETBIT' then last = math.floor(last / 8) + 1
  else last = last + #tostring(words[3] or '') end
  if last > entry_limit then return too_large('single record', entry_limit, last) end
end
local function oversize(name, words)
  local kind = growth_kinds[name]
  if kind == nil or words[1] == nil then return nil end
  local first, second = tostring(words[1]), words[2] and tostring(words[2])
  if #first > key_limit then return too_large('key', key_limit, #first) end
  if kind <= 2 then
    local bytes = #table.concat(words, '', 2) -- in C: a loop over all words is slow
    if kind == 2 and bytes > member_limit then
      local excess = largest(words, 2, 'member', member_limit)
      if excess then return excess end
    end
    return full(first, bytes, #words)
  end
  unknown[first] = true
  if kind == 3 and second then
    if #second > key_limit then return too_large('key', key_limit, #second) end
    unknown[second] = true
    return full(second, 0, 1)
  end
  if kind == 4 then return reaches(name, words) end
  if kind == 5 then return largest(words, 2, 'single record', entry_limit) end
  if second then unknown[second] = true end
end
local function counts()
  local list = {calls}
  for key, bytes in pairs(grown) do
    list[#list + 1] = key
    list[#list + 1] = bytes
    list[#list + 1] = sizes[key] or -1
  end
  for key in pairs(unknown) do
    list[#list + 1] = key
    list[#list + 1] = -1
    list[#list + 1] = -1
  end
  return list
end
"""


def growth_lua(*, entry: int, key: int, member: int, sandboxed: bool) -> str:
    """The Lua of these limits. `sandboxed` is false on fakeredis, which has no MEMORY."""
    kinds = ",".join(f"{name}={kind.value}" for name, kind in KINDS.items())
    values = {"entry": entry, "key": key, "member": member, "kinds": kinds}
    return _SLACK % slack(entry) + _LUA % {
        **values,
        "measure": _MEASURES[sandboxed],
        "overhead": OVERHEAD,
    }


def without_slack(text: bytes, entry: int) -> bytes:
    """The script that measures every entry before it grows."""
    return text.replace((_SLACK % slack(entry)).encode(), (_SLACK % -1).encode(), 1)


def slack(entry: int) -> int:
    """The bytes that a script may add to an entry before it measures it."""
    return entry // 64
