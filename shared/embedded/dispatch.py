"""Runs commands on the engine the way Upstash does: refusals, scripts, pipelines, transactions,
and what each of them bills. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import commands
from .engine import Command, Engine, EngineError, Reply
from .guard import Guarded
from .meter import Meter
from .request import Args
from .scripts import ScriptCall, Scripts, instant, settle


@dataclass(frozen=True, slots=True)
class _Step:
    """One command of a request: sent to the engine, or answered without it."""

    command: Command | None
    script: Guarded | None = None
    answer: Reply = None


class Dispatcher:
    """Executes what a request asks, and counts it on `meter`. Raises what the engine raises."""

    def __init__(
        self, engine: Engine, scripts: Scripts, meter: Meter, clock: Callable[[], int] | None
    ) -> None:
        self._engine = engine
        self._scripts = scripts
        self._meter = meter
        self._clock = clock

    async def one(self, args: Args) -> Reply:
        """A command by itself."""
        prepared = await self._prepare(args)
        if isinstance(prepared, ScriptCall):
            return self._settled(prepared.script, await self._scripts.run(prepared))
        if prepared.command is None:
            return prepared.answer
        return await self._engine.execute(prepared.command)

    async def pipeline(self, rows: list[Args]) -> list[Reply]:
        """In order, each with its own reply or error; others' commands may come between."""
        steps = [await self._step(args) for args in rows]
        sent = iter(await self._engine.send([step.command for step in steps if step.command]))
        return [self._reply(step, sent) for step in steps]

    async def transaction(self, rows: list[Args]) -> list[Reply] | EngineError:
        """Atomic. The error that discarded it as a whole, or each command's reply or error."""
        steps = [await self._step(args) for args in rows]
        for step in steps:
            if step.command is None and isinstance(step.answer, EngineError):
                return step.answer
        queued = [step.command for step in steps if step.command]
        _, *acknowledged, done = await self._engine.send([("MULTI",), *queued, ("EXEC",)])
        for reply in acknowledged:
            if isinstance(reply, EngineError):
                return reply
        if not isinstance(done, list):
            return done if isinstance(done, EngineError) else EngineError("EXECABORT discarded")
        sent = iter(done)
        return [self._reply(step, sent) for step in steps]

    async def _step(self, args: Args) -> _Step:
        prepared = await self._prepare(args)
        if isinstance(prepared, ScriptCall):
            # As text: a script unknown to the engine must not break the order, or a transaction.
            return _Step(prepared.by_text, prepared.script)
        return prepared

    async def _prepare(self, args: Args) -> ScriptCall | _Step:
        name = commands.word(args[0])
        if name not in commands.NOT_BILLED:
            self._meter.commands += 1
        refused = commands.refusal(name, args)
        if refused is not None:
            return _Step(None, answer=refused)
        if name in commands.SCRIPTING:
            prepared = await self._scripts.prepare(name, args)
            return prepared if isinstance(prepared, ScriptCall) else _Step(None, answer=prepared)
        if name == "COMMAND":
            return _Step(None, answer=[])
        if name == "TIME" and self._clock is not None:
            return _Step(None, answer=[part.encode() for part in instant(self._clock())])
        if name == "WAIT":
            # No replicas here: asking for none answers at once, where one would block everybody.
            return _Step(("WAIT", "0", *args[2:]))
        return _Step(args)

    def _reply(self, step: _Step, sent: Iterator[Reply]) -> Reply:
        if step.command is None:
            return step.answer
        reply = next(sent)
        return reply if step.script is None else self._settled(step.script, reply)

    def _settled(self, script: Guarded, reply: Reply) -> Reply:
        calls, result = settle(script, reply)
        self._meter.commands += calls
        return result
