"""`tidegate dev`: API, embedded store and cron ticks in one process, until stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .confirm import name_of_store
from .exit_codes import Exit
from .options import Data, Json, Port, StorePort, Volatile, check_data
from .output import as_json, fields, flush, note
from .signals import stop_signals

if TYPE_CHECKING:
    import asyncio

    from starlette.applications import Starlette

    from ..config.settings import Settings
    from ..declare.app import Registry
    from ..nudge.in_process import InProcessNudge
    from .dev_secrets import DevSecrets
    from .servers import LocalStore

NoTicks = Annotated[bool, typer.Option("--no-ticks", help="Start no drain on a schedule.")]
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
    import asyncio

    from ..config.settings import Settings
    from ..declare.app import Registry
    from .dev_secrets import DevSecrets

    _warn_of_unknown_variables()
    settings = Settings.from_env()
    registry = Registry.load(settings.apps)  # an error is reported before any server starts
    check_data(data, volatile=volatile)
    folder, volatile = data or settings.data_dir, volatile or settings.volatile
    secrets = DevSecrets.random() if volatile else DevSecrets.load_or_create(folder)
    stop = asyncio.Event()
    with stop_signals(stop.set):
        async with _servers(settings, secrets, folder, volatile, port, store_port) as servers:
            ticks, archives = None if no_ticks else every, settings.archive_url is not None
            _print_served(registry, ticks, servers, archives=archives, json=json)
            _print_addresses(servers.variables, json=json)
            await _tick(servers, stop, every=ticks)
            note("stopping: running jobs are released")
    return Exit.OK


def _warn_of_unknown_variables() -> None:
    import os

    from ..config.variables import unknown_variables

    for name, meant in unknown_variables(os.environ).items():
        note(f"Nothing reads {name}{f': did you mean {meant}?' if meant else '.'}")


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs: the API's application, what it calls drains with, the embedded store (None: a
    database is used), and the variables that clients need."""

    app: Starlette
    nudge: InProcessNudge
    local: LocalStore | None
    variables: dict[str, str]


@asynccontextmanager
async def _servers(
    settings: Settings,
    secrets: DevSecrets,
    folder: Path,
    volatile: bool,
    port: int,
    store_port: int,
) -> AsyncIterator[Servers]:
    """Serve store and API during the block."""
    from ..nudge.in_process import InProcessNudge
    from .servers import api, describe_store, environment, local_store

    local = None
    variables = _own_tokens(settings, secrets)
    async with AsyncExitStack() as stack:
        if settings.redis_url is None:
            local = await stack.enter_async_context(
                local_store(
                    data_dir=folder,
                    volatile=volatile,
                    port=store_port,
                    token=secrets.store_token,
                    prefix=settings.prefix,
                    option="--store-port",
                )
            )
            variables |= local.environment
            note(describe_store(local.embedded))
        else:
            note(f"Uses {name_of_store(settings)}: jobs that wait there run here.")
        stack.enter_context(environment({**variables, **_events(), "TIDEGATE_DATA": str(folder)}))
        nudge = InProcessNudge()
        app = _create_api(settings, nudge)
        url = await stack.enter_async_context(api(port=port, app=app))
        yield Servers(app, nudge, local, {"url": url, **variables})


def _create_api(settings: Settings, nudge: InProcessNudge) -> Starlette:
    """The API. This command prints what its drains report."""
    from ..hosts.asgi import create_api
    from ..observe import log

    log.configure(settings, prints_reports=True)  # before the API does
    return create_api(nudge)


async def _tick(servers: Servers, stop: asyncio.Event, *, every: float | None) -> None:
    """Wait for `stop`, with a tick every `every` seconds (None: without ticks)."""
    from .ticks import LocalCron

    due = servers.local.due if servers.local else None
    cron = LocalCron(
        every=every, due=due, nudge=servers.nudge, on_reload=servers.app.state.service.reopen
    )
    await cron.run(stop)


def _print_served(
    registry: Registry, every: float | None, servers: Servers, *, archives: bool, json: bool
) -> None:
    """Print the applications with their queues and job types, and when drains start."""
    if json:
        return
    by_app: dict[str, list[str]] = {}
    for queue in registry.queues():
        types = ", ".join(queue.types) or "no job type"
        by_app.setdefault(queue.app, []).append(f"{queue.name} ({types})")
    for app, queues in by_app.items():
        note(f"Serves {app}: {', '.join(queues)}")
    if not by_app:
        note("No queue is declared: name your applications in TIDEGATE_APPS.")
    at_once = "when a job or a schedule is due" if servers.local else "after an enqueue of this API"
    note("No ticks." if every is None else f"A tick every {every:g} s, and at once {at_once}.")
    if every is not None and archives:
        note("Dead letters go to the archive (DATABASE_URL) every five minutes, 15 minutes old.")


def _events() -> dict[str, str]:
    """Drains of this command tell events, unless the environment says otherwise."""
    import os

    return {} if os.environ.get("TIDEGATE_EVENTS", "").strip() else {"TIDEGATE_EVENTS": "1"}


def _own_tokens(settings: Settings, secrets: DevSecrets) -> dict[str, str]:
    """Tokens for the variables that the environment does not set."""
    variables = {}
    if not settings.api_tokens:
        variables["TIDEGATE_API_TOKENS"] = f"admin:{secrets.api_token}"
    if settings.cron_secret is None:
        variables["CRON_SECRET"] = secrets.cron_secret
    return variables


def _print_addresses(variables: dict[str, str], *, json: bool) -> None:
    token = variables.get("TIDEGATE_API_TOKENS", "").removeprefix("admin:")
    if json:
        as_json({**variables, "api_token": token or None})
    else:
        fields({"API": variables["url"], "API token": token or "as in TIDEGATE_API_TOKENS"})
        for name in ("CRON_SECRET", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"):
            if name in variables:
                print(f"{name}={variables[name]}")
        note("Ctrl-C stops it.")
    flush()
