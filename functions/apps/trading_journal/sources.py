"""The sources of an import's bytes. The whole file is checked before the first row is read.

A download is complete before the first row is read, so a server that fails halfway leaves no
partial import.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shared import Discard
from shared.fetch import download

from .settings import data_folder

MAX_BYTES = 32 * 2**20
ACCEPT = "text/csv, text/plain;q=0.9, */*;q=0.1"
_PACKAGED = Path(__file__).parent / "data"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A readable UTF-8 text file, positioned at its start."""

    stream: BinaryIO
    size: int
    checksum: str


@asynccontextmanager
async def open_source(source: str) -> AsyncIterator[Source]:
    """The file that `source` names.

    Raises Discard when it can never be imported: no such file, outside the folders that are
    served, refused by the server, over 32 MiB, empty, or not UTF-8 text. Raises FetchFailed when a
    server does not answer now, so that the job is retried.
    """
    if source.startswith("https://"):
        with tempfile.TemporaryFile() as stream:
            await download(source, stream, max_bytes=MAX_BYTES, accept=ACCEPT)
            yield await asyncio.to_thread(_inspect, stream)
    else:
        with await asyncio.to_thread(_open_local, source) as stream:
            yield await asyncio.to_thread(_inspect, stream)


def _open_local(source: str) -> BinaryIO:
    name = source.removeprefix("file:")
    root = _PACKAGED if name == source else data_folder()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
        raise Discard("can't read this source; name a packaged file, file:PATH or https://…")
    try:
        root, path = root.resolve(), (root / name).resolve()
        inside, exists = path.is_relative_to(root), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL in it, a loop of links
        raise Discard(f"{source[:80]!r} can't be a path") from error
    if not inside:
        raise Discard(f"{source[:80]!r} leads outside the data folder")
    if not exists:
        raise Discard(f"there is no file {source[:80]!r}")
    return path.open("rb")


def _inspect(stream: BinaryIO) -> Source:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        if stream.tell() > MAX_BYTES:
            raise Discard(f"the file is larger than {MAX_BYTES} bytes; split it")
        if b"\0" in chunk:
            raise Discard("the file is binary or UTF-16, not a CSV; save it as UTF-8 text")
        _decode(decoder, chunk)
    _decode(decoder, b"", final=True)
    size = stream.tell()
    if size == 0:
        raise Discard("the file is empty")
    stream.seek(0)
    return Source(stream, size, f"sha256:{digest.hexdigest()}")


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> None:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        raise Discard("the file is not UTF-8; save it as UTF-8 text") from error
