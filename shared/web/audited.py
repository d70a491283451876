"""The audit of an operation: its rows stand around its handler, for every one that needs it."""

from __future__ import annotations

import logging
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from ..access.audit import LONGEST_OBJECT, Audit
from ..jobs.redact import redact
from .body import read_object
from .call import Call
from .operation import Operation

log = logging.getLogger("tidegate.access")


async def perform(operation: Operation, call: Call) -> Response:
    """The answer of the operation's handler; where it is audited, with its rows written. Two more
    commands then, none for any other."""
    if not operation.is_audited:
        return await operation.handler(call)
    who, verb, about = call.caller.who, operation.name, await _object(operation, call)
    extra = {"who": who, "verb": verb, "object": about}
    log.info("audit", extra=extra)  # a log is kept for longer than the rows
    async with Audit(call.deployment.store.access).action(who, verb, about):
        return await operation.handler(call)


async def _object(operation: Operation, call: Call) -> str:
    """What the request is about: the parameters of its path, and its body without a payload. A body
    that can't be read is refused before the action begins."""
    parts = ["/".join(map(str, call.request.path_params.values()))]
    if operation.takes:
        parts.append(to_json(_without_payloads(await read_object(call.request))).decode())
    return redact(" ".join(filter(None, parts)))[:LONGEST_OBJECT]


def _without_payloads(body: dict[str, Any]) -> dict[str, Any]:
    """The body without fields of that name: who reads the audit may lack the right to see them."""
    return {
        name: _without_payloads(value) if isinstance(value, dict) else value
        for name, value in body.items()
        if name != "payload"
    }
