"""All stand-ins behind one address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from shared.cli.servers import serving

from . import openproject, telegram
from .alpaca import Alpaca
from .expo import Expo
from .faults import Faults
from .openai import OpenAI
from .openproject import OpenProject
from .openweather import OpenWeather
from .telegram import Telegram
from .tradingview import SESSION, TradingView


@dataclass(slots=True)
class StandIns:
    """The running stand-ins. Each fault is met by one of so many subjects."""

    alpaca: Alpaca = field(default_factory=lambda: Alpaca(Faults(every=2)))
    expo: Expo = field(default_factory=lambda: Expo(Faults(every=3)))
    openai: OpenAI = field(default_factory=lambda: OpenAI(Faults(every=4, takes=1.5)))
    openproject: OpenProject = field(
        default_factory=lambda: OpenProject(Faults(every=6, refusal=openproject.refusal))
    )
    openweather: OpenWeather = field(default_factory=lambda: OpenWeather(Faults(every=4)))
    telegram: Telegram = field(
        default_factory=lambda: Telegram(Faults(every=4, refusal=telegram.refusal))
    )
    tradingview: TradingView = field(default_factory=lambda: TradingView(Faults(every=10)))
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which the applications reach them."""
        return {
            "ALPACA_URL": f"{self.url}/alpaca",
            "ALPACA_KEY_ID": "demo",
            "ALPACA_SECRET_KEY": "demo",
            "EXPO_URL": f"{self.url}/expo",
            "OPENAI_BASE_URL": f"{self.url}/openai",
            "OPENAI_API_KEY": "demo",
            "OPENPROJECT_URL": f"{self.url}/openproject",
            "OPENPROJECT_API_KEY": openproject.API_KEY,
            "OPENPROJECT_PROJECT": openproject.PROJECT,
            "OPENWEATHER_URL": f"{self.url}/openweather",
            "OPENWEATHER_API_KEY": "demo",
            "TELEGRAM_URL": f"{self.url}/telegram",
            "TELEGRAM_BOT_TOKEN": telegram.BOT_TOKEN,
            "TELEGRAM_USERS": ",".join(map(str, telegram.TEAM)),
            "TRADINGVIEW_URL": f"{self.url}/tradingview",
            "TRADINGVIEW_SESSION": SESSION,
        }

    @property
    def faults(self) -> dict[str, Faults]:
        """By provider."""
        return {
            "Alpaca": self.alpaca.faults,
            "Expo": self.expo.faults,
            "OpenAI": self.openai.faults,
            "OpenProject": self.openproject.faults,
            "OpenWeather": self.openweather.faults,
            "Telegram": self.telegram.faults,
            "TradingView": self.tradingview.faults,
        }

    def app(self) -> Starlette:
        """One application, a folder a provider."""
        named = {
            "alpaca": self.alpaca.routes(),
            "expo": self.expo.routes(),
            "openai": self.openai.routes(),
            "openproject": self.openproject.routes(),
            "openweather": self.openweather.routes(),
            "telegram": self.telegram.routes(),
            "tradingview": self.tradingview.routes(),
        }
        return Starlette(routes=[Mount(f"/{name}", routes=own) for name, own in named.items()])


@asynccontextmanager
async def serve_standins(standins: StandIns | None = None) -> AsyncIterator[StandIns]:
    """Serve them on a free port of loopback during the block."""
    standins = standins or StandIns()
    config = uvicorn.Config(
        standins.app(), log_level="warning", access_log=False, server_header=False, ws="none"
    )
    async with serving(config, port=0) as standins.url:
        yield standins
