"""Starts of functions without garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Generator[None, None, None]:
    """No garbage collection during the block, nor of what it leaves: modules and classes stay as
    long as the process, so a collector finds nothing among them. Changes nothing where collection
    is off already."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
