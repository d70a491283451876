"""The cache service: values with a lifetime in Redis, in a keyspace of their own."""

from __future__ import annotations

from .cache import Cache
from .default_client import CacheClient, set_default_client

__all__ = ["Cache", "CacheClient", "set_default_client"]
