"""The memory bound of a child process: each of its jobs may take as much as the first one could."""

from __future__ import annotations

import sys
from pathlib import Path

MIB = 2**20
MOST_LEFT = 0.5
"""The share of the bound that the jobs of a child may leave behind: then it serves no more."""


class MemoryBound:
    """At most `bound` bytes of memory of this process's own while a job runs; None: any. Linux
    only. What earlier jobs have left is not counted: the next one did not take it."""

    def __init__(self, bound: int | None) -> None:
        self.bound = bound if sys.platform == "linux" else None
        self._before, self._hard = 0, -1
        if self.bound is None:
            return
        import resource  # noqa: PLC0415 - not on Windows

        self._hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if self._hard != resource.RLIM_INFINITY:  # the host's own bound, which can't be raised
            self.bound = min(self.bound, self._hard)

    def set(self) -> None:
        """From now on it holds."""
        if self.bound is not None:
            self._before = self._before or _bytes_used()
            soft = self.bound + self._bytes_left()
            self._limit(soft if self._hard < 0 else min(soft, self._hard))

    def lift(self) -> None:
        """End of `set`: the report about a job that has used all of it needs memory, too."""
        if self.bound is not None:
            self._limit(self._hard)

    @property
    def is_outgrown(self) -> bool:
        """True if the jobs have left so much behind that a new process is to serve the next one."""
        return self.bound is not None and self._bytes_left() > MOST_LEFT * self.bound

    @property
    def text(self) -> str:
        """Of a job that has used all of it."""
        return f"exceeded its memory bound of {(self.bound or 0) / MIB:g} MiB"

    def _bytes_left(self) -> int:
        return max(0, _bytes_used() - self._before)

    def _limit(self, soft: int) -> None:
        import resource  # noqa: PLC0415 - as above

        resource.setrlimit(resource.RLIMIT_DATA, (soft, self._hard))


def _bytes_used() -> int:
    """Bytes that the limit counts (its thread stacks included)."""
    import resource  # noqa: PLC0415 - as above

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    return pages * resource.getpagesize()
