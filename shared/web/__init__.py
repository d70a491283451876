"""The HTTP API: one table of routes over the store's verbs. Declares no queue and runs no job."""

from __future__ import annotations

from .app import create_app
from .site import Site

__all__ = ["Site", "create_app"]
