"""The log of a child process: its records go to the parent, which has the handlers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ..drain.describe import message_of, type_name
from ..isolate.channel import Channel
from ..jobs.redact import redact, redacted_start

LONGEST_TEXT = 8_000
"""Characters of a message, of an exception's text and traceback, and of each field."""
_PLACE = ("name", "levelno", "levelname", "created", "msecs", "lineno", "pathname", "filename",
          "module", "funcName")  # fmt: skip
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


def forward_logs(channel: Channel, levels: Mapping[str, int]) -> None:
    """Send the records of all loggers to the parent, at its levels."""
    root = logging.getLogger()
    root.addHandler(_Forwarder(channel))
    for name, level in levels.items():
        (root if name == "root" else logging.getLogger(name)).setLevel(level)


class _Forwarder(logging.Handler):
    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._channel.send({"log": _fields(record), "raised": _exception_texts(record)})
        except Exception:  # noqa: BLE001 - as every handler: logging must not fail
            self.handleError(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in _PLACE}
    fields["msg"] = redacted_start(record.getMessage(), LONGEST_TEXT)
    own = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return fields | {name: _plain(value) for name, value in own.items()}


def _exception_texts(record: logging.LogRecord) -> list[str] | None:
    """Class, text and traceback of the record's exception."""
    if not record.exc_info or record.exc_info[1] is None:
        return None
    error, trace = record.exc_info[1], redact(logging.Formatter().formatException(record.exc_info))
    return [type_name(error), message_of(error)[:LONGEST_TEXT], trace[-LONGEST_TEXT:]]


def _plain(value: object) -> Any:
    """A field as JSON values; as text where it has none."""
    try:
        text = json.dumps(value, default=str)
        if len(text) <= LONGEST_TEXT:
            return json.loads(text)
    except (TypeError, ValueError, RecursionError):  # its names are no texts, or it holds itself
        pass
    return redacted_start(str(value), LONGEST_TEXT)
