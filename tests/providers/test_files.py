"""Files are complete or absent, in a folder and in a bucket alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from functions.providers.files import Files, files_at, own_file
from shared import ConfigurationError, Discard

LONG = ("x" * 256, f"{'x' * 256}/b.md", "木" * 86, "x/" * 500 + "b.md", "x" * 10**6)
"""Names that no disk or bucket takes."""


@pytest.fixture(params=["folder", "s3://papers", "s3://papers/below/here"])
def files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Files]:
    if request.param == "folder":
        yield files_at(str(tmp_path / "files"))
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="papers")
        yield files_at(request.param)


def test_what_was_written_is_read(files: Files) -> None:
    address = files.write("a/b.md", b"first", "text/markdown")
    files.write("a/b.md", "zweite 木".encode(), "text/markdown")

    assert files.read("a/b.md") == "zweite 木".encode()
    assert address.endswith("/a/b.md")


def test_what_is_missing_is_none(files: Files) -> None:
    assert files.read("a/c.md") is None


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "", ".", *LONG])
def test_no_name_leads_out_of_the_place(files: Files, name: str) -> None:
    for attempt in (lambda: files.read(name), lambda: files.write(name, b"", "text/plain")):
        with pytest.raises(ValueError, match="no name of a file"):
            attempt()


def test_an_address_of_an_own_file_names_it_in_its_folder(files: Files) -> None:
    files.write("pages/a/b.md", b"text", "text/markdown")
    files.write("parts/secret.md", b"another's", "text/markdown")

    assert own_file(files, "pages", "file:a/b.md") == b"text"
    outside = ("c.md", "../parts/secret.md", "/etc/passwd", "", ".")
    for name in (*outside, "\0", "\ud800", *LONG, "a/b.md/c"):
        with pytest.raises(Discard, match="there is no file"):
            own_file(files, "pages", f"file:{name}")


@pytest.mark.parametrize("host", ["AWS_LAMBDA_FUNCTION_NAME", "VERCEL"])
def test_a_folder_is_refused_on_a_function_host(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host, "1")

    with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
        files_at(".tidegate/documents")
