"""The log of a child process: its records go to the parent, which has the handlers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..isolate.channel import Channel

LONGEST_TEXT = 8_000
"""Characters of a message, of a traceback and of each field."""
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
            self._channel.send({"log": _fields(record)})
        except Exception:  # noqa: BLE001 - as every handler: logging must not fail
            self.handleError(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: getattr(record, name) for name in _PLACE}
    fields["msg"] = record.getMessage()[:LONGEST_TEXT]
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    if record.exc_text:
        fields["exc_text"] = record.exc_text[-LONGEST_TEXT:]
    for name, value in vars(record).items():
        if name not in _STANDARD:
            plain = value is None or isinstance(value, bool | int | float)
            fields[name] = value if plain else str(value)[:LONGEST_TEXT]
    return fields
