"""The text of web pages, as a language model reads it."""

from __future__ import annotations

import asyncio
import html
import re
import tempfile
from collections.abc import Sequence

from functions.providers.files import OWN, Files, own_file
from shared import Discard
from shared.fetch import bare_urls, download

from .decoding import decode

MAX_BYTES = 2 * 2**20
ACCEPT = "text/html, text/plain, text/*"
LONGEST_TEXT = 24_000
"""Characters of all pages together: what fits beside the question in a small model's context."""
_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "title", "nav", "footer"})
_TAG = re.compile(
    # A tag ends before the next "<", and "+" keeps what it took: so no text is read twice.
    r"<!--.*?(?:-->|\Z)|<[!?][^<>]*+>|<(?P<end>/?)(?P<name>[A-Za-z][^\s<>/]*+)[^<>]*+>",
    re.DOTALL,
)
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")
"""A reference by a number beyond every character's. Python refuses to read one of 4,301 digits."""


async def read_pages(urls: Sequence[str], files: Files) -> str:
    """The pages' text, an equal share of each. Raises Discard where none of them has any, one is no
    text, or an address can't be fetched by anyone; FetchFailed where a server does not answer now.
    """
    share = LONGEST_TEXT // len(urls)
    texts = [(url, await _text(url, files)) for url in urls]
    if not any(text for _url, text in texts):
        raise Discard("the pages hold no text")
    # A stranger reads the prompt: the secrets in an address are not for it.
    return "\n\n".join(f"{bare_urls(url)}\n{text[:share]}" for url, text in texts if text)


async def _text(url: str, files: Files) -> str:
    if url.startswith(OWN):
        content = await asyncio.to_thread(own_file, files, "pages", url)
        return text_of(decode(content))
    with tempfile.TemporaryFile() as stream:
        kind = await download(url, stream, max_bytes=MAX_BYTES, accept=ACCEPT)
        stream.seek(0)
        return text_of(decode(stream.read(), kind))


def text_of(source: str) -> str:
    """What a reader of this page, HTML or plain text, sees, with single spaces. Its time grows with
    the page and no faster, whatever a stranger wrote (html.parser's does not)."""
    if "<" not in source:
        return " ".join(source.split())
    seen, silent, at = list[str](), "", 0  # silent: the open element that shows no text
    for tag in _TAG.finditer(source):
        if not silent:
            seen.append(source[at : tag.start()])
        at, name = tag.end(), (tag["name"] or "").lower()
        if silent and name == silent and tag["end"]:
            silent = ""
        elif not silent and name in _SILENT and not tag["end"]:
            silent = name
    if not silent:
        seen.append(source[at:])
    text = _NO_CHARACTER.sub("\ufffd", " ".join(seen))
    return " ".join(html.unescape(text).split())
