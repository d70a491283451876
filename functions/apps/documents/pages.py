"""The text of web pages, as a language model reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html.parser import HTMLParser

from shared import Discard
from shared.fetch import download

MAX_BYTES = 2 * 2**20
LONGEST_TEXT = 24_000
"""Characters of all pages together: what fits beside the question in a small model's context."""
_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "head", "nav", "footer"})


async def read_pages(urls: Sequence[str]) -> str:
    """The pages' text, an equal share of each. Raises Discard where none of them has any, or an
    address can't be fetched by anyone; FetchFailed where a server does not answer now."""
    share = LONGEST_TEXT // len(urls)
    texts = [(url, await _text(url)) for url in urls]
    if not any(text for _url, text in texts):
        raise Discard("the pages hold no text")
    return "\n\n".join(f"{url}\n{text[:share]}" for url, text in texts if text)


async def _text(url: str) -> str:
    with tempfile.TemporaryFile() as stream:
        await download(url, stream, max_bytes=MAX_BYTES, accept="text/html, text/plain, text/*")
        stream.seek(0)
        source = stream.read().decode("utf-8", errors="replace")
    return text_of(source)


def text_of(source: str) -> str:
    """What a reader of this page, HTML or plain text, sees, with single spaces."""
    if "<" not in source:
        return " ".join(source.split())
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return " ".join(" ".join(reader.seen).split())


class _Reader(HTMLParser):
    """Collects the text outside of elements that show none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._silent: list[str] = []  # open elements that show no text

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - HTMLParser's
        if tag in _SILENT:
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.seen.append(data)
