"""The check of `tidegate doctor` about what becomes of dead letters: the archive, or its
absence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...archive.archive import open_archive
from ...archive.criteria import Criteria
from ...archive.lag import BEHIND_SECONDS, archive_lag
from ...deployment import Deployment
from ...errors import ArchiveError
from ...extras import MissingExtra
from ...store.queue_stats import QueueStats
from .finding import Finding

SET_IT = "set DATABASE_URL to a Postgres, and have a schedule call the maintain function"


async def check_dead_letters(
    deployment: Deployment, queues: Sequence[QueueStats], env: Mapping[str, str]
) -> Finding:
    """Where dead letters go, and whether they get there. Costs some four billed commands and one a
    queue where there is an archive. Raises StoreError."""
    count = sum(stats.sizes["dead"] for stats in queues)
    if deployment.settings.archive_url is None:
        return _without_archive(deployment, queues, count, env)
    try:
        await _read_archive(deployment)
    except MissingExtra as error:
        return Finding("dead", "FAIL", str(error), "install it, also in the function's package")
    except ArchiveError as error:
        advice = "check DATABASE_URL and its rights; dead letters stay in Redis meanwhile"
        return Finding("dead", "FAIL", f"the archive does not answer: {error}", advice)
    lag = await archive_lag(deployment.store, deployment.queues())
    late = [
        f"{name} ({seconds / 60:.0f} min)"
        for name, seconds in lag.items()
        if seconds > BEHIND_SECONDS
    ]
    if late:
        detail = f"the archive is behind: {', '.join(late)}"
        return Finding("dead", "WARN", detail, "does a schedule call maintain? See its log")
    days = deployment.settings.archive_days
    return Finding(
        "dead", "OK", f"the archive answers and keeps {days:g} days; {count:,} wait for it"
    )


async def _read_archive(deployment: Deployment) -> None:
    settings = deployment.settings
    url = settings.archive_url or ""
    async with open_archive(url, settings.prefix, deployment.clock) as archive:
        await archive.page(deployment.queues(), Criteria(), cursor=None, most=1)


def _without_archive(
    deployment: Deployment, queues: Sequence[QueueStats], count: int, env: Mapping[str, str]
) -> Finding:
    missing = "DATABASE_URL names no Postgres" if env.get("DATABASE_URL") else "no DATABASE_URL"
    absent = f"{missing}, so there is no archive"
    deleting = [
        f"{queue.name} (beyond {queue.dead.count:,} or {queue.dead.age / 86_400:g} days)"
        for queue in (stats.queue for stats in queues)
        if queue.dead is not None
    ]
    if deleting:
        detail = f"{absent}: dead letters are deleted for good: {', '.join(deleting)}"
        return Finding("dead", "WARN", detail, f"{SET_IT}, or leave out dead=Retention(...)")
    detail = f"{absent}: {count:,} dead letters stay in Redis until an operator deletes them"
    is_local = deployment.settings.redis_url is None and not env.get("DATABASE_URL")
    return Finding("dead", "OK", detail) if is_local else Finding("dead", "WARN", detail, SET_IT)
