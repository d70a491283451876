"""TradingView's access list of an invite-only script: who may use it, and until when.

The interface is the one of the site's own pages; it has no documentation. A request carries the
session of the scripts' author. https://www.tradingview.com/support/solutions/43000482573
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from shared import ConfigurationError
from shared.jobs.redact import keep_secret

from .http import Model, client, read

SITE = "https://www.tradingview.com"


class _Answer(BaseModel):
    status: Literal["ok", "exists"]


class _User(BaseModel):
    username: str
    expiration: AwareDatetime | None = None


class _Users(BaseModel):
    results: list[_User]


class TradingView:
    """The access lists of one author's scripts."""

    def __init__(self, session: str, site: str = SITE) -> None:
        keep_secret([session])
        self._site = site.rstrip("/")
        # The site refuses a form that does not come from a page of its own.
        self._headers = {"cookie": f"sessionid={session}", "origin": SITE, "referer": f"{SITE}/"}

    async def grant(self, username: str, script: str, until: datetime | None) -> bool:
        """Put the user on the script's list; True if new there. For one who is on it, `until`
        becomes the end of the access where it is later: calls one after another leave the latest
        end, in whatever order and however often they come."""
        form = {"pine_id": script, "username_recip": username}
        end = {} if until is None else {"expiration": until.astimezone(UTC).isoformat()}
        answer = await self._post("add", form | end, _Answer)
        if answer.status == "ok":
            return True
        if not await self._lasts(username, script, until):
            change = form | (end or {"noExpiration": "true"})
            await self._post("modify_user_expiration", change, _Answer)
        return False

    async def _lasts(self, username: str, script: str, until: datetime | None) -> bool:
        """True if the user has access until then, or for longer."""
        listed = await self._post("list_users", {"pine_id": script, "username": username}, _Users)
        for user in listed.results:  # the site also finds names that begin so
            if user.username.casefold() == username.casefold():
                present = user.expiration
                return present is None or (until is not None and present >= until)
        return False

    async def _post(self, verb: str, form: dict[str, str], model: type[Model]) -> Model:
        async with client(headers=self._headers) as http:
            response = await http.post(f"{self._site}/pine_perm/{verb}/", data=form)
        return read(response, model, "TradingView")


def tradingview() -> TradingView:
    """The author's account, by the environment. Raises ConfigurationError without a session."""
    session = os.environ.get("TRADINGVIEW_SESSION")
    if not session:
        raise ConfigurationError(
            "TRADINGVIEW_SESSION is not set: copy the cookie `sessionid` of the scripts' author"
        )
    return TradingView(session, os.environ.get("TRADINGVIEW_URL") or SITE)
