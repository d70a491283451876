"""The sources of an import's bytes. The whole file is checked before the first row is read.

A download is complete before the first row is read, so a server that fails halfway leaves no
partial import.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import ipaddress
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from shared import Discard

from .http import client, is_transient
from .settings import data_folder

MAX_BYTES = 32 * 2**20
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
    served, refused by the server, over 32 MiB, empty, or not UTF-8 text. A transient failure (an
    httpx error, 5xx, 429) is raised unchanged, so that the job is retried.
    """
    if source.startswith("https://"):
        with tempfile.TemporaryFile() as stream:
            await _download(source, stream)
            yield await asyncio.to_thread(_inspect, stream)
    else:
        with await asyncio.to_thread(_open_local, source) as stream:
            yield await asyncio.to_thread(_inspect, stream)


def _open_local(source: str) -> BinaryIO:
    name = source.removeprefix("file:")
    root = _PACKAGED if name == source else data_folder()
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
        raise Discard(f"can't read {source[:80]!r}; name a packaged file, file:PATH or https://…")
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


async def _download(address: str, stream: BinaryIO) -> None:
    url = _checked(address)
    # Plain bytes only: a small compressed response can unpack to any size.
    plain = {"Accept-Encoding": "identity", "Accept": "text/csv, text/plain;q=0.9, */*;q=0.1"}
    async with client() as http, http.stream("GET", url, headers=plain) as response:
        if is_transient(response):
            response.raise_for_status()
        if response.status_code != httpx.codes.OK:
            raise Discard(
                f"{url.host} answers {response.status_code}; give the file's final address"
            )
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Discard(
                f"{url.host} sends compressed bytes only; give an address of the plain file"
            )
        async for chunk in response.aiter_raw(_CHUNK):
            stream.write(chunk)
            if stream.tell() > MAX_BYTES:
                raise Discard(f"the file is larger than {MAX_BYTES} bytes; split it")


def _checked(address: str) -> httpx.URL:
    """The address as a URL. Raises Discard if it points into our own network.

    A public name that resolves to a private address is left to TLS: no internal host has a
    certificate for that name, so nothing is read from it.
    """
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise Discard(f"no address: {error}") from error
    host = url.host.rstrip(".")
    try:
        public = ipaddress.ip_address(host).is_global
    except ValueError:
        public = "." in host and not host.endswith((".localhost", ".local", ".internal"))
    if not public or url.userinfo:
        raise Discard(f"{host[:80]!r}: give a public https address without a user name")
    return url


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
