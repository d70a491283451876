"""All stand-ins behind one address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from shared.cli.servers import serving

from .alpaca import Alpaca
from .expo import Expo
from .faults import Faults
from .openai import OpenAI
from .openweather import OpenWeather
from .tradingview import SESSION, TradingView


@dataclass(slots=True)
class StandIns:
    """The running stand-ins. Each fault is met by one of so many subjects."""

    alpaca: Alpaca = field(default_factory=lambda: Alpaca(Faults(every=2)))
    expo: Expo = field(default_factory=lambda: Expo(Faults(every=3)))
    openai: OpenAI = field(default_factory=lambda: OpenAI(Faults(every=4, takes=1.5)))
    openweather: OpenWeather = field(default_factory=lambda: OpenWeather(Faults(every=4)))
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
            "OPENWEATHER_URL": f"{self.url}/openweather",
            "OPENWEATHER_API_KEY": "demo",
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
            "OpenWeather": self.openweather.faults,
            "TradingView": self.tradingview.faults,
        }

    def app(self) -> Starlette:
        """One application, a folder a provider."""
        named = {
            "alpaca": self.alpaca.routes(),
            "expo": self.expo.routes(),
            "openai": self.openai.routes(),
            "openweather": self.openweather.routes(),
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
