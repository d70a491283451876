"""The standard streams of the process, which its caller may have closed (`tidegate status >&-`)."""

from __future__ import annotations

import os
import sys

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """Open each closed standard stream on the null device: what a command would read is empty, and
    what it prints is gone, as its caller asked.

    Else the next file or socket takes the number of the stream. Output would go there, and the
    event loop aborts the process when it closes such a number.
    """
    for number, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
