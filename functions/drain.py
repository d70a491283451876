"""What EventBridge calls every minute: drain what is due, report, end. Imports no web code.

An event may name the queues: `{"queues": ["import", "email"]}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from shared import ConfigurationError, log
from shared.budget import Budget
from shared.connect import connect, load_registry, use_store
from shared.drain import Drain
from shared.queue import Queue, Registry
from shared.report import Report
from shared.settings import Settings
from shared.stopping import Stopping
from shared.store import Store


class Context(Protocol):
    """What of Lambda's context object is used here."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


class DrainFunction:
    """One warm function: an event loop and a store that live from invocation to invocation.

    Making it checks the configuration and starts nothing.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        open_store: Callable[[Settings], Store] = connect,
        stopping: Stopping | None = None,
    ) -> None:
        self._settings, self._registry = settings, registry
        self._open_store = open_store
        self._stopping = stopping or Stopping()
        self._logger = log.configure(settings)
        self._measure = log.report_sink(settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._store: Store | None = None

    def __call__(self, event: Mapping[str, Any] | None, context: Context) -> dict[str, Any]:
        """The report. A failing store is told in it (`stop` is "store") and not raised: what
        called would only call again, while the next tick comes anyway."""
        queues = [self._registry.queue(name) for name in _named(event)]
        if self._logger is not None:
            self._logger.append_keys(request_id=context.aws_request_id)
        self._loop = self._loop or asyncio.new_event_loop()
        report = self._loop.run_until_complete(self._drain(queues, Budget.from_lambda(context)))
        self._measure(report)
        return report.as_dict()

    def close(self) -> None:
        """Close the store and the loop. A function host never does; tests do."""
        if self._loop is not None:
            if self._store is not None:
                self._loop.run_until_complete(self._store.close())
            self._loop.close()
            self._loop = self._store = None

    async def _drain(self, queues: list[Queue], budget: Budget) -> Report:
        if self._store is None:
            self._store = self._open_store(self._settings)
            use_store(self._store)
        settings = self._settings
        drain = Drain(
            self._store,
            self._registry,
            budget,
            patience=settings.patience,
            batch=settings.batch,
            sweep_every=settings.sweep_every,
        )
        with self._stopping.watch(drain):
            return await (drain.run(queues) if queues else drain.tick())


def _named(event: Mapping[str, Any] | None) -> list[str]:
    names = (event or {}).get("queues") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError('the event\'s "queues" must be a list of queue names')
    return names


def _from_env() -> DrainFunction:
    settings = Settings.from_env()
    return DrainFunction(settings, load_registry(settings))


handler = _from_env()
