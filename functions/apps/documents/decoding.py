"""The characters of a page's bytes: by its byte order mark, its server or its own declaration."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from shared import Discard

from .labels import codec_of, is_refused

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAME = r"\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9][A-Za-z0-9_.:-]{0,40})"
_CHARSET = re.compile(rf"(?:charset|encoding){_NAME}", re.IGNORECASE)
_DECLARED = re.compile(rb"<(?:meta\b|\?xml\b)[^>]{0,500}", re.IGNORECASE)
DECLARED_WITHIN = 1024
"""Bytes at a page's start that may declare its encoding: as browsers have it."""
MOST_FAULTS = 10
"""Characters of a page that can't be read, beside one in a hundred: a few are a slip of a page's
author, and more are a text in another encoding."""
_NO_TEXT = (
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"\x1f\x8b", "compressed"),
)


def decode(content: bytes, content_type: str = "") -> str:
    """The page's text. `content_type`: the server's header, "" where there is none. A page that
    names no encoding counts as UTF-8. Raises Discard for a PDF, a picture, whatever else is no
    text, and a text in another encoding than it says."""
    for start, kind in _NO_TEXT:
        if content.startswith(start):
            raise Discard(f"a page is {kind}: give pages of HTML or plain text")
    text = _decode(content, content_type)
    if "\0" in text:
        raise Discard("a page is no text, or UTF-16 that does not say so: save it as UTF-8")
    if text.count("\ufffd") > max(MOST_FAULTS, len(text) // 100):
        raise Discard(
            "a page is not in the encoding that it names, or names none: save it as UTF-8"
        )
    return text


def _decode(content: bytes, content_type: str) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    labels = [*_CHARSET.findall(content_type)[:1], *_declared_labels(content)]
    known = next(filter(None, map(_known_codec, labels)), None)
    try:
        return content.decode(
            known or "utf-8", errors="strict" if labels and not known else "replace"
        )
    except UnicodeDecodeError:
        raise Discard(_not_known(labels[0])) from None


def _declared_labels(content: bytes) -> Iterator[str]:
    """The labels that the page gives itself. They were read as ASCII: so it is not UTF-16."""
    for element in _DECLARED.finditer(content[:DECLARED_WITHIN]):
        label = _CHARSET.search(element[0].decode("ascii", errors="replace"))
        if label is not None:
            yield "utf-8" if (codec_of(label[1]) or "").startswith("utf-16") else label[1]


def _known_codec(label: str) -> str | None:
    if is_refused(label):
        raise Discard(_not_known(label))
    return codec_of(label)


def _not_known(label: str) -> str:
    return f"a page's encoding {label!r} is none that browsers read: save it as UTF-8"
