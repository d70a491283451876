"""The HTTP API: one table of operations over the store's verbs."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
