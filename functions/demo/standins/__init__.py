"""Local stand-ins of the providers: servers on loopback that speak their HTTP, with faults.

The applications reach them by the same settings as any other address of a provider
(`OPENWEATHER_URL`, `TRADINGVIEW_URL`, …), and know nothing of them.
"""

from __future__ import annotations

from .faults import Faults
from .server import StandIns, serve_standins

__all__ = ["Faults", "StandIns", "serve_standins"]
