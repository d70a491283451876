"""Stored tokens for scenarios, and the rights of each route, written out a second time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.applications import Starlette

from shared.access.caller import Caller
from shared.access.rights import RIGHTS, ROLES
from shared.access.tokens import NewToken, Tokens
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.world import Client

PREFIX = "tidegate"
ROOT = Caller("test", frozenset(RIGHTS))

OPENED_BY: Mapping[str, set[str]] = {
    "enqueue": {"producer", "operator", "admin"},
    "read": {"viewer", "payload-reader", "operator", "admin"},
    "metrics": {"viewer", "operator", "admin", "metrics"},
    "operate": {"operator", "admin"},
    "delete": {"admin"},
    "drain": {"cron", "operator", "admin"},
    "manage": {"admin"},
    "public": set(ROLES),
}
"""Right → the roles of stored tokens that open it."""
NEEDS: Mapping[tuple[str, str], str] = {
    ("POST", "/api/v1/queues/{queue}/jobs"): "enqueue",
    ("GET", "/api/v1/jobs"): "read",
    ("GET", "/api/v1/jobs/{id}"): "read",
    ("DELETE", "/api/v1/jobs/{id}"): "operate",
    ("GET", "/api/v1/stats"): "read",
    ("GET", "/api/v1/queues"): "read",
    ("GET", "/api/v1/queues/{queue}"): "read",
    ("GET", "/api/v1/queues/{queue}/keys"): "read",
    ("POST", "/api/v1/queues/{queue}/pause"): "operate",
    ("POST", "/api/v1/queues/{queue}/resume"): "operate",
    ("POST", "/api/v1/queues/{queue}/purge"): "delete",
    ("POST", "/api/v1/queues/{queue}/purge-names"): "delete",
    ("GET", "/api/v1/dead-letters"): "read",
    ("POST", "/api/v1/dead-letters/redrive"): "operate",
    ("GET", "/api/v1/dead-letters/{id}"): "read",
    ("DELETE", "/api/v1/dead-letters/{id}"): "delete",
    ("POST", "/api/v1/dead-letters/{id}/redrive"): "operate",
    ("GET", "/api/v1/archive"): "read",
    ("POST", "/api/v1/archive/redrive"): "operate",
    ("GET", "/api/v1/archive/{row}"): "read",
    ("POST", "/api/v1/archive/{row}/redrive"): "operate",
    ("GET", "/api/v1/schedules"): "read",
    ("GET", "/api/v1/schedules/{app}/{name}"): "read",
    ("POST", "/api/v1/schedules/{app}/{name}/pause"): "operate",
    ("POST", "/api/v1/schedules/{app}/{name}/resume"): "operate",
    ("POST", "/api/v1/schedules/{app}/{name}/run"): "operate",
    ("GET", "/api/v1/health"): "read",
    ("GET", "/api/v1/tokens"): "manage",
    ("POST", "/api/v1/tokens"): "manage",
    ("DELETE", "/api/v1/tokens/{token}"): "manage",
    ("POST", "/api/v1/tokens/{token}/rotate"): "manage",
    ("GET", "/api/v1/audit"): "manage",
    ("GET", "/api/cron/drain"): "drain",
    ("POST", "/api/cron/drain"): "drain",
    ("GET", "/api/cron/maintain"): "drain",
    ("POST", "/api/cron/maintain"): "drain",
    ("GET", "/api/v1/alerts"): "read",
    ("GET", "/api/v1/events"): "read",
    ("GET", "/metrics"): "metrics",
    ("GET", "/api/queue/dashboard"): "read",
    ("GET", "/api/v1/health/queues"): "read",
    ("GET", "/api/v1/admin/failed-jobs"): "read",
    ("GET", "/api/v1/admin/failed-jobs/{id}"): "read",
    ("POST", "/api/v1/admin/failed-jobs/{id}/retry"): "operate",
    ("GET", "/api/jobs/stats"): "read",
    ("GET", "/api/jobs/{id}"): "read",
    ("GET", "/healthz"): "public",
    ("GET", "/openapi.json"): "public",
}
OWN = {("GET", "/api/v1/jobs/{id}"), ("GET", "/api/jobs/{id}")}
"""Routes that also open to a token that enqueues, for the jobs that it has enqueued."""


class TokenShop:
    """Makes stored tokens behind the API's back, and clients with them."""

    def __init__(
        self, app: Starlette, store: Store, clock: FakeClock, prefix: str = PREFIX
    ) -> None:
        self._app = app
        self.tokens = Tokens(store.access, prefix, clock)

    async def make(
        self, *roles: str, queues: Iterable[str] | None = None, **options: Any
    ) -> NewToken:
        """A token with the rights of these roles."""
        rights = frozenset(right for role in roles for right in ROLES[role])
        return await self.tokens.create("test", rights, queues, by=ROOT, **options)

    def client(self, token: NewToken | str) -> Client:
        """A client that sends this token."""
        return Client(self._app, token if isinstance(token, str) else token.text)

    async def client_of(self, *roles: str, **options: Any) -> Client:
        """A client with a new token of these roles."""
        return self.client(await self.make(*roles, **options))
