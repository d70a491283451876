"""Composes the guarded variant of a script: it counts its inner calls, keeps to its keys and
writes numbers as Upstash's Lua does.

The body stays as it is, below a prologue that shadows `redis` with counting versions. The reply
becomes `{calls, result}`, or `{calls, false, text}` when the script raised.
It is a meter and a lint, not a fence: `_G.redis` would get around it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

DYNAMIC_KEY = (
    "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. "
    "Key was: "
)
KEY_LOCKING = "allow-key-locking"

# Which arguments of a command are keys. Whoever is not listed has one: its first.
_NONE, _ALL, _TWO, _PAIRS, _COUNTED, _DEST_COUNTED, _LATER_COUNTED = range(7)
_SECOND, _AFTER_FIRST, _STREAMS, _ALL_BUT_LAST, _WHOLE_DATABASE = range(7, 12)
_RULES = {
    _NONE: "TIME PING ECHO PUBLISH INFO DBSIZE RANDOMKEY SCAN KEYS COMMAND SELECT WAIT LASTSAVE",
    _ALL: "DEL UNLINK EXISTS TOUCH MGET SINTER SUNION SDIFF SINTERSTORE SUNIONSTORE SDIFFSTORE "
    "PFCOUNT PFMERGE",
    _TWO: "RENAME RENAMENX COPY LMOVE RPOPLPUSH SMOVE BLMOVE BRPOPLPUSH GEOSEARCHSTORE "
    "ZRANGESTORE LCS",
    _PAIRS: "MSET MSETNX",
    _COUNTED: "LMPOP ZMPOP SINTERCARD ZINTER ZUNION ZDIFF ZINTERCARD",
    _DEST_COUNTED: "ZUNIONSTORE ZINTERSTORE ZDIFFSTORE",
    _LATER_COUNTED: "BLMPOP BZMPOP",
    _SECOND: "OBJECT MEMORY XINFO XGROUP",
    _AFTER_FIRST: "BITOP",
    _STREAMS: "XREAD XREADGROUP",
    _ALL_BUT_LAST: "BLPOP BRPOP BZPOPMIN BZPOPMAX",
    _WHOLE_DATABASE: "FLUSHDB FLUSHALL",
}
_RULES_LUA = ",".join(f"{name}={rule}" for rule, names in _RULES.items() for name in names.split())

_COUNT = """\
local calls, raw_call, raw_pcall, server = 0, redis.call, redis.pcall, nil
"""

_CLOCK = """\
local seconds, micros = string.match(ARGV[#ARGV], '^(%d+) (%d+)$')
ARGV[#ARGV] = nil
local function is_time(name) return type(name) == 'string' and string.upper(name) == 'TIME' end
"""

_STRICT = """\
local declared = {}
for i = 1, #KEYS do declared[KEYS[i]] = true end
local rules = {%(rules)s}
local function undeclared(name, ...)
  local rule, args = rules[string.upper(tostring(name))], {...}
  if rule == nil then
    if args[1] ~= nil and not declared[tostring(args[1])] then return tostring(args[1]) end
    return nil
  end
  local first, step, last = 1, 1, #args
  if rule == 0 then last = 0
  elseif rule == 2 then last = 2
  elseif rule == 3 then step = 2
  elseif rule == 4 then first, last = 2, 1 + (tonumber(args[1]) or 0)
  elseif rule == 5 then
    if not declared[tostring(args[1])] then return tostring(args[1]) end
    first, last = 3, 2 + (tonumber(args[2]) or 0)
  elseif rule == 6 then first, last = 3, 2 + (tonumber(args[2]) or 0)
  elseif rule == 7 then first, last = 2, 2
  elseif rule == 8 then first = 2
  elseif rule == 9 then
    for i = 1, #args do
      if string.upper(tostring(args[i])) == 'STREAMS' then
        first, last = i + 1, i + math.floor((#args - i) / 2)
        break
      end
    end
  elseif rule == 10 then last = #args - 1
  elseif rule == 11 then return '*' end
  for i = first, math.min(last, #args), step do
    if not declared[tostring(args[i])] then return tostring(args[i]) end
  end
  return nil
end
"""

# Upstash runs scripts in GopherLua, whose string.format does not turn text into a number.
_NUMBERS = """\
local raw_format = string.format
local function format(pattern, ...)
  local n = 0
  for kind in string.gmatch(pattern, '%%[^%a%%]*([%a%%])') do
    if kind ~= '%' then
      n = n + 1
      local given = select(n, ...)
      if kind ~= 's' and kind ~= 'q' and type(given) ~= 'number' then
        error('string.format: %' .. kind .. ' takes a number, not a ' .. type(given), 2)
      end
    end
  end
  return raw_format(pattern, ...)
end
local string = setmetatable({format = format}, {__index = string})
"""

# A refused call counts: what was asked is what is billed.
_CALLS = """\
local function call(%(args)s)
  calls = calls + 1
%(refuse_call)s%(answer_time)s  return raw_call(%(args)s)
end
local function pcall_(%(args)s)
  calls = calls + 1
%(refuse_pcall)s%(answer_time)s  return raw_pcall(%(args)s)
end
local redis = setmetatable({call = call, pcall = pcall_}, {__index = redis})
"""
_REFUSE = """\
  local key = undeclared(name, ...)
  if key then %(deliver)s end
"""
_REFUSAL = "{err = %r .. key}"
_ANSWER_TIME = "  if is_time(name) then return {seconds, micros} end\n"

_OPEN = "local function body(...)\n"

# Level 4 or 5 of the stack is where the script called; the prologue's own lines are skipped.
_CLOSE = """
end
local ok, result = xpcall(body, function(raised)
  if type(raised) ~= 'table' or raised.err == nil then return tostring(raised) end
  for level = 3, 6 do
    local _, where = pcall(error, '', level)
    local line = string.match(tostring(where), '^user_script:(%%d+)')
    if line and tonumber(line) > %(prologue)d then
      return 'user_script:' .. line .. ': ' .. tostring(raised.err)
    end
  end
  return 'user_script: ' .. tostring(raised.err)
end)
if ok then return {calls, result} end
return {calls, false, result}
"""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A guarded script: `text` and its `sha` for the engine, `prologue` lines above the body."""

    text: bytes
    sha: bytes
    body: bytes
    prologue: int

    def located(self, message: str) -> str:
        """Where it was raised, in lines of the script as its author wrote it, and the message."""

        def shift(match: re.Match[str]) -> str:
            return f"user_script:{max(1, int(match[1]) - self.prologue)}"

        # fakeredis calls the chunk `<python>`, and tells no place for an error of a command.
        placed = re.sub(r"(?:user_script|\[string \"<python>\"\]):(\d+)", shift, message)
        return placed if placed.startswith("user_script:") else f"user_script: {placed}"


def compose(script: bytes, *, strict: bool, clock: bool) -> Guarded:
    """The guarded variant of `script`; keys are checked when it carries the flag or `strict`.

    With `clock`, the caller adds one last ARGV, `"seconds micros"`, which the script never sees
    and which answers its TIME: the text, and so its SHA, does not change with the time.
    """
    shebang, flagged, body = _shebang(script)
    prologue = _prologue(strict=strict or flagged, clock=clock)
    lines = prologue.count("\n")
    close = _CLOSE % {"prologue": lines + shebang.count("\n")}
    text = shebang.encode() + prologue.encode() + body + close.encode()
    sha = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
    return Guarded(text, sha, body, lines)


def _prologue(*, strict: bool, clock: bool) -> str:
    refusal = _REFUSAL % DYNAMIC_KEY if strict else ""
    calls = _CALLS % {
        "args": "name, ..." if strict or clock else "...",
        "answer_time": _ANSWER_TIME if clock else "",
        "refuse_call": _REFUSE % {"deliver": f"error({refusal})"} if strict else "",
        "refuse_pcall": _REFUSE % {"deliver": f"return {refusal}"} if strict else "",
    }
    checks = _STRICT % {"rules": _RULES_LUA} + _NUMBERS if strict else ""
    return _COUNT + (_CLOCK if clock else "") + checks + calls + _OPEN


def _shebang(script: bytes) -> tuple[str, bool, bytes]:
    # Local servers refuse Upstash's flag and know the others, so only that one is taken off.
    first, newline, rest = script.partition(b"\n")
    if not first.startswith(b"#!"):
        return "", False, script
    engine, *options = first.decode("utf-8", "replace").split()
    flags = [flag for option in options for flag in option.removeprefix("flags=").split(",")]
    kept = [flag for flag in flags if flag != KEY_LOCKING]
    line = f"{engine} flags={','.join(kept)}" if kept else ("--" if engine == "#!lua" else engine)
    return line + "\n", KEY_LOCKING in flags, rest if newline else b""
