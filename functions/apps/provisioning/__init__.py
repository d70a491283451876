"""Access provisioning: users who bought a trading strategy get access to it on TradingView, and an
email that says so."""

from __future__ import annotations

from .handlers import grant_access, send_granted
from .payloads import AccessGrant
from .queues import app

__all__ = ["AccessGrant", "app", "grant_access", "send_granted"]
