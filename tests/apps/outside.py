"""The outside world of the applications in one process: the demonstration's stand-ins of the
providers, reached through httpx without a socket. They run in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import respx

from functions.demo.standins import StandIns
from functions.providers.database import close_databases

HOST = "http://providers.test"
_FAILING: dict[str, Callable[[httpx.Request], httpx.Response | None]] = {}


@contextmanager
def failing(
    provider: str, answer: Callable[[httpx.Request], httpx.Response | None]
) -> Generator[None, None, None]:
    """In the block this provider answers what `answer` says, or where that is None, itself."""
    _FAILING[provider] = answer
    try:
        yield
    finally:
        del _FAILING[provider]


@contextmanager
def outside(
    standins: StandIns, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[None, None, None]:
    """Configure the applications for these stand-ins, and for files in this folder."""
    standins.url = HOST
    own = {
        "MAIL_FOLDER": str(folder / "mail"),
        "JOURNAL_DATA_DIR": str(folder),
        "TASKS_DATA_DIR": str(folder),
        "WEATHER_DATA_DIR": str(folder),
        "WEATHER_FILES": str(folder),
        "DOCUMENTS_FILES": str(folder),
    }
    for name, value in (standins.environment | own).items():
        monkeypatch.setenv(name, value)
    transport = httpx.ASGITransport(standins.app())

    async def serve(request: httpx.Request) -> httpx.Response:
        fail = _FAILING.get(request.url.path.split("/")[1])
        return (fail and fail(request)) or await transport.handle_async_request(request)

    with respx.mock(assert_all_called=False) as router:
        router.route(url__startswith=HOST).mock(side_effect=serve)
        yield
    close_databases()
