"""Schedules in a drain that an operator starts: the same as in a sweep."""

from __future__ import annotations

from collections.abc import Mapping

from ..declare.app import Registry
from ..store import Store
from .fire import fire
from .reconcile import reconcile


async def fire_by_hand(store: Store, registry: Registry, agenda: Mapping[str, float]) -> None:
    """Enter new schedules into the store, and enqueue the jobs of those that are due. `agenda`: as
    it has just been read. No command where nothing is new or due. Raises StoreError."""
    now = int(store.clock.epoch_ms() + store.rest.skew_ms())
    await reconcile(store, registry.schedules, registry.apps, agenda, now)
    await fire(store, registry.schedules, agenda, now)
