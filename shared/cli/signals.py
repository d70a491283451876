"""Ctrl-C and SIGTERM for commands that run until stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def stop_signals(stop: Callable[[], object]) -> Generator[None, None, None]:
    """Call `stop` on Ctrl-C or SIGTERM during the block, instead of ending the process."""
    import asyncio

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
