"""The execution of commands as Upstash does it: refusals, scripts, pipelines, transactions, and the
bill of each. It is free of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import commands, positions
from .engine import Command, Engine, EngineError, Reply
from .entries import Entries
from .growth import KINDS, OVERHEAD, Kind
from .guard import GuardedScript
from .limits import Limits, size, too_large
from .meter import ServerMeter
from .refusals import read_only_refusal, refusal, unknown_to_engine
from .request import Args
from .scripts import ScriptCall, Scripts, instant, unwrap, wrong_form

_MOST_UNPACKED = 7_000
"""The words of a command that fit on Lua's stack."""


@dataclass(slots=True)
class _Step:
    """One command of a request: `command` for the engine, or None and the `answer`.

    `discards` is true if the answer is an error that discards a transaction.
    """

    name: str
    command: Command | None
    script: GuardedScript | None = None
    answer: Reply = None
    discards: bool = False
    direct: bool = False
    """True for a direct command that runs as a script; its inner call is not billed."""


class Dispatcher:
    """The executor of a request's commands. It counts them on `meter`, and raises what the engine
    raises."""

    def __init__(
        self,
        engine: Engine,
        meter: ServerMeter,
        *,
        scripts: Scripts,
        limits: Limits,
        entries: Entries,
        clock: Callable[[], int] | None,
    ) -> None:
        self._engine = engine
        self._scripts = scripts
        self._meter = meter
        self._limits = limits
        self._entries = entries
        self._clock = clock

    async def one(self, args: Args, *, read_only: bool = False) -> Reply:
        """Execute a single command."""
        prepared = await self._prepare(args, read_only=read_only)
        if isinstance(prepared, ScriptCall):
            return self._script_reply(prepared.script, await self._scripts.run(prepared))
        if prepared.command is None:
            return prepared.answer
        return self._reply(prepared, iter([await self._engine.execute(prepared.command)]))

    async def pipeline(self, rows: list[Args], *, read_only: bool = False) -> list[Reply]:
        """Execute commands in order, each with its own reply or error. Commands of other requests
        may come between them."""
        steps = [await self._step(args, read_only=read_only) for args in rows]
        replies = iter(await self._engine.send([step.command for step in steps if step.command]))
        return [self._reply(step, replies) for step in steps]

    async def transaction(
        self, rows: list[Args], *, read_only: bool = False
    ) -> list[Reply] | EngineError:
        """Execute commands atomically. Returns the reply or error of each, or the one error that
        discarded the transaction: a command that is not served or has a wrong form. Commands that
        fail when they run, unknown scripts among them, let the others run."""
        steps = [await self._step(args, read_only=read_only) for args in rows]
        for step in steps:
            if step.discards and isinstance(step.answer, EngineError):
                return step.answer
        queued = [step for step in steps if step.command]
        sent = [step.command for step in queued if step.command]
        _, *acknowledgements, result = await self._engine.send([("MULTI",), *sent, ("EXEC",)])
        for step, reply in zip(queued, acknowledgements, strict=True):
            if isinstance(reply, EngineError):
                return unknown_to_engine(step.name, self._engine.name, reply)
        if not isinstance(result, list):
            return result if isinstance(result, EngineError) else EngineError("EXECABORT discarded")
        replies = iter(result)
        return [self._reply(step, replies) for step in steps]

    async def _step(self, args: Args, *, read_only: bool) -> _Step:
        prepared = await self._prepare(args, read_only=read_only)
        if isinstance(prepared, ScriptCall):
            # As text: NOSCRIPT from the engine would break a transaction or the order of replies.
            return _Step("EVAL", prepared.by_text, prepared.script)
        return prepared

    async def _prepare(self, args: Args, *, read_only: bool) -> ScriptCall | _Step:
        name = commands.word(args[0])
        if name not in commands.NOT_BILLED:
            self._meter.commands += 1
        error = refusal(name, args)
        if error is None and read_only:
            error = read_only_refusal(name, scripts=self._engine.sandboxed)
        if error is None and name not in commands.SCRIPTING:
            error = self._limits.refusal(name, args)
        if error is not None:
            return _Step(name, None, answer=error, discards=True)
        if name in commands.SCRIPTING:
            prepared = await self._scripts.prepare(name, args)
            if isinstance(prepared, ScriptCall):
                return prepared
            return _Step(name, None, answer=prepared, discards=wrong_form(prepared))
        if name == "COMMAND":
            return _Step(name, None, answer=[])
        if name == "TIME" and self._clock is not None:
            return _Step(name, None, answer=[part.encode() for part in instant(self._clock())])
        if name == "WAIT":
            # There are no replicas: a WAIT for one would block the connection for all callers.
            return _Step(name, ("WAIT", "0", *args[2:]))
        return await self._sized_step(name, args) if name in KINDS else _Step(name, args)

    async def _sized_step(self, name: str, args: Args) -> _Step:
        """The step of a command that makes an entry grow. Near the entry's limit it runs as a
        script, which measures the entry at the moment of the write."""
        kind = KINDS[name]
        if kind > Kind.INTO:
            for key in positions.keys(name, args):
                self._entries.forget(key)
        at = 2 if kind is Kind.INTO else 1
        if kind > Kind.INTO or len(args) <= at:
            return _Step(name, args)
        key = args[at]
        count = sum(map(size, args[2:])) + OVERHEAD * len(args)
        if await self._entries.is_near(key, count):
            return await self._measured_step(name, args, key)
        if kind is Kind.INTO:
            self._entries.forget(key)
        else:
            self._entries.add(key, count)
        return _Step(name, args)

    async def _measured_step(self, name: str, args: Args, key: str | bytes) -> _Step:
        if len(args) > _MOST_UNPACKED:
            count = sum(map(size, args[2:]))
            free = await self._entries.free_bytes(key)
            limit = self._limits.entry_bytes
            if count <= free:
                return _Step(name, args)
            error = too_large("single record", limit, limit - free + count)
            return _Step(name, None, answer=error)
        call = self._scripts.limited(args, key)
        return _Step(name, call.by_text, call.script, direct=True)

    def _reply(self, step: _Step, replies: Iterator[Reply]) -> Reply:
        if step.command is None:
            return step.answer
        reply = next(replies)
        if step.script is None:
            return self._known_reply(step, reply)
        return self._script_reply(step.script, reply, billed=not step.direct)

    def _known_reply(self, step: _Step, reply: Reply) -> Reply:
        if isinstance(reply, EngineError):
            return unknown_to_engine(step.name, self._engine.name, reply)
        return reply

    def _script_reply(self, script: GuardedScript, reply: Reply, *, billed: bool = True) -> Reply:
        calls, growth, result = unwrap(script, reply)
        self._entries.report(growth)
        if billed:
            self._meter.commands += calls
        if isinstance(result, EngineError):
            return unknown_to_engine("EVAL", self._engine.name, result)
        return result
