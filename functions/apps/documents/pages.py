"""The text of web pages, as a language model reads it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from functions.providers.files import OWN, Files, own_file
from shared import Discard
from shared.fetch import bare_urls, download

from .decoding import decode
from .markup import text_of

MAX_BYTES = 2 * 2**20
ACCEPT = "text/html, text/plain, text/*"
LONGEST_TEXT = 24_000
"""Characters of all pages together: what fits beside the question in a small model's context."""
_KINDS = {
    **dict.fromkeys((".html", ".htm"), "text/html"),
    **dict.fromkeys((".xhtml", ".xml"), "application/xhtml+xml"),
    **dict.fromkeys((".md", ".markdown", ".txt", ".rst"), "text/plain"),
}
"""The types of the application's own files, by the ends of their names."""


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
        kind = _KINDS.get(PurePosixPath(url).suffix.lower(), "")
        return await asyncio.to_thread(lambda: text_of(decode(content), kind))
    with tempfile.TemporaryFile() as stream:
        kind = await download(url, stream, max_bytes=MAX_BYTES, accept=ACCEPT)
        stream.seek(0)
        content = stream.read()
    # In a thread: a page that is made for it takes two seconds.
    return await asyncio.to_thread(lambda: text_of(decode(content, kind), kind))
