"""The work of provisioning: grant access, then tell the user."""

from __future__ import annotations

import datetime as dt

from shared import Completed, Discard, JobContext

from .payloads import AccessGrant
from .queues import provisioning


def user_of(grant: AccessGrant) -> str:
    """The key of a grant: one at a time for each user. Names on the site have no case."""
    return grant.username.casefold()


@provisioning.job("access.grant", key=user_of)
async def grant_access(payload: AccessGrant, job: JobContext) -> dict[str, object]:
    """Put the user on the access list of each strategy. Any number of runs leave the same lists,
    and an older grant that is late shortens no access. Raises Discard for an access that would have
    ended already."""
    from functions.providers.tradingview import tradingview  # noqa: PLC0415 - cold start

    if payload.until is not None and payload.until <= dt.datetime.now(dt.UTC):
        raise Discard(f"until: {payload.until.isoformat()} is over; give a later instant")
    lists, new = tradingview(), 0
    for done, strategy in enumerate(payload.strategies, start=1):
        new += await lists.grant(payload.username, strategy, payload.until)
        job.progress(100 * done / len(payload.strategies))
    return {"strategies": len(payload.strategies), "new": new}


@grant_access.on_completed
async def send_granted(end: Completed[AccessGrant], job: JobContext) -> dict[str, str]:
    """Tell the user that the access is ready. Any number of runs send one email."""
    from functions.providers.mail import mail_provider  # noqa: PLC0415 - cold start

    from .templates import grant_email  # noqa: PLC0415

    return await mail_provider().send(grant_email(end.payload), job.unique_id)
