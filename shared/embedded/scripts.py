"""The script cache of the embedded server. Its keys are SHA-1s of the texts that clients send; it
runs their guarded variants."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container
from dataclasses import dataclass

from .commands import word
from .engine import Command, Engine, EngineError, Reply
from .entries import Entries
from .guard import GuardedScript, compose
from .limits import Limits

# Compiles without a run: it detects a body that would close the guard's function early.
_COMPILES = b"""\
local compiled, reason = loadstring(ARGV[1], '@user_script')
if compiled then return 1 end
return {err = 'ERR Error compiling script (new function): ' .. reason}
"""
_ONE_COMMAND = b"return redis.pcall(unpack(ARGV))"
_NO_SCRIPT = EngineError("NOSCRIPT No matching script. Please use EVAL.")
_RETURNED = 2  # elements of the guard's reply if the script raised no error
_NOT_BUSY = EngineError("NOTBUSY No scripts in execution right now.")


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A script call for the engine, in two forms: by SHA and as text."""

    script: GuardedScript
    by_sha: Command
    by_text: Command


class Scripts:
    """The loaded scripts. On an engine without a sandbox, `allowed` lists the SHA-1s (of texts that
    clients send) that may run."""

    def __init__(
        self,
        engine: Engine,
        *,
        strict: bool,
        clock: Callable[[], int] | None,
        allowed: Container[str] | None,
        limits: Limits,
        entries: Entries,
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._entries = entries
        self._growth = limits.lua(sandboxed=engine.sandboxed)
        self._strict = strict
        self._clock = clock
        self._allowed = allowed
        self._known: dict[str, GuardedScript] = {}
        self._prefaces: dict[str, str] = {}

    def preface_next(self, sha: str, lua: str) -> None:
        """Put one line of Lua in front of the next run of the script with this SHA-1."""
        self._prefaces[sha] = lua

    async def prepare(self, name: str, args: list[str | bytes]) -> ScriptCall | Reply:
        """The call for an EVAL or EVALSHA, or the reply to a SCRIPT command or to an error."""
        if name == "SCRIPT":
            return await self._manage(args)
        if len(args) < 3:
            return EngineError(f"ERR wrong number of arguments for '{name.lower()}' command")
        if error := _key_count_error(args):
            return error
        if name.startswith("EVALSHA"):
            sha = word(args[1]).lower()
            loaded: GuardedScript | EngineError = self._known.get(sha, _NO_SCRIPT)
        else:
            sha = _sha1(args[1])
            loaded = await self._load(args[1])
        if isinstance(loaded, EngineError):
            return loaded
        preface = self._prefaces.pop(sha, "") if self._prefaces else ""
        script = loaded.prefaced(preface) if preface else loaded
        return await self._call(script, args, read_only=name.endswith("_RO"))

    async def run(self, call: ScriptCall) -> Reply:
        """The engine's reply to a call; `unwrap` reads it."""
        reply = await self._engine.execute(call.by_sha)
        if isinstance(reply, EngineError) and str(reply).startswith("NOSCRIPT"):
            return await self._engine.execute(call.by_text)
        return reply

    def limited(self, args: list[str | bytes], key: str | bytes) -> ScriptCall:
        """A direct command as a script that measures its entry first."""
        script = compose(_ONE_COMMAND, strict=False, clock=False, growth=self._growth)
        script = script.measuring(self._limits.entry_bytes)
        rest = ("1", key, *args)
        return ScriptCall(script, ("EVALSHA", script.sha, *rest), ("EVAL", script.text, *rest))

    async def _call(
        self, script: GuardedScript, args: list[str | bytes], *, read_only: bool
    ) -> ScriptCall | EngineError:
        keys = args[3 : 3 + int(args[2])]
        error = self._limits.keys_refusal(keys)
        if error is not None:
            return error
        if not read_only and await self._entries.any_near(keys, others=not script.checked):
            script = script.measuring(self._limits.entry_bytes)
        rest = args[2:]
        if self._clock is not None:
            rest.append("{} {}".format(*instant(self._clock())))
        suffix = "_RO" if read_only and self._engine.sandboxed else ""
        return ScriptCall(
            script,
            (f"EVALSHA{suffix}", script.sha, *rest),
            (f"EVAL{suffix}", script.text, *rest),
        )

    async def _manage(self, args: list[str | bytes]) -> Reply:
        verb = word(args[1]) if len(args) > 1 else ""
        if verb == "LOAD" and len(args) == 3:
            loaded = await self._load(args[2])
            return loaded if isinstance(loaded, EngineError) else _sha1(args[2]).encode()
        if verb == "EXISTS" and len(args) > 2:
            return [int(word(sha).lower() in self._known) for sha in args[2:]]
        if verb == "FLUSH":
            self._known.clear()
            return b"OK"
        if verb == "KILL":
            return _NOT_BUSY
        return EngineError(f"ERR unknown subcommand or wrong number of arguments for '{verb}'")

    async def _load(self, text: str | bytes) -> GuardedScript | EngineError:
        sha = _sha1(text)
        known = self._known.get(sha)
        if known is not None:
            return known
        script = compose(
            text if isinstance(text, bytes) else text.encode(),
            strict=self._strict,
            clock=self._clock is not None,
            growth=self._growth,
        )
        if not self._engine.sandboxed:
            if self._allowed is None or sha not in self._allowed:
                return EngineError(
                    f"ERR Script {sha} is not on the list of known scripts, and {self._engine.name}"
                    " would let it reach this machine. Run it on a real server."
                )
        else:
            verdict = await self._engine.execute(("EVAL", _COMPILES, "0", script.body))
            if isinstance(verdict, EngineError):
                return verdict
        self._known[sha] = script
        return script


def unwrap(script: GuardedScript, reply: Reply) -> tuple[int, list[Reply], Reply]:
    """The number of inner calls, the growth of entries (see `Entries.report`), and the reply for
    the script's caller.

    A value that a script returns, error replies included, is unchanged. An error that it raises is
    wrapped as Upstash does it, with the code in the middle.
    """
    if not isinstance(reply, list) or not reply or not isinstance(reply[0], list):
        return 0, [], reply
    calls, *growth = reply[0]
    calls = calls if isinstance(calls, int) else 0
    if len(reply) > _RETURNED:
        raised = reply[-1].decode("utf-8", "replace") if isinstance(reply[-1], bytes) else ""
        return calls, growth, EngineError(f"ERR Error running script: @{script.located(raised)}")
    # Lua drops a nil at the end of a table: the script returned nothing.
    return calls, growth, reply[1] if len(reply) == _RETURNED else None


def wrong_form(reply: Reply) -> bool:
    """True for the errors that a server detects before it runs a script command."""
    forms = ("ERR wrong number of arguments", "ERR unknown subcommand")
    return isinstance(reply, EngineError) and str(reply).startswith(forms)


def instant(now_ms: int) -> tuple[str, str]:
    """An epoch in milliseconds as TIME answers it: seconds and microseconds."""
    seconds, millis = divmod(now_ms, 1000)
    return str(seconds), str(millis * 1000)


def _key_count_error(args: list[str | bytes]) -> EngineError | None:
    # Not left to the engine: with the clock's extra argument it would accept one key too many.
    try:
        keys = int(args[2])
    except ValueError:
        return EngineError("ERR value is not an integer or out of range")
    if keys < 0:
        return EngineError("ERR Number of keys can't be negative")
    if keys > len(args) - 3:
        return EngineError("ERR Number of keys can't be greater than number of args")
    return None


def _sha1(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()
