"""The store: typed verbs over one Lua script each, through one REST client."""

from __future__ import annotations

from .store import Store
from .turn import TurnReply, TurnRequest

__all__ = ["Store", "TurnReply", "TurnRequest"]
