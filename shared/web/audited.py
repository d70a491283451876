"""The audit of an operation: its rows stand around its handler, for every one that needs it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from ..access.audit import LONGEST_OBJECT, Audit
from ..jobs.redact import redact
from .body import read_object
from .call import Call
from .operation import Operation

log = logging.getLogger("tidegate.access")


LONGEST_VALUE = 80
"""Characters of one text of a body."""
LONGEST_LIST = 120
"""Characters of the items of one list together."""


async def perform(operation: Operation, call: Call) -> Response:
    """The answer of an audited operation's handler, with its rows written: two commands more."""
    who, verb, about = call.caller.who, operation.name, await _object(operation, call)
    extra = {"who": who, "verb": verb, "object": about}
    log.info("audit", extra=extra)  # a log is kept for longer than the rows
    async with Audit(call.deployment.store.access).action(who, verb, about) as action:
        answer = await operation.handler(call)
        action.count = call.changed
        return answer


async def _object(operation: Operation, call: Call) -> str:
    """What the request is about: the parameters of its path, and its body without a payload. A body
    that can't be read is refused before the action begins."""
    parts = ["/".join(map(str, call.request.path_params.values()))]
    if operation.takes:
        known = [name for model in operation.takes for name in model.model_fields]
        body = _fields(await read_object(call.request), known)
        parts.append(to_json(body).decode())
    return redact(" ".join(filter(None, parts)))[:LONGEST_OBJECT]


def _fields(body: dict[str, Any], known: Sequence[str] = ()) -> dict[str, Any]:
    """The fields, the known ones first: a caller's long ones push no other out. Without those named
    "payload": who reads the audit may lack the right to see them."""
    names = [*(name for name in known if name in body), *(name for name in body)]
    return {_text(name): _abridge(body[name]) for name in names if name != "payload"}


def _abridge(value: object) -> object:
    if isinstance(value, dict):
        return _fields(value)
    if isinstance(value, list):
        return _items(value)
    return _text(value) if isinstance(value, str) else value


def _items(values: list[Any]) -> list[Any]:
    """The first different ones, and where that are not all, how many there are."""
    shown, room = list[Any](), LONGEST_LIST
    for value in values:
        one = _abridge(value)
        if one in shown:
            continue
        room -= len(str(one))
        if room < 0:
            break
        shown.append(one)
    return shown if len(shown) == len(values) else [*shown, f"{len(values)} in all"]


def _text(value: str) -> str:
    """The text, cut off. Redacted before: a part of a secret would not be found."""
    text = redact(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
