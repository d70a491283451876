"""The context of a command: the deployment that the environment describes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..deployment import Deployment


@asynccontextmanager
async def open_deployment() -> AsyncIterator[Deployment]:
    """The deployment, with its store for `job_type.enqueue(…)`; closed at the end of the block."""
    from ..deployment import Deployment
    from ..observe import log

    deployment = Deployment.from_env()
    log.configure(deployment.settings, prints_reports=True)
    deployment.make_default()
    try:
        yield deployment
    finally:
        await deployment.close()
