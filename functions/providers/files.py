"""Files of an application: in a bucket of S3, or in a folder on a developer's machine.

A name is a path below the bucket's prefix, or below the folder. Calls block: an async handler makes
them in a thread.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from shared import ConfigurationError, Discard
from shared.jobs.redact import keep_secret

OWN = "file:"
"""What the address of an application's own file begins with, in a payload; its name follows."""
LONGEST_PART, LONGEST_NAME = 255, 768
"""Bytes of a name between two slashes, which is what disks take, and of a whole one: a key of S3
has 1,024, the prefix included."""


class Files(Protocol):
    """A store of files."""

    def write(self, name: str, content: bytes, content_type: str) -> str:
        """Write a file, or replace it; its address."""

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""


def files_at(location: str) -> Files:
    """The files at `s3://bucket/prefix` or in a folder.

    Raises ConfigurationError for a folder on a function host: its disk is deleted.
    """
    parts = urlsplit(location)
    if parts.scheme == "s3" and parts.netloc:
        return Bucket(parts.netloc, parts.path.strip("/"))
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ or "VERCEL" in os.environ:
        raise ConfigurationError(
            f"{location!r} is a folder, and a function's disk is deleted: name s3://bucket/prefix"
        )
    return Folder(Path(location))


def own_file(files: Files, folder: str, address: str) -> bytes:
    """The application's own file `file:name`, from this folder of its files. Raises Discard where
    there is none: no retry helps."""
    name = address.removeprefix(OWN)
    try:
        content = files.read(f"{folder}/{_check_name(name)}")
    except ValueError:
        content = None
    if content is None:
        raise Discard(f"there is no file {name[:80]!r} in {folder}")
    return content


class Bucket:
    """A bucket of S3, by the function's own role."""

    def __init__(self, bucket: str, prefix: str) -> None:
        import boto3  # noqa: PLC0415 - it costs a cold start half a second

        keep_secret(os.environ.get(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
        self._bucket, self._prefix = bucket, prefix
        self._s3: Any = boto3.client("s3")

    def write(self, name: str, content: bytes, content_type: str) -> str:
        key = self._key(name)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        return f"s3://{self._bucket}/{key}"

    def read(self, name: str) -> bytes | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(name))
        except self._s3.exceptions.NoSuchKey:
            return None
        content: bytes = answer["Body"].read()
        return content

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{_check_name(name)}" if self._prefix else _check_name(name)


class Folder:
    """A folder. A file is complete or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, content: bytes, content_type: str) -> str:  # noqa: ARG002 - of S3
        path = self._folder / _check_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            part.write(content)
        Path(part.name).replace(path)
        return path.absolute().as_uri()

    def read(self, name: str) -> bytes | None:
        path = self._folder / _check_name(name)
        return path.read_bytes() if path.is_file() else None


def _fits(path: PurePosixPath) -> bool:
    longest = max(len(part.encode()) for part in path.parts)
    return longest <= LONGEST_PART and len(str(path).encode()) <= LONGEST_NAME


def _check_name(name: str) -> str:
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or not path.parts
    if outside or "\0" in name or not _fits(path):
        raise ValueError(f"{name[:80]!r} is no name of a file below a folder")
    return str(path)
