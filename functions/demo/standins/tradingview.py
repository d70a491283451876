"""A stand-in of TradingView's access lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
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
    """The lists of one author."""

    faults: Faults
    lists: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Script -> user -> end of the access, as the site was told it; None: it never ends."""
    added: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a user was new on a list."""

    def routes(self) -> list[Route]:
        return [Route("/pine_perm/{verb}/", self._change, methods=["POST"])]

    async def _change(self, request: Request) -> Response:
        if request.cookies.get("sessionid") != SESSION or "origin" not in request.headers:
            return JSONResponse({"detail": "log in"}, 403)
        form = dict(parse_qsl((await request.body()).decode()))
        verb = request.path_params["verb"]
        user = form["username" if verb == "list_users" else "username_recip"].casefold()
        if user == UNKNOWN:
            return JSONResponse({"detail": f"there is no user {user}"}, 422)
        return await self.faults.answer(user, lambda: JSONResponse(self._answer(verb, user, form)))

    def _answer(self, verb: str, user: str, form: dict[str, str]) -> dict[str, Any]:
        users = self.lists.setdefault(form["pine_id"], {})
        if verb == "list_users":
            found = [(name, end) for name, end in users.items() if name.startswith(user)]
            return {"results": [{"username": name, "expiration": end} for name, end in found]}
        if verb == "add" and user in users:
            return {"status": "exists"}
        if verb == "add":
            self.added[user, form["pine_id"]] += 1
        users[user] = form.get("expiration")
        return {"status": "ok"}
