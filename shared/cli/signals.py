"""Ctrl-C and SIGTERM for commands that run until stopped, and for questions."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from .exit_codes import Exit

EXITS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


@dataclass(slots=True)
class SignalExit:
    """The exit code of the first signal that came; OK before one."""

    exit: Exit = Exit.OK


@contextmanager
def stop_signals(stop: Callable[[], object]) -> Generator[SignalExit, None, None]:
    """Call `stop` on Ctrl-C or SIGTERM during the block, instead of ending the process."""
    import asyncio

    signal_exit = SignalExit()

    def on(number: signal.Signals) -> None:
        signal_exit.exit = signal_exit.exit or EXITS[number]
        stop()

    loop = asyncio.get_running_loop()
    for number in EXITS:
        loop.add_signal_handler(number, on, number)
    try:
        yield signal_exit
    finally:
        for number in EXITS:
            loop.remove_signal_handler(number)


@contextmanager
def interruptible() -> Generator[None, None, None]:
    """Ctrl-C raises KeyboardInterrupt at once during the block, which blocks the event loop. Its
    runner would only cancel the command, which can't end before the block does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
