"""The applications that this deployment serves, in one list."""

from __future__ import annotations

from . import documents, provisioning, tasks, trading_journal, weather

APPS = (trading_journal.app, weather.app, provisioning.app, tasks.app, documents.app)
