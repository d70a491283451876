"""`tidegate dev`: API, embedded store and cron ticks in one process, until stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .exit_codes import Exit, command
from .options import Data, Json, Port, StorePort, Volatile
from .output import as_json, fields, flush, note
from .store import about

if TYPE_CHECKING:
    import asyncio

    from ..config.settings import Settings
    from .dev_secrets import Secrets

NoTicks = Annotated[bool, typer.Option("--no-ticks", help="Drain only when asked to.")]
Every = Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between ticks.")]


@command
async def dev(
    port: Port = 8787,
    store_port: StorePort = 8079,
    data: Data = None,
    volatile: Volatile = False,
    no_ticks: NoTicks = False,
    every: Every = 10.0,
    json: Json = False,
) -> Exit:
    """Serve the API, the embedded store and the cron on this machine until stopped.

    With UPSTASH_REDIS_REST_URL set, that database is used and no store is started.
    """
    from ..config.settings import Settings
    from ..declare.app import Registry
    from .dev_secrets import Secrets
    from .servers import stop_signals

    settings = Settings.from_env()
    Registry.load(settings.apps)  # a fault is reported before anything starts
    folder = data or settings.data_dir
    volatile = volatile or settings.volatile
    made = Secrets.fresh() if volatile else Secrets.kept(folder)
    with stop_signals() as stop:
        async with _served(settings, made, folder, volatile, port, store_port) as names:
            _tell(names, json=json)
            await _ticked(stop, every=None if no_ticks else every)
            note("stopping: what runs is given back")
    return Exit.OK


@asynccontextmanager
async def _served(
    settings: Settings, made: Secrets, folder: Path, volatile: bool, port: int, store_port: int
) -> AsyncIterator[dict[str, str]]:
    """Store and API up during the block; yields what they are called and opened with."""
    from .servers import api, environment, local_store

    names = _own(settings, made)
    async with AsyncExitStack() as stack:
        if settings.redis_url is None:
            opening = local_store(
                data_dir=folder, volatile=volatile, port=store_port, token=made.store_token
            )
            local = await stack.enter_async_context(opening)
            names |= local.environment
            note(about(local.embedded))
        stack.enter_context(environment({**names, "TIDEGATE_DATA": str(folder)}))
        url = await stack.enter_async_context(api(port=port))
        yield {"url": url, **names}


async def _ticked(stop: asyncio.Event, *, every: float | None) -> None:
    """Until stopped, with ticks in between unless there shall be none."""
    from ..deployment import Deployment
    from .ticks import tick_until

    if every is None:
        await stop.wait()
    else:
        deployment = Deployment.from_env()
        await tick_until(deployment, stop, every=every)
        await deployment.close()


def _own(settings: Settings, made: Secrets) -> dict[str, str]:
    """Tokens for what the environment leaves open."""
    names = {}
    if not settings.api_tokens:
        names["TIDEGATE_API_TOKENS"] = f"admin:{made.api_token}"
    if settings.cron_secret is None:
        names["CRON_SECRET"] = made.cron_secret
    return names


def _tell(names: dict[str, str], *, json: bool) -> None:
    token = names.get("TIDEGATE_API_TOKENS", "").removeprefix("admin:")
    if json:
        as_json({**names, "api_token": token or None})
    else:
        fields({"API": names["url"], "API token": token or "as in TIDEGATE_API_TOKENS"})
        for name in ("CRON_SECRET", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
            if name in names:
                print(f"{name}={names[name]}")
        note("Ctrl-C stops it.")
    flush()
