"""Which pages are HTML, and the text that a reader of HTML sees."""

from __future__ import annotations

import html
import re

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
_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "title", "nav", "footer"})
_TAG = re.compile(
    # A tag ends before the next "<", and "+" keeps what it took: so no text is read twice.
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^<>]*+>"
    r"|<(?P<end>/?)(?P<name>[A-Za-z][^\s<>/]*+)(?P<rest>[^<>]*+)>",
    re.DOTALL,
)
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")
"""A reference by a number beyond every character's. Python refuses to read one of 4,301 digits."""


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
    """The text between tags, without that of elements which show none. Its time grows with the page
    and no faster, whatever a stranger wrote (html.parser's does not)."""
    seen, silent, at = list[str](), "", 0  # silent: the open element that shows no text
    for tag in _TAG.finditer(source):
        if not silent:
            seen.append(source[at : tag.start()])
        at, name = tag.end(), (tag["name"] or "").lower()
        if silent and name == silent and tag["end"]:
            silent = ""
        elif not silent and name in _SILENT and not tag["end"]:
            # HTML ignores the slash in <title/>, and XML and SVG do not.
            closed = (is_xml or name == "svg") and _is_closed(tag["rest"])
            silent = "" if closed else name
    if not silent:
        seen.append(source[at:])
    return html.unescape(_NO_CHARACTER.sub("\ufffd", " ".join(seen)))


def _is_closed(rest: str) -> bool:
    """True if a tag ends with a slash that is no part of an unquoted value."""
    if not rest.endswith("/"):
        return False
    word = (rest[:-1].rsplit(None, 1) or [""])[-1]
    return "=" not in word or word.endswith(("'", '"')) or rest[-2:-1].isspace()
