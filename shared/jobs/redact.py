"""Redaction of text that is kept or logged: this process's own secrets, and the parts of URLs that
carry secrets of others (user names, queries with signatures)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

SHORTEST = 8
"""Characters. A shorter value stands in too many texts by chance."""
BLANK = "[secret]"
_secrets: set[str] = set()
_URL = re.compile(r"""://([^\s"<>?#]*)([?#][^\s"<>]*)?""")  # an apostrophe may be part of it
_URL_END = re.compile(r"""[\s"<>]""")
MOST_READ = 256 * 1024
"""Characters of a text of which only the start is kept."""
HIDDEN = "?…"
"""Stands for the query and the fragment of a URL."""


LOGGERS = (
    *("tidegate.drain", "tidegate.job", "tidegate.web", "tidegate.hosts"),
    *("tidegate.schedules", "tidegate.cache", "tidegate.embedded", "tidegate.nudge"),
    *("tidegate.access", "tidegate.alerts", "tidegate.archive"),
)
"""All loggers of this package: a filter of a logger does not see what its children log."""
CLIENT_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2")
"""Loggers of the HTTP client: at INFO it writes the URL of each request, and some services want
their secret there."""


def keep_secret(values: Iterable[str | None]) -> None:
    """From now on blank these values wherever text is kept or logged."""
    _secrets.update(value for value in values if value and len(value) >= SHORTEST)
    for name in (*LOGGERS, *CLIENT_LOGGERS):
        logging.getLogger(name).addFilter(_filter)  # once: a logger keeps a filter one time


def secrets() -> frozenset[str]:
    """The values that are blanked, for another process that shall blank them too."""
    return frozenset(_secrets)


def redact(text: str) -> str:
    """The text with every known secret blanked, the longest first, and its URLs bare."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, BLANK)
    return bare_urls(text)


def redacted_start(text: str, longest: int) -> str:
    """The first characters of the redacted text. Of a huge text only the first MOST_READ are read,
    and what their end may have cut off, a secret or a URL, is left out."""
    if len(text) <= MOST_READ:
        return redact(text)[:longest]
    text = text[:MOST_READ]
    url = text.rfind("://")
    if url >= 0 and not _URL_END.search(text, url):
        text = text[:url]
    text = redact(text)
    uncut = len(text) - max(map(len, _secrets), default=0)
    return text[: max(0, min(longest, uncut))]


def bare_urls(text: str) -> str:
    """The text with each URL reduced to what may be shown: no user name, no query, no fragment."""
    return _URL.sub(_bare, text) if "://" in text else text


def _bare(url: re.Match[str]) -> str:
    authority, slash, path = url[1].partition("/")
    quote = "'" if url[2] and url[2].endswith("'") else ""  # the URL stood in quotes
    return f"://{authority.rpartition('@')[2]}{slash}{path}{HIDDEN + quote if url[2] else ''}"


class RedactingFilter(logging.Filter):
    """Blanks secrets in the message and in the text fields of log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        blanked = redact(message)
        if blanked != message:
            record.msg, record.args = blanked, None
        for name, value in vars(record).items():
            if isinstance(value, str):
                setattr(record, name, redact(value))
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


_filter = RedactingFilter()
