"""Log text without this process's secrets, and with tracebacks of bounded length."""

from __future__ import annotations

import logging
from typing import Any

from ..jobs.redact import redact

LONGEST_TRACEBACK = 32 * 1024
"""Characters of a traceback; what is left out is in its middle."""


class RedactedFormatter(logging.Formatter):
    """The base of our formatters, before the class that has the format."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler's formatter may have put its own there
        return redact(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        text = redact(super().formatException(ei))  # first: a part of a secret would not be found
        half = LONGEST_TRACEBACK // 2
        return text if len(text) <= 2 * half else f"{text[:half]}\n  …\n{text[-half:]}"
