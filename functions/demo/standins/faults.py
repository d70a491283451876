"""The faults of a stand-in: which requests meet one, and of which kind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

KINDS = ("429", "503", "garbage", "slow", "lost answer")
"""Retry-After of a second; an outage; a proxy's page with status 200; an answer after two seconds;
the work is done, and a gateway's 504 answers."""
RETRY_AFTER = 1
"""Seconds."""
SLOW = 2.0
_PAGE = "<html><head><title>Welcome</title></head><body>You are connected.</body></html>"


def message(_status: int, text: str) -> dict[str, Any]:
    """The body of a refusal."""
    return {"message": text}


@dataclass(slots=True)
class Faults:
    """The first request of every `every`-th subject meets a fault, each kind in turn; 0: none does.

    A subject is what a request is about: a user, a place, a document. One that has met its fault is
    served from then on, so that each job has an attempt that succeeds.
    """

    every: int = 0
    takes: float = 0.0
    """Seconds that the service needs for an answer."""
    refusal: Callable[[int, str], dict[str, Any]] = message
    """The body of the service's own refusals, of the status and a text."""
    met: Counter[str] = field(default_factory=Counter)
    """Faults by kind."""
    starts: list[float] = field(default_factory=list)
    """When each request came, by the event loop's clock (seconds)."""
    most_at_once: int = 0
    _at_once: int = 0
    _subjects: set[str] = field(default_factory=set)

    @property
    def requests(self) -> int:
        return len(self.starts)

    async def answer(self, subject: str, serve: Callable[[], Response]) -> Response:
        """What `serve` answers, unless this request meets a fault."""
        with self._count_call():
            await asyncio.sleep(self.takes)
            kind = self._fault(subject)
            match kind:
                case "429":
                    headers = {"retry-after": str(RETRY_AFTER)}
                    return JSONResponse(self.refusal(429, "slow down"), 429, headers)
                case "503":
                    return JSONResponse(self.refusal(503, "down for maintenance"), 503)
                case "garbage":
                    return HTMLResponse(_PAGE)
                case "slow":
                    await asyncio.sleep(SLOW)
                case "lost answer":
                    serve()
                    return JSONResponse({"message": "gateway timeout"}, 504)
            return serve()

    def _fault(self, subject: str) -> str | None:
        if self.every == 0 or subject in self._subjects:
            return None
        self._subjects.add(subject)
        if len(self._subjects) % self.every:
            return None
        kind = KINDS[self.met.total() % len(KINDS)]
        self.met[kind] += 1
        return kind

    @contextmanager
    def _count_call(self) -> Generator[None, None, None]:
        self.starts.append(asyncio.get_running_loop().time())
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            self._at_once -= 1
