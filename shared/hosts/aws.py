"""AWS Lambda: handlers for the schedules of drain and maintain, and for the HTTP API. Imports no
web code.

# functions/drain.py
from tidegate.hosts.aws import drain_handler

handler = drain_handler()
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..deployment import Deployment
from ..drain.budget import Budget
from ..errors import ConfigurationError
from ..nudge.hops import read_origin
from ..observe import log
from .start import collector_paused

if TYPE_CHECKING:
    from starlette.applications import Starlette

logger = logging.getLogger("tidegate.hosts")

T = TypeVar("T")
_ADDRESS = {
    "host": re.compile(r"[^:]*(:[0-9]{1,5})?"),
    "x-forwarded-port": re.compile("[0-9]{1,5}"),
}
TEXT = ["text/", "application/json", "application/problem+json"]


class Context(Protocol):
    """The part of Lambda's context object that is used here."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


class ScheduledFunction:
    """A warm function that a schedule calls: its event loop and its store live from invocation to
    invocation.

    Making it checks the configuration and starts nothing.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._logger = log.configure(deployment.settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        deployment.make_default()

    def close(self) -> None:
        """Close the store and the loop. Lambda never does; tests do."""
        if self._loop is not None:
            self._loop.run_until_complete(self._deployment.close())
            self._loop.close()
            self._loop = None

    def _run(self, work: Callable[[Budget], Coroutine[Any, Any, T]], context: Context | None) -> T:
        """Do this invocation's work inside its time. Without a context (a call by hand) that is
        `TIDEGATE_MAX_DURATION`."""
        if self._logger is not None and context is not None:
            self._logger.append_keys(request_id=context.aws_request_id)
        self._loop = self._loop or asyncio.new_event_loop()
        return self._loop.run_until_complete(work(self._budget(context)))

    def _budget(self, context: Context | None) -> Budget:
        if context is not None:
            return Budget.from_lambda(context, clock=self._deployment.clock)
        seconds = self._deployment.settings.max_duration
        logger.warning("no_context", extra={"seconds": seconds})
        return self._deployment.budget(seconds)


class DrainFunction(ScheduledFunction):
    """The function of the tick."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._drains = deployment.drains  # now: Lambda starts a function with a whole processor

    def __call__(
        self, event: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> dict[str, Any]:
        """Drain, and answer the report. `event` may name queues: `{"queues": ["import"]}`. A nudge
        has `"hops"` too.

        A failure of the store (`"stop": "store"`) and a bug in a queue's part (`"error"`) are
        reported and not raised: Lambda would only retry, and the next tick comes anyway.
        """
        queues = [self._deployment.registry.queue(name) for name in _queue_names(event)]
        origin = read_origin((event or {}).get("hops"))
        report = self._run(lambda budget: self._drains.run(budget, queues, origin=origin), context)
        return report.as_dict()


class MaintainFunction(ScheduledFunction):
    """The function of the archive."""

    def __call__(
        self, _event: Mapping[str, Any] | None = None, context: Context | None = None
    ) -> dict[str, Any]:
        """Move dead letters into the archive, and answer the report.

        A failure of the store or of Postgres is reported (`"stop": "error"`) and not raised: the
        next run comes anyway. Raises MissingExtra where psycopg was not packaged.
        """
        return self._run(self._deployment.maintain, context).as_dict()


@collector_paused()
def drain_handler() -> DrainFunction:
    """The handler of a scheduled drain, as the environment describes it.

    Raises ConfigurationError, so that a configuration that can't work is a start that fails.
    """
    return DrainFunction(Deployment.from_env())


@collector_paused()
def maintain_handler() -> MaintainFunction:
    """The handler of a scheduled maintain run, as the environment describes it. Raises
    ConfigurationError, as `drain_handler` does."""
    return MaintainFunction(Deployment.from_env())


class ApiFunction:
    """A warm function behind an HTTP API (payload format 2.0): Mangum in front of an ASGI
    application, on one event loop, because the store's connections live in it."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._adapter: Callable[[Any, Any], dict[str, Any]] | None = None
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            self._open()

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """One event to one response. An event that only keeps the function warm is answered with
        204, one that can't be read with 400. Raises ConfigurationError for one of another source:
        it would be lost here."""
        if not _is_http(event):
            if _is_warmup(event):
                return {"statusCode": 204}
            raise ConfigurationError(
                "this function serves HTTP, and the event is no request of an HTTP API; "
                "functions.drain.handler takes schedules"
            )
        adapter, loop = self._open()
        asyncio.set_event_loop(loop)  # asyncio.run elsewhere in this process would have removed it
        try:
            return adapter({**event, "headers": _readable(event.get("headers"))}, context)
        except ValueError as error:  # Mangum's: what the application raises is a response
            logger.warning("event_unreadable", extra={"error": type(error).__name__})
            return {"statusCode": 400, "body": "The request can't be read."}

    def close(self) -> None:
        """Close the store and the loop. Lambda never does; tests do."""
        if self._loop is not None:
            self._loop.run_until_complete(self._app.state.service.close())
            self._loop.close()
            self._loop = self._adapter = None
            asyncio.set_event_loop(None)

    def _open(self) -> tuple[Callable[[Any, Any], dict[str, Any]], asyncio.AbstractEventLoop]:
        if self._loop is None or self._adapter is None:
            from mangum import Mangum  # noqa: PLC0415 - Lambda only

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)  # Mangum needs one; Python 3.12 warns without
            self._adapter = Mangum(self._serve_stage, lifespan="off", text_mime_types=TEXT)
        return self._adapter, self._loop

    async def _serve_stage(self, scope: Any, receive: Any, send: Any) -> None:
        """The application. A stage with a name begins the path: it is mounted there."""
        stage = scope["aws.event"]["requestContext"].get("stage")
        if stage and f"{scope['path']}/".startswith(f"/{stage}/"):
            scope = {**scope, "root_path": f"/{stage}"}
        await self._app(scope, receive, send)


def _readable(headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers without an address that Mangum can't read. Callers write it, behind a chain of
    proxies also honestly ("443,80"), and nothing here asks for it."""
    forms = ((name, value, _ADDRESS.get(name.lower())) for name, value in (headers or {}).items())
    return {name: value for name, value, form in forms if form is None or form.fullmatch(value)}


def _is_http(event: object) -> bool:
    return isinstance(event, dict) and isinstance(event.get("requestContext"), dict)


def _is_warmup(event: object) -> bool:
    """True for the events of serverless-plugin-warmup, lambda-warmer and EventBridge schedules."""
    return isinstance(event, dict) and (
        event.get("source") in ("serverless-plugin-warmup", "aws.events", "aws.scheduler")
        or event.get("warmer") is True
    )


def _queue_names(event: Mapping[str, Any] | None) -> list[str]:
    names = (event or {}).get("queues") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError('the event\'s "queues" must be a list of queue names')
    return names
