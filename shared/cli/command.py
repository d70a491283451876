"""The `command` decorator: runs a coroutine as a command and turns its end into an exit code.

Typer reads a command's help from its docstring. Under `python -OO`, which is for functions and not
for people at a terminal, `--help` shows commands and options without it.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import typer

from ..errors import TidegateError
from .exit_codes import Exit, exit_of

P = ParamSpec("P")


def command(main: Callable[P, Coroutine[Any, Any, Exit]]) -> Callable[P, None]:
    """Run a coroutine function as a command. An expected error is one sentence on stderr."""

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_exit_of(lambda: _run(main(*args, **kwargs))))

    return run


def _exit_of(function: Callable[[], Exit]) -> Exit:
    try:
        return function()
    except TidegateError as error:
        print(f"tidegate: {error}", file=sys.stderr)
        return exit_of(error)
    except (KeyboardInterrupt, typer.Abort):  # an Abort: Ctrl-C or the end of input at a question
        print("tidegate: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:  # `| head` reads no further
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        from ..jobs.stack import in_one_line, own_frames

        if not own_frames(error.__traceback__, ""):
            raise  # ours
        print(f"tidegate: your code failed: {in_one_line(error)}", file=sys.stderr)
        return Exit.FAILED


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
        except asyncio.CancelledError:  # a stop signal cancelled the command
            raise KeyboardInterrupt from None
