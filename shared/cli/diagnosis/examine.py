"""The examination of a deployment: every check in order. They read only; the one key they write is
their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from ...config.alerts import AlertSettings
from ...config.settings import Settings
from ...declare.app import Registry
from ...deployment import Deployment
from ...errors import ConfigurationError, StoreError
from ...extras import MissingExtra
from .archive import check_dead_letters
from .declarations import check_entries, check_plan, check_rates, check_retries
from .finding import Finding
from .host import Plan, check_density, check_tick_plan, check_window
from .host_files import read_host_files
from .keys import check_keys
from .queues import check_backlogs, check_jobs, check_names, check_parked, check_room, check_ticks
from .schemas import check_alert_state, check_evaluations, check_migrations
from .settings import check_alerts, contradictions
from .store import check_kind, check_store
from .undeclared import check_undeclared


async def examine(
    env: Mapping[str, str], folder: Path, *, wait: float = 5.0, plan: Plan | None = None
) -> AsyncIterator[Finding]:
    """Every finding in order; those that depend on a failed one are left out. `folder`: the
    project's, for `vercel.json` and `serverless.yml`. `wait`: seconds in which the store must
    answer. `plan`: Vercel's."""
    try:
        settings = Settings.from_env(env)
    except ConfigurationError as error:
        yield Finding("settings", "FAIL", str(error), "correct the environment, then repeat this")
        return
    yield Finding("settings", "OK", f"platform {settings.platform}, prefix {settings.prefix!r}")
    registry = Registry([])
    try:
        registry = Registry.load(settings.apps)
        yield _apps(registry)
    except ConfigurationError as error:
        yield Finding("apps", "FAIL", str(error), "correct TIDEGATE_APPS, or the declaration")
    for finding in contradictions(settings, env):
        yield finding
    for finding in _check_declarations(settings, registry, env):
        yield finding
    for finding in _check_host(settings, registry, folder, plan):
        yield finding
    async for finding in _check_stores(Deployment(settings, registry), wait, env):
        yield finding


def _check_declarations(
    settings: Settings, registry: Registry, env: Mapping[str, str]
) -> Iterator[Finding]:
    """What the declarations and the environment tell by themselves."""
    yield check_keys(settings, registry)
    yield check_retries(registry)
    yield check_rates(registry)
    yield check_entries(registry)
    alerts = AlertSettings.from_env(env)  # Settings has refused what can't be read
    yield check_alerts(settings, registry, alerts)
    yield check_plan(registry, alerts)


def _check_host(
    settings: Settings, registry: Registry, folder: Path, plan: Plan | None
) -> Iterator[Finding]:
    """What the host's files tell."""
    try:
        files = read_host_files(folder)
    except ConfigurationError as error:
        yield Finding("platform", "FAIL", str(error), "correct the file")
        files = []
    else:
        yield check_tick_plan(files, plan)
    yield check_window(settings, registry, files)
    yield check_density(registry, files)


async def _check_stores(
    deployment: Deployment, wait: float, env: Mapping[str, str]
) -> AsyncIterator[Finding]:
    """What the store and the archive tell."""
    settings = deployment.settings
    try:
        yield await check_kind(settings)
    except MissingExtra as error:
        yield Finding("store", "FAIL", str(error), "install it, or set UPSTASH_REDIS_REST_URL")
        return
    except (ConfigurationError, StoreError) as error:
        yield Finding("store", "FAIL", str(error), f"see {settings.data_dir}/server.log")
        return
    try:
        async for finding in check_store(deployment.store, settings, wait):
            yield finding
        yield await check_alert_state(deployment)
        yield await check_evaluations(deployment, AlertSettings.from_env(env))
        yield await check_migrations(deployment)
        yield await check_undeclared(deployment)
        if deployment.registry.queues():
            async for finding in _check_queues(deployment, env):
                yield finding
    except StoreError as error:
        yield Finding("reach", "FAIL", str(error), "check the URL, the token and the network")
    finally:
        await deployment.close()


async def _check_queues(deployment: Deployment, env: Mapping[str, str]) -> AsyncIterator[Finding]:
    """What the queues hold."""
    stats = [await deployment.store.stats(queue) for queue in deployment.queues()]
    yield check_ticks(stats)
    yield check_backlogs(stats)
    yield check_parked(stats)
    yield check_room(stats)
    yield await check_names(deployment.store, stats)
    yield await check_dead_letters(deployment, stats, env)
    yield await check_jobs(deployment.store, stats)


def _apps(registry: Registry) -> Finding:
    queues = registry.queues()
    if not queues:
        return Finding(
            "apps", "WARN", "no queue is declared", "name your applications in TIDEGATE_APPS"
        )
    types = sum(len(queue.types) for queue in queues)
    apps = ", ".join(sorted({queue.app for queue in queues}))
    some = f"{len(queues)} queue{'s' * (len(queues) != 1)}, {types} job type{'s' * (types != 1)}"
    return Finding("apps", "OK", f"{apps}: {some}")
