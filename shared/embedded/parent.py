"""A parent-death signal: it ends a child process when its parent dies in any way."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """The function to run between fork and exec; None on a system without that signal (macOS).

    The signal is SIGKILL: a server with a script that has written ignores any other until the
    script ends. The server has passed every acknowledged write to the kernel by then.

    It imports and looks up nothing after the fork, because another thread may have held a lock at
    the fork, and no thread of the child would release it.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def request_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before prctl

    return request_signal
