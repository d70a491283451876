"""Which pages are HTML, and the text that a reader of HTML sees."""

from __future__ import annotations

import re

from .tokens import tokens

_XML = ("application/xhtml+xml", "application/xml", "text/xml")
_HTML = ("text/html", *_XML)
_XML_START = re.compile(
    r"\s*<(?:\?xml\b|!doctype\s+html\s+public\s+\"-//w3c//dtd xhtml)", re.IGNORECASE
)
_DOCUMENT = re.compile(
    r"\s*(?:<!--.{0,1000}?-->\s*)?<(?:\?xml|!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
"""The start of a whole document."""
_FRAGMENT = re.compile(
    r"\s*<(?:!--|(?:head|meta|link|title|style|script|body|main|article|section|header|nav|h1|div|p"
    r"|table|a|b|br|font|iframe|noscript|template|svg)[\s/>])",
    re.IGNORECASE,
)
"""The start of HTML that nobody calls so."""
_SILENT = frozenset(
    {"script", "style", "noscript", "noembed", "noframes", "iframe", "template", "svg", "title"}
    | {"nav", "footer"}
)
"""Elements whose text no reader sees, or reads a page for."""


def text_of(source: str, kind: str = "") -> str:
    """What a reader of this page, HTML or plain text, sees, with single spaces. `kind`: its media
    type; "" where nobody says it."""
    if is_html(source, kind):
        source = _visible_text(source, is_xml=_is_xml(source, kind))
    return " ".join(source.split())


def is_html(source: str, kind: str) -> bool:
    """True if the type, or the start of the page, says HTML. Markdown may begin with a few tags,
    and mention any."""
    media = _media_type(kind)
    if media in _HTML or _DOCUMENT.match(source):
        return True
    return not media.startswith("text/") and _FRAGMENT.match(source) is not None


def _is_xml(source: str, kind: str) -> bool:
    return _media_type(kind) in _XML or _XML_START.match(source) is not None


def _media_type(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


def _visible_text(source: str, *, is_xml: bool) -> str:
    """The text between tags, without that of elements which show none."""
    seen, silent = list[str](), ""  # silent: the open element that shows no text
    for token in tokens(source, is_xml=is_xml):
        if isinstance(token, str):
            seen += () if silent else (token,)
        elif silent:
            silent = "" if token == (silent, "end") else silent
        elif token.name in _SILENT and token.kind == "start":
            silent = token.name
    return " ".join(seen)
