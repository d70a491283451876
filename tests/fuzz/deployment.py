"""The application under fuzzing: an embedded store and the HTTP API, both over loopback."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.access.rights import ROLES as STORED_ROLES
from shared.cli.servers import LocalStore, api, environment, local_store
from shared.config.settings import ROLES

CRON, NOBODY = "cron", "nobody"
STORED = {f"stored {role}": role for role in STORED_ROLES}
IDENTITIES = (NOBODY, *ROLES, CRON, *STORED)


@dataclass(frozen=True, slots=True)
class Deployment:
    """An address, a token for each role (of the environment, and stored), and the store behind
    them."""

    url: str
    tokens: dict[str, str]
    store: LocalStore

    def billed(self) -> int:
        """Commands that the store has run."""
        return self.store.embedded.protocol.meter.commands


@asynccontextmanager
async def deployment() -> AsyncIterator[Deployment]:
    """One of `tests.fuzz.sample`, on free ports, during the block."""
    tokens = {role: f"{role}-{secrets.token_hex(16)}" for role in (*ROLES, CRON)}
    pairs = ",".join(f"{role}:{tokens[role]}" for role in ROLES)
    async with local_store(
        data_dir=Path(".tidegate"), volatile=True, port=0, token=secrets.token_hex(16)
    ) as store:
        settings = {
            **store.environment,
            "TIDEGATE_APPS": "tests.fuzz.sample:app",
            "TIDEGATE_API_TOKENS": pairs,
            "CRON_SECRET": tokens[CRON],
            "TIDEGATE_MAX_DURATION": "1",
            "TIDEGATE_PATIENCE": "0",
            "TIDEGATE_LOG_LEVEL": "ERROR",
        }
        with environment(settings):
            async with api(port=0) as url:
                async with httpx.AsyncClient(base_url=url) as client:
                    client.headers["Authorization"] = f"Bearer {tokens['admin']}"
                    for name, role in STORED.items():
                        body = {"name": name, "roles": [role]}
                        response = await client.post("/api/v1/tokens", json=body)
                        tokens[name] = response.raise_for_status().json()["token"]
                yield Deployment(url, tokens, store)
