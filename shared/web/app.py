"""The ASGI application: each request is authorized by the table of operations, handled, written
into the audit where it changes something, and answered as JSON."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..access.authorizer import Authorizer
from ..access.known import KnownTokens
from ..access.refusals import Refusals
from ..clock import Every
from ..config.settings import Settings
from ..deployment import Deployment
from ..errors import Forbidden, Unauthenticated
from .audited import perform
from .call import Call, Deadline
from .operation import Operation
from .problems import PROBLEM_TYPES, problem_response
from .routes import ROUTES

if TYPE_CHECKING:
    from .usage import ApiUsage

CLIENT_CLOSED = 499
"""The status in a server's access log of a request whose client hung up while sending it."""
log = logging.getLogger("tidegate.web")

LOG_EVERY = 60.0
"""Seconds between two lines about refused ticks: anyone may send such a request."""


def create_app(
    open_deployment: Callable[[], Deployment], *, seconds_left: Deadline | None = None
) -> Starlette:
    """The application over the deployment that `open_deployment` makes, when the server starts or,
    without a lifespan (Lambda), with the first request. Making the application contacts nothing
    and reads no setting. `seconds_left` answers the seconds until the platform ends a request;
    without it that is `settings.max_duration`."""
    service = Service(open_deployment, seconds_left or _max_duration)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        service.open()
        try:
            yield
        finally:
            await service.close()

    app = Starlette(
        routes=[Route(path, _endpoint(service, operations), methods=list(operations))
                for path, operations in _paths().items()],
        exception_handlers={HTTPException: _http_problem},
        lifespan=lifespan,
    )  # fmt: skip
    app.router.redirect_slashes = False
    app.state.service = service
    return app


class ServiceResources(NamedTuple):
    """What all requests of a service share: its deployment, the authorizer of their callers, the
    count of refused ones, and the count of what the others used (None: no plan is configured)."""

    deployment: Deployment
    authorizer: Authorizer
    refusals: Refusals
    usage: ApiUsage | None


class Service:
    """The deployment and its authorizer, opened once. After a failure the next request tries
    again."""

    def __init__(self, open_deployment: Callable[[], Deployment], seconds_left: Deadline) -> None:
        self._open_deployment, self._seconds_left = open_deployment, seconds_left
        self._resources: ServiceResources | None = None
        self._refused_ticks = Every(LOG_EVERY)

    def open(self) -> ServiceResources:
        deployment = self._open_deployment()
        settings, clock = deployment.settings, deployment.clock
        known = KnownTokens(lambda: deployment.store.access, settings.prefix, clock)
        authorizer, usage = Authorizer(settings, known), None
        if settings.store_commands is not None:
            from .usage import ApiUsage  # noqa: PLC0415 - cold start: only where a plan is named

            usage = ApiUsage(deployment)
        self._resources = ServiceResources(deployment, authorizer, Refusals(clock), usage)
        return self._resources

    async def reopen(self) -> None:
        """Close it; the next request opens it anew: the application has changed."""
        await self.close()
        self._resources = None

    def stop(self) -> None:
        """Stop the drains that requests run, so that these end soon."""
        if self._resources is not None:
            self._resources.deployment.stop()

    async def close(self) -> None:
        if self._resources is not None:
            await self._resources.deployment.close()

    async def answer(self, request: Request, operation: Operation) -> Response:
        """The answer to a request, if its caller may have it. Raises what becomes a problem."""
        resources = self._resources or self.open()
        try:
            call = await self._authorize(request, operation, resources)
            if operation.is_audited:
                answer = await perform(operation, call)
            else:
                answer = await operation.handler(call)
        except (Unauthenticated, Forbidden) as error:
            resources.refusals.add(PROBLEM_TYPES[type(error)].status)
            if operation.access == "drain" and self._refused_ticks.is_due():
                # The schedule that sent it shows the answer to no person.
                log.warning("tick_refused", extra={"error": str(error)})
            raise
        if operation.access != "public":
            if resources.refusals.unwritten:
                await resources.refusals.write(resources.deployment.store.access)
            if resources.usage is not None:
                await resources.usage.write()
        return answer

    async def _authorize(
        self, request: Request, operation: Operation, resources: ServiceResources
    ) -> Call:
        header, access = request.headers.get("authorization"), operation.access
        caller = await resources.authorizer.authorize(header, access, own=operation.own)
        call = Call(request, resources.deployment, caller, self._seconds_left)
        if caller.queues is not None and not operation.filters:
            call.require_reach()
        if caller.is_restricted:
            from .restricted import restrict  # noqa: PLC0415 - no other token pays for it

            await restrict(operation, call)
        return call


def _max_duration(_request: Request, settings: Settings) -> float:
    return settings.max_duration


def _paths() -> dict[str, dict[str, Operation]]:
    """Path -> method -> operation, fixed parts before `{...}` ones."""
    table: dict[str, dict[str, Operation]] = {}
    for operation in ROUTES:
        table.setdefault(operation.path, {})[operation.method] = operation
    return dict(sorted(table.items(), key=lambda item: item[0].replace("{", "~")))


def _endpoint(
    service: Service, operations: Mapping[str, Operation]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = operations.get(method)  # the router lets only listed methods through, and HEAD
        try:
            if operation is None or (request.method == "HEAD" and not operation.head):
                raise HTTPException(405, headers={"Allow": ", ".join(operations)})
            return await service.answer(request, operation)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED)  # the client is gone
        except Exception as error:  # noqa: BLE001 - the one place where exceptions become responses
            return problem_response(error)

    return endpoint


async def _http_problem(_request: Request, error: Exception) -> Response:
    """The problem of a request that the router refuses: no such path, no such method."""
    return problem_response(error)
