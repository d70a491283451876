"""Checks of what is stored against what this version reads: the archive's migrations, and the state
of the alerts, which must also be young. They change neither."""

from __future__ import annotations

from ...alerts.state_json import VERSION, read_state, version_of
from ...archive.connection import connected
from ...archive.migrate import difference
from ...config.alerts import AlertSettings
from ...deployment import Deployment
from ...errors import ArchiveError
from ...extras import MissingExtra
from .finding import Finding

MOST_MINUTES = 15
"""Minutes without an evaluation that three missed runs of maintain make."""


async def check_alert_state(deployment: Deployment) -> Finding:
    """Whether this version wrote the state of the alerts. Raises StoreError."""
    version = version_of(await deployment.store.alerts.read())
    if version in (None, VERSION):
        return Finding("schemas", "OK", "the store has nothing of another version")
    detail = f"the alerts' state has version {version}, this code reads {VERSION}"
    advice = "deploy one version everywhere; the next evaluation begins anew and tells all again"
    return Finding("schemas", "WARN", detail, advice)


async def check_evaluations(deployment: Deployment, alerts: AlertSettings) -> Finding:
    """Whether something evaluates the alerts that somebody is to be told. Raises StoreError."""
    if alerts.webhook is None and alerts.mail is None:
        return Finding("evaluations", "OK", "nobody is to be told of alerts")
    at_ms = read_state(await deployment.store.alerts.read()).at_ms
    minutes = (deployment.clock.epoch_ms() - at_ms) / 60_000
    if minutes <= MOST_MINUTES:
        return Finding("evaluations", "OK", f"alerts were evaluated {minutes:.0f} min ago")
    when = f"for {minutes:,.0f} min" if at_ms else "yet"
    return Finding(
        "evaluations", "WARN", f"alerts are to be told, but nothing has evaluated them {when}",
        "have a schedule call the maintain function or /api/cron/maintain every five minutes",
    )  # fmt: skip


async def check_migrations(deployment: Deployment) -> Finding:
    """Whether the archive has the tables of this version."""
    url = deployment.settings.archive_url
    if url is None:
        return Finding("migrations", "OK", "there is no archive to migrate")
    try:
        async with connected(url, migrates=False) as db:
            missing, unknown = await difference(db)
    except (ArchiveError, MissingExtra) as error:
        detail = f"the archive's migrations can't be read: {error}"
        return Finding("migrations", "WARN", detail, "see the finding `dead`")
    if unknown:
        detail = f"the archive has migrations that this code does not: {', '.join(unknown)}"
        return Finding("migrations", "WARN", detail, "deploy the newest version everywhere")
    if missing:
        detail = f"the archive lacks {', '.join(missing)}"
        advice = "the next one to open it makes them, this command too; its role must own the table"
        return Finding("migrations", "WARN", detail, advice)
    return Finding("migrations", "OK", "the archive's tables are those of this version")
