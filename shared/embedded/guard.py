"""The guarded variant of a script: it counts inner calls, refuses undeclared keys, and formats
numbers as Upstash's Lua does.

The script's body is unchanged, below a prologue that shadows `redis` with counting functions. The
reply is `{calls, result}`, or `{calls, false, text}` if the script raised an error. With limits on
sizes, `calls` is a list: the number of calls, and what the entries have grown by (see `growth`).
The guard is a meter and a check, not a sandbox: a script can bypass it through `_G.redis`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from .growth import without_slack
from .positions import RULES_LUA

DYNAMIC_KEY = (
    "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. "
    "Key was: "
)
KEY_LOCKING = "allow-key-locking"

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
local function undeclared(name, args)
  local rule = rules[name]
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

# Upstash runs scripts in GopherLua, whose string.format does not convert text to a number.
_NUMBERS = """\
local raw_format = string.format
local function format(pattern, ...)
  local n = 0
  for kind in string.gmatch(pattern, '%%[^%a%%]*([%a%%])') do
    if kind ~= '%' then
      n = n + 1
      local value = select(n, ...)
      if kind ~= 's' and kind ~= 'q' and type(value) ~= 'number' then
        error('string.format: %' .. kind .. ' takes a number, not a ' .. type(value), 2)
      end
    end
  end
  return raw_format(pattern, ...)
end
local string = setmetatable({format = format}, {__index = string})
"""

# A refused call counts too: Upstash bills every call.
_CALLS = """\
local function call(%(args)s)
  calls = calls + 1
%(words)s%(refuse_call)s%(oversize_call)s%(answer_time)s  return raw_call(%(args)s)
end
local function pcall_(%(args)s)
  calls = calls + 1
%(words)s%(refuse_pcall)s%(oversize_pcall)s%(answer_time)s  return raw_pcall(%(args)s)
end
local redis = setmetatable({call = call, pcall = pcall_}, {__index = redis})
"""
_WORDS = "  local upper, words = string.upper(tostring(name)), {...}\n"
_REFUSE = """\
  local key = undeclared(upper, words)
  if key then %(deliver)s end
"""
_OVERSIZE = """\
  local excess = oversize(upper, words)
  if excess then %s end
"""
_REFUSAL = "{err = %r .. key}"
_ANSWER_TIME = "  if is_time(name) then return {seconds, micros} end\n"

# The reply is checked here, because the engine's reader loses the connection of all callers when it
# meets a reply of more than about 1,000 levels.
_DEPTH = """\
local function deeper(value, levels)
  if type(value) ~= 'table' then return false end
  if levels == 0 then return true end
  for i = 1, #value do
    if deeper(value[i], levels - 1) then return true end
  end
  return false
end
"""
MAX_DEPTH = 100
"""The levels of a script's reply."""

_OPEN = "local function body(...)\n"

# The script's own call is at level 4 or 5 of the stack; lines of the prologue are skipped.
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
if ok and deeper(result, %(depth)d) then
  ok, result = false, 'ERR the reply is nested deeper than %(depth)d levels'
end
if ok then return {%(counts)s, result} end
return {%(counts)s, false, result}
"""


@dataclass(frozen=True, slots=True)
class GuardedScript:
    """A guarded script: `text` and its `sha` for the engine, and the number of `prologue` lines
    above the body."""

    text: bytes
    sha: bytes
    body: bytes
    prologue: int
    checked: bool
    """True if the script may use declared keys only."""

    def prefaced(self, lua: str) -> GuardedScript:
        """This script with `lua` in front of its body. `lua` is one line, so that the numbers of
        the body's lines stay."""
        opening = _OPEN.encode()
        text = self.text.replace(opening, b"%b%b " % (opening, lua.encode()), 1)
        return replace(self, text=text, sha=_sha1(text))

    def measuring(self, entry_limit: int) -> GuardedScript:
        """This script, measuring every entry before it grows."""
        text = without_slack(self.text, entry_limit)
        return replace(self, text=text, sha=_sha1(text))

    def located(self, message: str) -> str:
        """The message with its line number in the author's script, without the prologue."""

        def shift(match: re.Match[str]) -> str:
            return f"user_script:{max(1, int(match[1]) - self.prologue)}"

        # fakeredis names the chunk `<python>`, and gives no line for an error of a command.
        shifted = re.sub(r"(?:user_script|\[string \"<python>\"\]):(\d+)", shift, message)
        return shifted if shifted.startswith("user_script:") else f"user_script: {shifted}"


def compose(script: bytes, *, strict: bool, clock: bool, growth: str = "") -> GuardedScript:
    """The guarded variant of `script`. Its keys are checked if it has the flag, or with `strict`.

    With `clock`, the caller appends an ARGV, `"seconds micros"`. The prologue removes it and uses
    it as the reply to TIME, so the text and its SHA do not change with the time. `growth` is the
    Lua of limits on sizes.
    """
    shebang, flagged, body = _shebang(script)
    checked = strict or flagged
    prologue = _prologue(strict=checked, clock=clock, growth=growth)
    lines = prologue.count("\n")
    close = _CLOSE % {
        "prologue": lines + shebang.count("\n"),
        "depth": MAX_DEPTH,
        "counts": "counts()" if growth else "calls",
    }
    text = shebang.encode() + prologue.encode() + body + close.encode()
    return GuardedScript(text, _sha1(text), body, lines, checked)


def _sha1(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


def _prologue(*, strict: bool, clock: bool, growth: str) -> str:
    refusal = _REFUSAL % DYNAMIC_KEY if strict else ""
    args = "name, ..." if strict or clock or growth else "..."
    calls = _CALLS % {
        "args": args,
        "words": _WORDS if strict or growth else "",
        "answer_time": _ANSWER_TIME if clock else "",
        "refuse_call": _REFUSE % {"deliver": f"error({refusal})"} if strict else "",
        "refuse_pcall": _REFUSE % {"deliver": f"return {refusal}"} if strict else "",
        "oversize_call": _OVERSIZE % "error(excess)" if growth else "",
        "oversize_pcall": _OVERSIZE % "return excess" if growth else "",
    }
    checks = _STRICT % {"rules": RULES_LUA} + _NUMBERS if strict else ""
    return _COUNT + (_CLOCK if clock else "") + growth + checks + calls + _DEPTH + _OPEN


def _shebang(script: bytes) -> tuple[str, bool, bytes]:
    # Local servers accept all flags but Upstash's, so only that one is removed.
    first, newline, rest = script.partition(b"\n")
    if not first.startswith(b"#!"):
        return "", False, script
    engine, *options = first.decode("utf-8", "replace").split()
    flags = [flag for option in options for flag in option.removeprefix("flags=").split(",")]
    others = [flag for flag in flags if flag != KEY_LOCKING]
    bare = "--" if engine == "#!lua" else engine
    line = f"{engine} flags={','.join(others)}" if others else bare
    return line + "\n", KEY_LOCKING in flags, rest if newline else b""
