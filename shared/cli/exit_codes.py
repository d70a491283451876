"""How a command ends: its exit code, and one sentence on stderr where it failed as expected."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any, ParamSpec

import typer

from ..errors import (
    ConfigurationError,
    InvalidOption,
    InvalidPayload,
    JobNotFound,
    PayloadTooLarge,
    QuotaExceeded,
    Refused,
    Throttled,
    TidegateError,
    UnknownOutcome,
    UnknownQueue,
    UnknownType,
    Unreachable,
)

P = ParamSpec("P")


class Exit(IntEnum):
    """The exit codes of `tidegate`. docs/cli.md has the same table."""

    OK = 0
    """Done; also where there was nothing to do."""
    FAILED = 1
    """It ran and what it found or did is not well: a failed check, a refused record, our bug."""
    USAGE = 2
    """What was given can't be used: an option, a payload. Nothing was stored."""
    NOT_FOUND = 3
    """No such job, queue, job type or dead letter."""
    STORE = 4
    """The store can't be reached, did not answer, or asks to slow down. Trying again may help."""
    CONFIGURATION = 5
    """A setting or a declaration can't work, or the store refuses the token. Trying again won't."""
    INTERRUPTED = 130
    """Ctrl-C, or SIGTERM where that does not end the command in order."""


_CODES: tuple[tuple[tuple[type[TidegateError], ...], Exit], ...] = (
    ((InvalidOption, InvalidPayload, PayloadTooLarge), Exit.USAGE),
    ((JobNotFound, UnknownQueue, UnknownType), Exit.NOT_FOUND),
    ((ConfigurationError, Refused), Exit.CONFIGURATION),
    ((Unreachable, UnknownOutcome, Throttled, QuotaExceeded), Exit.STORE),
)


def exit_of(error: TidegateError) -> Exit:
    """The code that stands for an error."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), Exit.FAILED)


def command(main: Callable[P, Coroutine[Any, Any, Exit]]) -> Callable[P, None]:
    """A coroutine as a command: run to its exit code; an expected error is a sentence, no trace."""

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_guarded(lambda: _run(main(*args, **kwargs))))

    return run


def _guarded(work: Callable[[], Exit]) -> Exit:
    try:
        return work()
    except TidegateError as error:
        print(f"tidegate: {error}", file=sys.stderr)
        return exit_of(error)
    except KeyboardInterrupt:
        print("tidegate: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _run(main: Coroutine[Any, Any, Exit]) -> Exit:
    import asyncio
    import importlib.util

    loop_factory = None
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            return runner.run(main)
        except asyncio.CancelledError:  # SIGTERM, where a command takes it for a Ctrl-C
            raise KeyboardInterrupt from None
