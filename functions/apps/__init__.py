"""The one list of what this deployment serves."""

from __future__ import annotations

from . import trading_journal

APPS = (trading_journal.app,)
