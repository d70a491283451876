"""What the tests of applications share: a job's context without a drain around it, and a store in
virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from functions.demo.standins import Faults, StandIns, openproject, telegram
from functions.demo.standins.alpaca import Alpaca, fills_at
from functions.demo.standins.openai import OpenAI
from functions.demo.standins.openproject import OpenProject
from functions.demo.standins.openweather import OpenWeather, days
from functions.demo.standins.telegram import Telegram
from functions.demo.standins.tradingview import TradingView
from functions.demo.workloads.trading_journal import price_lines
from shared import JobContext
from shared.jobs.claim import Claim
from shared.testing import FakeClock, run_virtually
from tests.support.servers import Servers, empty_engine
from tests.support.world import World

from .outside import outside

PAGE = "# Kettle\n\nThe kettle boils a litre of water in three minutes. It stops by itself.\n"
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
def standins() -> StandIns:
    """All providers, healthy. A request takes a while."""
    return StandIns(
        alpaca=Alpaca(Faults(), fills_at(price_lines()[-5:])),
        openai=OpenAI(Faults(takes=2.0)),
        openproject=OpenProject(Faults(refusal=openproject.refusal)),
        openweather=OpenWeather(Faults(takes=0.3), days()[:1]),
        telegram=Telegram(Faults(refusal=telegram.refusal)),
        tradingview=TradingView(Faults(takes=0.3)),
    )


@pytest.fixture
def folder(standins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The applications' files, and the stand-ins in the place of their providers."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "kettle.md").write_text(PAGE, encoding="utf-8")
    with outside(standins, tmp_path, monkeypatch):
        yield tmp_path


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
        "WEATHER_RECEIPTS_AFTER",
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
        "TELEGRAM_BOT_NAME",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_URL",
        "TELEGRAM_USERS",
        "TRADINGVIEW_SESSION",
        "TRADINGVIEW_URL",
        "VERCEL",
    ):
        monkeypatch.delenv(name, raising=False)
