"""The errors of commands that do not run: refused as Upstash refuses them, or missing here."""

from __future__ import annotations

from . import commands
from .commands import word
from .engine import EngineError
from .request import Args

_STREAM_ROUTES = ("subscribe", "monitor")
"""The first path segments under which Upstash sends server-sent events."""
_UNKNOWN_IN_SCRIPT = ("Unknown command called from script", "Unknown Redis command called")
_ALWAYS_SERVED = commands.SERVED - {"XREAD", "XREADGROUP", "MEMORY"}
_OPTION_WORDS = {"GROUP": 3, "COUNT": 2}
"""The options of XREAD and XREADGROUP that have values, and their length in words."""


def refusal(name: str, args: Args) -> EngineError | None:
    """The error for a command that the embedded store does not run, else None. `name` is in upper
    case."""
    if name in _ALWAYS_SERVED:
        return None
    if name in commands.NOT_OVER_REST or (name in {"XREAD", "XREADGROUP"} and _blocks(args)):
        return EngineError(
            f'ERR Command "{name}" is not allowed in REST or it has a special context path'
        )
    if name in commands.MISSING or name.startswith(commands.MISSING_PREFIXES):
        return missing(f"'{name}'")
    if name not in commands.SERVED or (name == "MEMORY" and not _is(args, 1, "USAGE")):
        return EngineError(
            f"ERR Command is not available: '{name}'. "
            "See https://upstash.com/docs/redis/overall/rediscompatibility for details"
        )
    return None


def read_only_refusal(name: str, *, scripts: bool) -> EngineError | None:
    """The error for a command that a read-only token may not use, else None. `scripts` is true if
    the engine can keep a script from writing."""
    if name in commands.READS and (scripts or name not in commands.SCRIPTING):
        return None
    return EngineError(f"NOPERM this user has no permissions to run the '{name.lower()}' command")


def missing(what: str, engine: str = "") -> EngineError:
    """The error for a part of Upstash that is not in the embedded store, or not on this engine."""
    where = f" on {engine}" if engine else ""
    return EngineError(
        f"ERR {what} is not in the embedded store{where}; Upstash has it. docs/embedded.md lists "
        "what is missing"
    )


def missing_route(route: str) -> EngineError | None:
    """The error for a path under which Upstash sends server-sent events, else None."""
    first = route.split("/", 2)[1].lower()
    return missing(f"/{first} (server-sent events)") if first in _STREAM_ROUTES else None


def unknown_to_engine(name: str, engine: str, error: EngineError) -> EngineError:
    """The error to answer when the engine's error is that it does not know a served command."""
    text = str(error)
    if text.startswith("ERR unknown command"):
        return missing(f"'{name}'", engine)
    if any(unknown in text for unknown in _UNKNOWN_IN_SCRIPT):
        return EngineError(
            f"{text}. Upstash may have it: docs/embedded.md lists what {engine} lacks"
        )
    return error


def _is(args: Args, index: int, expected: str) -> bool:
    return len(args) > index and word(args[index]) == expected


def _blocks(args: Args) -> bool:
    # As the server reads it: the values of GROUP and COUNT may be any words, and so may keys after
    # STREAMS. Options that are unknown here are skipped, so that a BLOCK behind them is seen.
    index = 1
    while index < len(args):
        option = word(args[index])
        if option in {"BLOCK", "STREAMS"}:
            return option == "BLOCK"
        index += _OPTION_WORDS.get(option, 1)
    return False
