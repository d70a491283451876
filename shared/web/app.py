"""The ASGI application: every request is admitted by the table, handled, and answered as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .auth import Gate
from .call import Call
from .entry import Entry
from .problems import problem_response
from .routes import ALIASES, ROUTES
from .site import Site


def create_app(compose: Callable[[], Site]) -> Starlette:
    """The application over the site that `compose` makes: when the server starts or, without a
    lifespan (Lambda), with the first request. Building it contacts nothing and reads no setting."""
    host = _Host(compose)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        site, _gate = host.compose()
        try:
            yield
        finally:
            await site.close()

    app = Starlette(
        routes=[Route(path, _endpoint(host, entries), methods=list(entries))
                for path, entries in _paths().items()],
        exception_handlers={HTTPException: _http_problem},
        lifespan=lifespan,
    )  # fmt: skip
    app.router.redirect_slashes = False
    app.state.host = host
    return app


class _Host:
    """The site and its gate, composed once; a failure is told and tried again next time."""

    def __init__(self, compose: Callable[[], Site]) -> None:
        self._compose = compose
        self._made: tuple[Site, Gate] | None = None

    def compose(self) -> tuple[Site, Gate]:
        site = self._compose()
        self._made = site, Gate(site.settings)
        return self._made

    def get(self) -> tuple[Site, Gate]:
        return self._made or self.compose()


def _paths() -> dict[str, dict[str, Entry]]:
    """Path -> method -> entry, with the aliases, fixed parts before `{...}` ones."""
    table: dict[str, dict[str, Entry]] = {}
    for entry in ROUTES:
        table.setdefault(entry.path, {})[entry.method] = entry
    table |= {alias: table[path] for alias, path in ALIASES.items()}
    return dict(sorted(table.items(), key=lambda item: item[0].replace("{", "~")))


def _endpoint(
    host: _Host, entries: Mapping[str, Entry]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        entry = entries.get("GET" if request.method == "HEAD" else request.method)
        try:
            if entry is None:  # the router lets only listed methods through
                raise HTTPException(405)
            site, gate = host.get()
            role = gate.admit(request.headers.get("authorization"), entry.need)
            return await entry.handler(Call(request, site, role))
        except Exception as error:  # noqa: BLE001 - the one place where exceptions become answers
            return problem_response(error)

    return endpoint


async def _http_problem(_request: Request, error: Exception) -> Response:
    """What the router itself refuses: no such path, no such method."""
    return problem_response(error)
