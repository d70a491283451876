"""Where an import may read, and what it does when it can't."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
import respx

from functions.apps.trading_journal import sources
from functions.apps.trading_journal.sources import open_source
from shared import Discard
from shared.fetch import FetchFailed

URL = "https://prices.example.com/aapl.csv"


async def read(source: str) -> bytes:
    async with open_source(source) as opened:
        content = opened.stream.read()
    assert opened.stream.closed
    assert opened.size == len(content)
    assert opened.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"
    return content


async def test_a_plain_name_is_a_packaged_file() -> None:
    content = await read("stocks.csv")

    assert content.startswith(b"Ticker,Date,")
    assert content.count(b"\n") == 3467


@pytest.mark.parametrize("name", ["prices.csv", "2026/prices.csv", "./2026/../prices.csv"])
async def test_a_file_is_read_from_the_data_folder(folder: Path, name: str) -> None:
    (folder / "2026").mkdir()
    (folder / "prices.csv").write_bytes(b"a")
    (folder / "2026" / "prices.csv").write_bytes(b"a")

    assert await read(f"file:{name}") == b"a"


@pytest.mark.parametrize(
    "path", ["../secret.csv", "a/../../secret.csv", "//etc/passwd", "/etc/passwd", "link.csv"]
)
async def test_no_path_leads_out_of_the_data_folder(folder: Path, path: str) -> None:
    secret = folder.parent / "secret.csv"
    secret.write_text("secret")
    (folder / "link.csv").symlink_to(secret)

    with pytest.raises(Discard, match="outside the data folder"):
        await read(f"file:{path}")


@pytest.mark.parametrize("name", ["../handlers.py", "/etc/passwd"])
async def test_no_plain_name_leads_out_of_the_package(name: str) -> None:
    with pytest.raises(Discard, match="outside the data folder"):
        await read(name)


@pytest.mark.parametrize("name", ["none.csv", "", "."])
async def test_a_file_that_does_not_exist_is_no_retry(folder: Path, name: str) -> None:
    with pytest.raises(Discard, match="there is no file"):
        await read(f"file:{name}")


@pytest.mark.parametrize("name", ["a\0b", "a" * 300, "loop"])
async def test_what_can_be_no_path_is_no_retry(folder: Path, name: str) -> None:
    (folder / "loop").symlink_to(folder / "loop")

    with pytest.raises(Discard):
        await read(f"file:{name}")


@pytest.mark.parametrize("source", ["http://example.com/a.csv", "s3://b/a.csv", "file:s3:a", "C:a"])
async def test_other_schemes_are_refused(folder: Path, source: str) -> None:
    with pytest.raises(Discard, match="name a packaged file"):
        await read(source)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        ("prix,été".encode("latin-1"), "not UTF-8"),
        ("Ticker,Date".encode("utf-16"), "binary or UTF-16"),
        (b"\x1f\x8b\x08\x00gzip", "binary or UTF-16"),
        ("Börse".encode()[:2], "not UTF-8"),
    ],
)
async def test_what_is_no_text_is_refused_before_a_row_is_read(
    folder: Path, content: bytes, reason: str
) -> None:
    (folder / "a.csv").write_bytes(content)

    with pytest.raises(Discard, match=reason):
        await read("file:a.csv")


async def test_a_character_cut_by_a_chunk_is_still_text(folder: Path) -> None:
    content = b"a" * (64 * 1024 - 1) + "é".encode()
    (folder / "a.csv").write_bytes(content)

    assert await read("file:a.csv") == content


async def test_a_file_over_the_limit_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 10)
    (folder / "a.csv").write_bytes(b"a" * 11)

    with pytest.raises(Discard, match="larger than 10 bytes"):
        await read("file:a.csv")


@respx.mock
async def test_an_address_is_read_from_its_public_server(public_server: str) -> None:
    route = respx.get(f"https://{public_server}/aapl.csv").respond(200, content=b"Ticker\n")

    assert await read(URL) == b"Ticker\n"
    assert route.calls[0].request.headers["host"] == "prices.example.com"
    assert route.calls[0].request.headers["accept"].startswith("text/csv")


@respx.mock
async def test_a_download_over_the_limit_stops_there(
    public_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 10)
    respx.get(host=public_server).respond(200, content=b"a" * 11)

    with pytest.raises(Discard, match="larger than 10 bytes"):
        await read(URL)


@respx.mock
async def test_a_server_s_trouble_is_retried_and_told_without_the_address(
    public_server: str,
) -> None:
    respx.get(host=public_server).mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(FetchFailed, match="no public server answers at this address"):
        await read(f"{URL}?signature=secret")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.1/a",
        "https://[::ffff:10.0.0.1]/a",
        "https://169.254.169.254/latest/meta-data",
        "https://db.internal/a",
        "https://example.com:8443/a",
        "https://user:pass@example.com/a",
    ],
)
async def test_addresses_inside_our_network_are_never_asked(url: str) -> None:
    with respx.mock(assert_all_called=False) as network:
        route = network.route().respond(200, content=b"x")
        with pytest.raises(Discard, match="give an https:// address of a public server"):
            await read(url)

    assert not route.called
