"""What the tests of applications share: a job's context without a drain around it, and a store in
virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import pytest

from shared import JobContext
from shared.jobs.claim import Claim
from shared.testing import FakeClock, run_virtually
from tests.support.servers import Servers, empty_engine
from tests.support.world import World

Play = Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]


class MakeContext(Protocol):
    def __call__(
        self, job_id: str = ..., *, queue: str = ..., left: Callable[[], float] = ...
    ) -> JobContext: ...


@pytest.fixture
def play(engine_kind: str, servers: Servers, clock: FakeClock) -> Play:
    """Runs a story, a coroutine of one `World`, in virtual time."""

    def play(story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with empty_engine(engine_kind, servers) as engine, World(engine, clock) as world:
                await story(world)

        run_virtually(main(), clock)

    return play


@pytest.fixture
def context() -> MakeContext:
    def make(
        job_id: str = "job1", *, queue: str = "import", left: Callable[[], float] = lambda: 60.0
    ) -> JobContext:
        claim = Claim("lease", job_id, 1, queue, 0, 0, exclusive=False, body="", history="")
        return JobContext(claim, "type", budget_left=left)

    return make


@pytest.fixture(autouse=True)
def _no_host_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and folders reach no test."""
    for name in (
        "ALPACA_KEY_ID",
        "ALPACA_SECRET_KEY",
        "ALPACA_URL",
        "AWS_LAMBDA_FUNCTION_NAME",
        "RESEND_API_KEY",
        "EXPO_ACCESS_TOKEN",
        "EXPO_URL",
        "JOURNAL_DATA_DIR",
        "OPENWEATHER_API_KEY",
        "OPENWEATHER_URL",
        "WEATHER_DATA_DIR",
        "WEATHER_FILES",
        "MAIL_FROM",
        "MAIL_FOLDER",
        "DATABASE_URL",
        "DOCUMENTS_FILES",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_EMBEDDING_MODEL",
        "OPENAI_MODEL",
        "OPENPROJECT_API_KEY",
        "OPENPROJECT_CLOSED_STATUS",
        "OPENPROJECT_PROJECT",
        "OPENPROJECT_URL",
        "TASKS_DATA_DIR",
        "TASKS_TIMEZONE",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_URL",
        "TELEGRAM_USERS",
        "TRADINGVIEW_SESSION",
        "TRADINGVIEW_URL",
        "VERCEL",
    ):
        monkeypatch.delenv(name, raising=False)
