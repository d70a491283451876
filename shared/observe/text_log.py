"""The log as text for people: one line an event, with its fields, and then its traceback."""

from __future__ import annotations

import json
import logging
import sys
import time

from .log import SERVICE
from .redacted import RedactedFormatter

STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""The fields that every record has; the others belong to the event."""


class TextFormatter(RedactedFormatter):
    """`12:30:01 ERROR job_failed queue=orders job_id=…`, then the traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = {name: value for name, value in vars(record).items() if name not in STANDARD}
        parts = [
            f"{name}={_one_line(value)}" for name, value in fields.items() if value is not None
        ]
        return " ".join([clock, record.levelname, record.getMessage(), *parts])

    def format(self, record: logging.LogRecord) -> str:
        return _printable(super().format(record))


def _one_line(value: object) -> str:
    """The value on one line: a stranger's line end must not begin an event that never was. What has
    parts is written as JSON."""
    if isinstance(value, dict | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value).replace("\n", "\\n")


def _printable(text: str) -> str:
    """The text with each character escaped that would command a terminal, but line ends and
    tabs."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


class TextHandler(logging.Handler):
    """Writes to the stderr of the moment, and nothing where the process has handlers of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers:
            return
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as every handler: logging must not fail
            self.handleError(record)


def _is_no_report(record: logging.LogRecord) -> bool:
    return record.msg != "drained"


def write_text(level: str, *, prints_reports: bool) -> None:
    """Have the "tidegate" loggers write text at this level. `prints_reports`: a command at a
    terminal prints the reports of its drains, and the log leaves them out. The first call of a
    process decides."""
    logger = logging.getLogger(SERVICE)
    logger.setLevel(level)
    if not any(isinstance(handler, TextHandler) for handler in logger.handlers):
        handler = TextHandler()
        if prints_reports:
            handler.addFilter(_is_no_report)
        handler.setFormatter(TextFormatter())
        logger.addHandler(handler)
