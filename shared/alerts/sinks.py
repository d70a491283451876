"""Sinks: where notices are sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import httpx
from pydantic_core import to_json

from ..callbacks.signature import signed_headers
from ..clock import utc
from ..errors import Discard
from ..fetch import FetchFailed, post
from .notice import Notice

log = logging.getLogger("tidegate.alerts")


class Sink(Protocol):
    """Tells notices. `tell` answers False where it could not: it is tried again later."""

    name: str

    async def tell(self, notice: Notice) -> bool: ...


class LogSink:
    """A line of the log: a warning for an alert that begins, else information."""

    name = "log"

    async def tell(self, notice: Notice) -> bool:
        level = logging.WARNING if notice.fired else logging.INFO
        log.log(level, "alert_%s", notice.kind, extra=_fields(notice))
        return True


class WebhookSink:
    """A POST to one address, signed as Standard Webhooks has it. An address of a private network is
    refused. `webhook-id` is the same in every try."""

    name = "webhook"

    def __init__(
        self,
        address: str,
        secrets: Sequence[bytes],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._address, self._secrets, self._transport = address, secrets, transport

    async def tell(self, notice: Notice) -> bool:
        at = utc(notice.at_ms)
        content = {"type": f"alert.{notice.kind}", "timestamp": at, "text": notice.text}
        body = to_json({**content, "data": _fields(notice)}, inf_nan_mode="null")
        headers = signed_headers(f"msg_{notice.id}", int(_now()), body, self._secrets)
        try:
            await post(
                self._address,
                body,
                {**headers, "content-type": "application/json"},
                transport=self._transport,
            )
        except (FetchFailed, Discard) as error:
            log.warning("alert_webhook_failed", extra={"notice": notice.id, "error": str(error)})
            return False
        return True


def _now() -> float:
    """Unix seconds of this try: receivers refuse old ones."""
    return datetime.now(UTC).timestamp()


def _fields(notice: Notice) -> dict[str, object]:
    return {
        "rule": notice.rule,
        "queue": notice.queue or None,
        "value": notice.value,
        "threshold": notice.threshold,
        "detail": notice.text,
    }
