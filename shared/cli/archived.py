"""Jobs that are not in Redis any more: where there is an archive, the error says in which row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..errors import ArchiveError, JobNotFound

if TYPE_CHECKING:
    from ..deployment import Deployment


@asynccontextmanager
async def naming_row(deployment: Deployment, job_id: str) -> AsyncIterator[None]:
    """For a block that reads a job: a JobNotFound names the job's row in the archive."""
    try:
        yield
    except JobNotFound as error:
        raise await with_row(deployment, job_id, error) from None


async def with_row(deployment: Deployment, job_id: str, error: JobNotFound) -> JobNotFound:
    """The error or, where the job is in the archive, one that names the row of its last death."""
    from ..extras import MissingExtra

    if deployment.settings.archive_url is None:
        return error
    try:
        async with deployment.open_archive() as archive:
            row = await archive.last_row(job_id)
    except (ArchiveError, MissingExtra) as why:
        return JobNotFound(f"{error}; the archive can't be asked: {why}")
    if row is None:
        return error
    return JobNotFound(
        f"no job {job_id} in Redis: it died, and is row {row} of the archive. See tidegate archive "
        f"show {row}; tidegate archive redrive {row} makes it again"
    )
