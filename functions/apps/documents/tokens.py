"""The texts and the tags of an HTML page, divided as browsers do it: by the tokenizer of the HTML
Standard (https://html.spec.whatwg.org/multipage/parsing.html#tokenization).

No character is read more than a few times, whatever a stranger wrote: an expression below keeps
what it took, and the next one begins behind it. (Python's html.parser reads some pages again and
again.)
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

_S = r"\t\n\f\r "
"""The characters that HTML calls space."""
_MARKUP = re.compile(
    rf"<(?P<end>/?)(?P<name>[A-Za-z][^{_S}/>]*+)"
    r"|<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|(?P<data><!\[CDATA\[)"
    r"|(?:<[!?]|</(?!\Z))[^>]*+(?:>|\Z)",
    re.DOTALL,
)
"""The start of a tag, a comment, the start of data, or any other declaration."""
_AFTER_NAME = re.compile(
    rf"(?P<gap>[{_S}/]++)|(?P<close>>)"
    rf"|[^{_S}/>][^{_S}/>=]*+(?:[{_S}]*+=[{_S}]*+(?:\"[^\"]*+\"?|'[^']*+'?|[^{_S}>]*+))?"
)
"""A gap in a tag, its end, or an attribute, in whose value `<` and `>` are text."""
_RAW = frozenset({"iframe", "noembed", "noframes", "noscript", "script", "style", "xmp"})
_ENDS = {
    name: re.compile(rf"</{name}(?=[{_S}/>])", re.IGNORECASE)
    for name in (*_RAW, "textarea", "title")
}
"""The ends of elements without tags and comments: all up to there is text. That of raw ones has no
references either. So it is in a browser that runs scripts."""
_IN_SCRIPT = re.compile(rf"<!(?=--)|-->|</?script(?=[{_S}/>])", re.IGNORECASE)
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")
"""A reference by a number beyond every character's. Python refuses to read one of 4,301 digits."""


class Tag(NamedTuple):
    """A tag: the start of an element, its end, or both (`closed`)."""

    name: str
    kind: Literal["start", "end", "closed"]


def tokens(source: str, *, is_xml: bool) -> Iterator[str | Tag]:
    """The texts, their references replaced, and the tags, in order. A tag or a comment that the end
    of the page cuts off is neither."""
    at, is_svg = 0, False  # SVG in a page has XML's rules for closed tags and data
    while markup := _MARKUP.search(source, at):
        yield _replaced(source[at : markup.start()])
        at = markup.end()
        if markup["data"]:
            mark = "]]>" if is_xml or is_svg else ">"
            end = _find(mark, source, at)
            if is_xml:
                yield source[at:end]
            at = end + len(mark)
        elif markup["name"]:
            tag, at = _tag(markup, is_xml=is_xml or is_svg)
            if tag is None:
                return
            yield tag
            if tag.name == "svg":
                is_svg = tag.kind == "start"
            elif tag.name in _ENDS and tag.kind == "start" and not is_svg:
                end = _end_of_text(tag.name, source, at)
                yield source[at:end] if tag.name in _RAW else _replaced(source[at:end])
                at = end
    yield _replaced(source[at:])


def _tag(markup: re.Match[str], *, is_xml: bool) -> tuple[Tag | None, int]:
    """The tag that begins with this name, and where the text after it begins; None where the tag
    does not end. HTML ignores the slash in `<title/>`; XML and SVG do not."""
    name, has_slash = markup["name"].lower(), False
    for part in _AFTER_NAME.finditer(markup.string, markup.end()):
        if part["close"]:
            is_closed = has_slash and (is_xml or name == "svg")
            started: Literal["start", "closed"] = "closed" if is_closed else "start"
            return Tag(name, "end" if markup["end"] else started), part.end()
        has_slash = (part["gap"] or "").endswith("/")
    return None, len(markup.string)


def _end_of_text(name: str, source: str, at: int) -> int:
    """Where an element without tags ends: before its end tag, or with the page."""
    if name == "script":
        return _end_of_script(source, at)
    end = _ENDS[name].search(source, at)
    return len(source) if end is None else end.start()


def _end_of_script(source: str, at: int) -> int:
    """Where a script ends. Within `<!--` it may have another one, which does not end it."""
    is_comment = is_inner = False
    for mark in _IN_SCRIPT.finditer(source, at):
        match mark[0].lower():
            case "<!":
                is_comment = True
            case "-->":
                is_comment = is_inner = False
            case "<script":
                is_inner = is_comment
            case _ if is_inner:
                is_inner = False
            case _:
                return mark.start()
    return len(source)


def _find(mark: str, source: str, at: int) -> int:
    found = source.find(mark, at)
    return len(source) if found < 0 else found


def _replaced(text: str) -> str:
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text)) if "&" in text else text
