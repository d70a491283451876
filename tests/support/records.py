"""Records as the scripts write them, to say in a test what must be stored."""

from __future__ import annotations

BODY = '{"type":"t"}\n{}'
"""The body of the jobs that `tests.support.turns.jobs` makes."""


def record(
    state: str = "w",
    *,
    fence: int = 0,
    attempts: int = 0,
    crashes: int = 0,
    priority: str = "n",
    redrives: int = 0,
    key: str = "-",
    dedup: str = "-",
    flags: str = "-",
    reason: str = "-",
    body: str = BODY,
    history: str = "",
    since: int | str = "",
) -> str:
    header = (state, fence, attempts, crashes, priority, len(body.encode()), redrives)
    line = " ".join(map(str, (*header, key, dedup, flags, reason))) + (f" {since}" if since else "")
    return f"{line}\n{body}{history}"
