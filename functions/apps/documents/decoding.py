"""The characters of a page's bytes: by its byte order mark, its server or its own declaration."""

from __future__ import annotations

import codecs
import re

from shared import Discard

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
_AS_BROWSERS_READ = {
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
}
_KNOWN = re.compile(
    r"utf-8|utf-(?:16|32)(?:-[lb]e)?|iso8859-\d+|cp(?:125\d|866|874|932|949)|koi8-[ru]"
    r"|euc_jp|iso2022_jp|gb18030|big5|mac-(?:roman|cyrillic)"
)
"""Encodings of pages, by Python's names. Its others are no text, or slow to decode (punycode)."""
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
    """The page's text. `content_type`: the server's header, "" where there is none. An encoding
    that is not known counts as none, and a page without one as UTF-8. Raises Discard for a PDF, a
    picture, and whatever else is no text."""
    for start, kind in _NO_TEXT:
        if content.startswith(start):
            raise Discard(f"a page is {kind}: give pages of HTML or plain text")
    text = _decode(content, content_type)
    if "\0" in text:
        raise Discard("a page is no text, or UTF-16 that does not say so: save it as UTF-8")
    return text


def _decode(content: bytes, content_type: str) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    encoding = _encoding_named(content_type) or _declared_encoding(content) or "utf-8"
    return content.decode(encoding, errors="replace")


def _declared_encoding(content: bytes) -> str | None:
    """The encoding that the page names itself. Its name was read as ASCII: so it is not UTF-16."""
    for element in _DECLARED.finditer(content[:DECLARED_WITHIN]):
        encoding = _encoding_named(element[0].decode("ascii", errors="replace"))
        if encoding is not None:
            return "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
    return None


def _encoding_named(text: str) -> str | None:
    """The encoding that a header or an element names; None where it names none that is known."""
    match = _CHARSET.search(text)
    try:
        name = codecs.lookup(match[1]).name if match else ""
    except LookupError:
        return None
    name = _AS_BROWSERS_READ.get(name, name)
    return name if _KNOWN.fullmatch(name) else None
