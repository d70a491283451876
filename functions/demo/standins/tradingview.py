"""A stand-in of TradingView's access lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Faults

SESSION = "session-of-the-demonstration"
UNKNOWN = "nobody"
"""A user whom the site does not know."""


@dataclass(slots=True)
class TradingView:
    """The lists of one author: script -> users."""

    faults: Faults
    lists: dict[str, set[str]] = field(default_factory=dict)
    added: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a user was new on a list."""

    def routes(self) -> list[Route]:
        return [Route("/pine_perm/{verb}/", self._change, methods=["POST"])]

    async def _change(self, request: Request) -> Response:
        if request.cookies.get("sessionid") != SESSION or "origin" not in request.headers:
            return JSONResponse({"detail": "log in"}, 403)
        form = dict(parse_qsl((await request.body()).decode()))
        user = form["username_recip"]
        if user == UNKNOWN:
            return JSONResponse({"detail": f"there is no user {user}"}, 422)
        return await self.faults.answer(user, lambda: self._grant(user, form["pine_id"]))

    def _grant(self, user: str, script: str) -> Response:
        users = self.lists.setdefault(script, set())
        if user in users:
            return JSONResponse({"status": "exists"})
        users.add(user)
        self.added[user, script] += 1
        return JSONResponse({"status": "ok"})
